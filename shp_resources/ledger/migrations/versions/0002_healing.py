"""What heals: causes and verdicts, breakers, incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _partitions_and_attempts()
    _breakers()
    _incidents()
    # What an earlier version left waiting for something in passing is due now.
    op.execute("UPDATE shp.partitions SET next_attempt_at = clock_timestamp() WHERE state = 'waiting' AND code = 'transient'")


def _partitions_and_attempts() -> None:
    words = "What holds it, as incidents and budgets name it; stays until it is published."
    op.add_column("partitions", sa.Column("cause", sa.Text(), nullable=True, comment=words), schema="shp")
    words = "When a person last released it; re-drives before that are forgiven."
    op.add_column("partitions", sa.Column("armed_at", sa.DateTime(timezone=True), nullable=True, comment=words), schema="shp")
    words = "What the failure is counted under."
    op.add_column("attempts", sa.Column("cause", sa.Text(), nullable=True, comment=words), schema="shp")
    words = "What was decided about the failure."
    op.add_column("attempts", sa.Column("verdict", sa.Text(), nullable=True, comment=words), schema="shp")
    words = "When the next run is due by that verdict."
    op.add_column("attempts", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment=words), schema="shp")


def _breakers() -> None:
    op.create_table(
        "breakers",
        sa.Column("name", sa.Text(), nullable=False, comment="Outside system, or system/feed."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Counts changes of this row; every change names the one it saw."),
        sa.Column(
            "phase",
            sa.Text(),
            nullable=False,
            comment="What it does with calls: closed lets them through, open keeps them back, half_open waits for a probe.",
        ),
        sa.Column("failures", sa.Integer(), nullable=False, comment="Passing failures in a row while it is closed."),
        sa.Column("trips", sa.Integer(), nullable=False, comment="How often it was opened since it was last closed."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True, comment="When it was opened."),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True, comment="From when on a probe may begin."),
        sa.Column("probe_until", sa.DateTime(timezone=True), nullable=True, comment="Until when the probe under way may take."),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="When a probe last closed it."),
        sa.Column("code", sa.Text(), nullable=True, comment="Why it was opened, a stable code."),
        sa.Column("message", sa.Text(), nullable=True, comment="Why it was opened, for people."),
        sa.CheckConstraint("phase IN ('closed', 'open', 'half_open')", name="breakers_phase_check"),
        sa.PrimaryKeyConstraint("name", name="breakers_pkey"),
        schema="shp",
        comment="Breakers before outside systems; one without a row has never failed.",
    )


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Counts incidents."),
        sa.Column("cause", sa.Text(), nullable=False, comment="What it is about; one incident at a time."),
        sa.Column("severity", sa.Text(), nullable=False, comment="info, warning or critical."),
        sa.Column("code", sa.Text(), nullable=False, comment="Stable code."),
        sa.Column("message", sa.Text(), nullable=False, comment="What is wrong, for people."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="When it was opened."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When a member last joined or left."),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When every member was proven healed; null while it is open.",
        ),
        sa.Column("proof", sa.Text(), nullable=True, comment="What was read again before it was closed."),
        sa.PrimaryKeyConstraint("id", name="incidents_pkey"),
        schema="shp",
        comment="What people are told: one for each cause, opened once, closed by proof.",
    )
    still_open = sa.text("closed_at IS NULL")
    op.create_index("incidents_open_idx", "incidents", ["cause"], unique=True, schema="shp", postgresql_where=still_open)
    op.create_table(
        "incident_members",
        sa.Column("incident", sa.BigInteger(), autoincrement=False, nullable=False, comment="The incident."),
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False, comment="When the partition was first held for the cause."),
        sa.Column(
            "left_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was seen to be held by the cause no more.",
        ),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="How it left: healed (the sink was read again), moved (another cause holds it), waived.",
        ),
        sa.PrimaryKeyConstraint("incident", "feed", "partition", name="incident_members_pkey"),
        schema="shp",
        comment="The partitions that an incident is about.",
    )
    op.create_index("incident_members_feed_partition_idx", "incident_members", ["feed", "partition"], schema="shp")
