"""Letters to people and what they told, so that a failed channel is tried again and nothing is told twice."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Counts letters."),
        sa.Column("destination", sa.Text(), nullable=False, comment="Where to: mail:ADDRESS, webhook:NAME or log."),
        sa.Column("subject", sa.Text(), nullable=False, comment="One line."),
        sa.Column("text", sa.Text(), nullable=False, comment="What it says."),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, comment="When it was written."),
        sa.Column("tries", sa.Integer(), nullable=False, comment="How often its channel was asked to take it."),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False, comment="From when on it may be tried again."),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True, comment="When it was delivered; null: not yet."),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True, comment="When it was too old to help anybody."),
        sa.Column("error", sa.Text(), nullable=True, comment="Why the last try failed."),
        sa.PrimaryKeyConstraint("id", name="alerts_pkey"),
        schema="shp",
        comment="Letters to people about incidents, until they are delivered and after.",
    )
    waits = sa.text("sent_at IS NULL AND given_up_at IS NULL")
    op.create_index("alerts_waiting_idx", "alerts", ["destination", "id"], schema="shp", postgresql_where=waits)
    op.create_table(
        "alert_tellings",
        sa.Column("incident", sa.BigInteger(), autoincrement=False, nullable=False, comment="The incident."),
        sa.Column("destination", sa.Text(), nullable=False, comment="Who was told."),
        sa.Column("kind", sa.Text(), nullable=False, comment="What was told: opened, reminder or closed."),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="Counts reminders; 0 otherwise."),
        sa.Column("alert", sa.BigInteger(), nullable=False, comment="The letter that it stood in."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When that was written."),
        sa.PrimaryKeyConstraint("incident", "destination", "kind", "number", name="alert_tellings_pkey"),
        schema="shp",
        comment="What was told of which incident to whom; nothing is told twice.",
    )
    op.create_index("alert_tellings_at_idx", "alert_tellings", ["at"], schema="shp")
