"""Make the ledger's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("arrival_numbers", schema="shp")))
    op.execute(sa.schema.CreateSequence(sa.Sequence("publication_numbers", schema="shp")))
    op.create_table(
        "arrivals",
        sa.Column(
            "number",
            sa.BigInteger(),
            server_default=sa.text("nextval('shp.arrival_numbers')"),
            autoincrement=False,
            nullable=False,
            comment="Increases over all feeds; the newest of a partition decides.",
        ),
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("uri", sa.Text(), nullable=True, comment="Source; null when a person made the arrival."),
        sa.Column("name", sa.Text(), nullable=True, comment="File name."),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="Bytes as seen."),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True, comment="Modification time as seen, nanoseconds since 1970."),
        sa.Column("inode", sa.Numeric(precision=20, scale=0), nullable=True, comment="Inode as seen."),
        sa.Column("etag", sa.Text(), nullable=True, comment="ETag as seen."),
        sa.Column("via", sa.Text(), nullable=False, comment="Who saw it: sensor, ingest, rewind, …"),
        sa.Column("delivery", sa.Text(), nullable=True, comment="SHA-256 of its bytes; null until they are kept."),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False, comment="When it was seen."
        ),
        sa.PrimaryKeyConstraint("number", name="arrivals_pkey"),
        schema="shp",
        comment="A source was seen new or changed.",
    )
    op.create_index("arrivals_feed_partition_number_idx", "arrivals", ["feed", "partition", "number"], schema="shp")
    op.create_table(
        "attempts",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="Counts the partition's attempts, from 1."),
        sa.Column("arrival", sa.BigInteger(), nullable=False, comment="The arrival it works on; (arrival, number) is its fence."),
        sa.Column("run_id", sa.Text(), nullable=False, comment="Dagster's run."),
        sa.Column("host", sa.Text(), nullable=False, comment="Machine of the worker."),
        sa.Column("pid", sa.Integer(), nullable=False, comment="Process of the worker."),
        sa.Column("pid_started", sa.Double(), nullable=False, comment="Start of that process, seconds since 1970."),
        sa.Column("via", sa.Text(), nullable=False, comment="Who asked for it: sensor, ingest, redrive, ui, …"),
        sa.Column("step", sa.Text(), nullable=True, comment="The step it is in or ended in."),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False, comment="Begin."),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="End; null while it is under way or lost."),
        sa.Column("outcome", sa.Text(), nullable=True, comment="How it ended, the state or verdict it led to."),
        sa.Column("code", sa.Text(), nullable=True, comment="What went wrong, a stable code."),
        sa.Column("kind", sa.Text(), nullable=True, comment="Fault kind of the code."),
        sa.Column("evidence", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment="What was seen of the failure."),
        sa.Column("message", sa.Text(), nullable=True, comment="What went wrong, for people."),
        sa.PrimaryKeyConstraint("feed", "partition", "number", name="attempts_pkey"),
        sa.UniqueConstraint("run_id", "feed", "partition", name="attempts_run_id_feed_partition_key"),
        schema="shp",
        comment="Runs of a partition, with their verdicts; the first verdict stands.",
    )
    op.create_index("attempts_open_idx", "attempts", ["feed", "partition"], schema="shp", postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "deliveries",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("delivery", sa.Text(), nullable=False, comment="SHA-256 of the bytes."),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes."),
        sa.Column("arrival", sa.BigInteger(), nullable=False, comment="The first arrival that brought them."),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When they were first kept.",
        ),
        sa.PrimaryKeyConstraint("feed", "partition", "delivery", name="deliveries_pkey"),
        schema="shp",
        comment="Versions of a partition's bytes.",
    )
    op.create_index("deliveries_feed_delivery_idx", "deliveries", ["feed", "delivery"], schema="shp")
    op.create_table(
        "leases",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("holder", sa.Text(), nullable=False, comment="host:pid:start:run of the worker."),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=False, comment="Since when."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="Until when, unless it is renewed."),
        sa.PrimaryKeyConstraint("feed", "partition", name="leases_pkey"),
        schema="shp",
        comment="One worker per partition.",
    )
    op.create_table(
        "mart_watermarks",
        sa.Column("mart", sa.Text(), nullable=False, comment="Mart."),
        sa.Column("publication", sa.BigInteger(), nullable=False, comment="The newest publication that its data may lack nothing of."),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False, comment="When it was set."
        ),
        sa.PrimaryKeyConstraint("mart", name="mart_watermarks_pkey"),
        schema="shp",
        comment="How far each mart has read.",
    )
    op.create_table(
        "partitions",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("state", sa.Text(), nullable=False, comment="State of the partition."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Counts changes of this row; every move names the one it saw."),
        sa.Column("owner", sa.Text(), nullable=True, comment="Name of the first file under this key."),
        sa.Column("arrival", sa.BigInteger(), nullable=True, comment="The newest arrival."),
        sa.Column("delivery", sa.Text(), nullable=True, comment="The delivery that the state is about."),
        sa.Column("code", sa.Text(), nullable=True, comment="Why it is held, a stable code."),
        sa.Column("message", sa.Text(), nullable=True, comment="Why it is held, for people."),
        sa.Column("rows", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment="Row counts of the delivery."),
        sa.Column(
            "flags",
            JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="What stands beside the state: placeholder_of, reconciled_at, stale.",
        ),
        sa.Column("contract_version", sa.Text(), nullable=True, comment="Contract that judged the delivery."),
        sa.Column("converter_version", sa.Integer(), nullable=True, comment="Converter that converted the delivery."),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True, comment="When the next attempt is due."),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="When the source is due."),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False, comment="Last change."
        ),
        sa.CheckConstraint(
            "state IN ('expected', 'late', 'waived', 'arrived', 'running', 'waiting', 'parked', 'quarantined', "
            "'exhausted', 'published', 'published_with_rejects')",
            name="partitions_state_check",
        ),
        sa.PrimaryKeyConstraint("feed", "partition", name="partitions_pkey"),
        schema="shp",
        comment="Where each partition stands.",
    )
    op.create_index("partitions_feed_state_idx", "partitions", ["feed", "state"], schema="shp")
    op.create_index(
        "partitions_next_attempt_at_idx",
        "partitions",
        ["next_attempt_at"],
        schema="shp",
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_table(
        "publications",
        sa.Column(
            "number",
            sa.BigInteger(),
            server_default=sa.text("nextval('shp.publication_numbers')"),
            autoincrement=False,
            nullable=False,
            comment="Increases over all feeds; marts compare it with their watermark.",
        ),
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("sink", sa.Text(), nullable=False, comment="Sink."),
        sa.Column("delivery", sa.Text(), nullable=False, comment="Delivery."),
        sa.Column("contract_version", sa.Text(), nullable=False, comment="Contract."),
        sa.Column("converter_version", sa.Integer(), nullable=False, comment="Converter."),
        sa.Column("arrival", sa.BigInteger(), nullable=False, comment="Fence: arrival."),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="Fence: attempt."),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Rows that the sink holds of the partition."),
        sa.Column("hash", sa.Text(), nullable=False, comment="Partition hash of those rows."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When the sink was made to hold it."),
        sa.Column(
            "noted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When the ledger heard of it.",
        ),
        sa.PrimaryKeyConstraint("number", name="publications_pkey"),
        schema="shp",
        comment="Every publication in every sink.",
    )
    op.create_index("publications_feed_delivery_idx", "publications", ["feed", "delivery"], schema="shp")
    op.create_index("publications_feed_partition_number_idx", "publications", ["feed", "partition", "number"], schema="shp")
    op.create_table(
        "sinks",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("sink", sa.Text(), nullable=False, comment="Sink: warehouse, lake."),
        sa.Column("intended_delivery", sa.Text(), nullable=False, comment="Delivery that the sink is to hold."),
        sa.Column("intended_contract_version", sa.Text(), nullable=False, comment="Contract of the intended publication."),
        sa.Column("intended_converter_version", sa.Integer(), nullable=False, comment="Converter of the intended publication."),
        sa.Column("intended_arrival", sa.BigInteger(), nullable=False, comment="Fence of the intention: arrival."),
        sa.Column("intended_attempt", sa.Integer(), nullable=False, comment="Fence of the intention: attempt."),
        sa.Column(
            "intended_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was noted, before the sink was touched.",
        ),
        sa.Column("publication", sa.BigInteger(), nullable=True, comment="What the sink was last made to hold; null until then."),
        sa.PrimaryKeyConstraint("feed", "partition", "sink", name="sinks_pkey"),
        schema="shp",
        comment="What each sink is to hold of a partition, and what it was last made to hold.",
    )
    op.create_table(
        "sources",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("uri", sa.Text(), nullable=False, comment="Where the source lies."),
        sa.Column("name", sa.Text(), nullable=False, comment="File name."),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes when last seen."),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False, comment="Modification time when last seen, nanoseconds since 1970."),
        sa.Column("inode", sa.Numeric(precision=20, scale=0), nullable=False, comment="Inode when last seen, 0 where there is none."),
        sa.Column("etag", sa.Text(), nullable=False, comment="ETag when last seen, empty where there is none."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition it belongs to."),
        sa.Column("arrival", sa.BigInteger(), nullable=False, comment="The arrival that this stat is of."),
        sa.PrimaryKeyConstraint("feed", "uri", name="sources_pkey"),
        schema="shp",
        comment="Each source as it was last seen; a difference is an arrival.",
    )
    op.create_table(
        "transitions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Order of the moves."),
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("partition", sa.Text(), nullable=False, comment="Partition key."),
        sa.Column("old", sa.Text(), nullable=True, comment="State before; null for the first."),
        sa.Column("new", sa.Text(), nullable=False, comment="State after."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Version of the partition's row after the move."),
        sa.Column("arrival", sa.BigInteger(), nullable=True, comment="The newest arrival then."),
        sa.Column("delivery", sa.Text(), nullable=True, comment="The delivery that the state was about."),
        sa.Column("code", sa.Text(), nullable=True, comment="Why, a stable code."),
        sa.Column("message", sa.Text(), nullable=True, comment="Why, for people."),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False, comment="When."),
        sa.PrimaryKeyConstraint("id", name="transitions_pkey"),
        schema="shp",
        comment="Every move of every partition.",
    )
    op.create_index("transitions_feed_partition_id_idx", "transitions", ["feed", "partition", "id"], schema="shp")
