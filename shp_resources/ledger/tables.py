"""The ledger's tables of partitions and what comes of them; they are public SQL, so every table and column says what it is.

Lives here: what the newest migration must lead to; a test holds the two together.
Must not live here: statements; breakers, incidents and letters about them (`trouble_tables`).
"""

from __future__ import annotations

import sqlalchemy as sa

from shp_core.states import State
from shp_resources.ledger.columns import (
    INODE,
    at,
    feed,
    json_object,
    metadata,
    now,
    number,
    partition,
    text,
)

arrival_numbers = sa.Sequence("arrival_numbers", metadata=metadata)
publication_numbers = sa.Sequence("publication_numbers", metadata=metadata)

sources = sa.Table(
    "sources",
    metadata,
    feed(),
    sa.Column("uri", sa.Text, primary_key=True, comment="Where the source lies."),
    text("name", "File name."),
    number("size", "Bytes when last seen."),
    number("mtime_ns", "Modification time when last seen, nanoseconds since 1970."),
    sa.Column("inode", INODE, nullable=False, comment="Inode when last seen, 0 where there is none."),
    text("etag", "ETag when last seen, empty where there is none."),
    text("partition", "Partition it belongs to."),
    number("arrival", "The arrival that this stat is of."),
    comment="Each source as it was last seen; a difference is an arrival.",
)

arrivals = sa.Table(
    "arrivals",
    metadata,
    sa.Column(
        "number",
        sa.BigInteger,
        arrival_numbers,
        primary_key=True,
        autoincrement=False,
        server_default=arrival_numbers.next_value(),
        comment="Increases over all feeds; the newest of a partition decides.",
    ),
    text("feed", "Feed."),
    text("partition", "Partition key."),
    text("uri", "Source; null when a person made the arrival.", null=True),
    text("name", "File name.", null=True),
    number("size", "Bytes as seen.", null=True),
    number("mtime_ns", "Modification time as seen, nanoseconds since 1970.", null=True),
    sa.Column("inode", INODE, nullable=True, comment="Inode as seen."),
    text("etag", "ETag as seen.", null=True),
    text("via", "Who saw it: sensor, ingest, rewind, …"),
    text("delivery", "SHA-256 of its bytes; null until they are kept.", null=True),
    now("at", "When it was seen."),
    sa.Index(None, "feed", "partition", "number"),
    comment="A source was seen new or changed.",
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    feed(),
    partition(),
    sa.Column("delivery", sa.Text, primary_key=True, comment="SHA-256 of the bytes."),
    number("size", "Bytes."),
    number("arrival", "The first arrival that brought them."),
    now("at", "When they were first kept."),
    sa.Index(None, "feed", "delivery"),
    comment="Versions of a partition's bytes.",
)

partitions = sa.Table(
    "partitions",
    metadata,
    feed(),
    partition(),
    sa.Column(
        "state",
        sa.Text,
        sa.CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in State)), name="state"),
        nullable=False,
        comment="State of the partition.",
    ),
    sa.Column("version", sa.Integer, nullable=False, comment="Counts changes of this row; every move names the one it saw."),
    text("owner", "Name of the first file under this key.", null=True),
    number("arrival", "The newest arrival.", null=True),
    text("delivery", "The delivery that the state is about.", null=True),
    text("code", "Why it is held, a stable code.", null=True),
    text("message", "Why it is held, for people.", null=True),
    json_object("rows", "Row counts of the delivery."),
    json_object("flags", "What stands beside the state: placeholder_of, reconciled_at, stale."),
    text("contract_version", "Contract that judged the delivery.", null=True),
    sa.Column("converter_version", sa.Integer, nullable=True, comment="Converter that converted the delivery."),
    at("next_attempt_at", "When the next attempt is due.", null=True),
    at("due_at", "When the source is due.", null=True),
    now("updated_at", "Last change."),
    text("cause", "What holds it, as incidents and budgets name it; stays until it is published.", null=True),
    at("armed_at", "When a person last released it; re-drives before that are forgiven.", null=True),
    text("behind", "The sink that the partition is parked for while the warehouse holds it; null: none.", null=True),
    text("limits_version", "Limits of the intake under which the delivery was judged.", null=True),
    sa.Index(None, "feed", "state"),
    sa.Index(None, "next_attempt_at", postgresql_where=sa.text("next_attempt_at IS NOT NULL")),
    comment="Where each partition stands.",
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order of the moves."),
    text("feed", "Feed."),
    text("partition", "Partition key."),
    text("old", "State before; null for the first.", null=True),
    text("new", "State after."),
    sa.Column("version", sa.Integer, nullable=False, comment="Version of the partition's row after the move."),
    number("arrival", "The newest arrival then.", null=True),
    text("delivery", "The delivery that the state was about.", null=True),
    text("code", "Why, a stable code.", null=True),
    text("message", "Why, for people.", null=True),
    now("at", "When."),
    sa.Index(None, "feed", "partition", "id"),
    comment="Every move of every partition.",
)

attempts = sa.Table(
    "attempts",
    metadata,
    feed(),
    partition(),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="Counts the partition's attempts, from 1."),
    number("arrival", "The arrival it works on; (arrival, number) is its fence."),
    text("run_id", "Dagster's run."),
    text("host", "Machine of the worker."),
    sa.Column("pid", sa.Integer, nullable=False, comment="Process of the worker."),
    sa.Column("pid_started", sa.Double, nullable=False, comment="Start of that process, seconds since 1970."),
    text("via", "Who asked for it: sensor, ingest, redrive, ui, …"),
    text("step", "The step it is in or ended in.", null=True),
    now("started_at", "Begin."),
    at("ended_at", "End; null while it is under way or lost.", null=True),
    text("outcome", "How it ended, the state or verdict it led to.", null=True),
    text("code", "What went wrong, a stable code.", null=True),
    text("kind", "Fault kind of the code.", null=True),
    json_object("evidence", "What was seen of the failure."),
    text("message", "What went wrong, for people.", null=True),
    text("cause", "What the failure is counted under.", null=True),
    text("verdict", "What was decided about the failure.", null=True),
    at("due_at", "When the next run is due by that verdict.", null=True),
    sa.Column(
        "way",
        sa.Text,
        nullable=False,
        server_default="etl",
        comment="Which of a partition's two runs: etl (to the warehouse) or elt (to the lake).",
    ),
    sa.UniqueConstraint("run_id", "feed", "partition", "way"),
    sa.Index("attempts_open_idx", "feed", "partition", postgresql_where=sa.text("ended_at IS NULL")),
    comment="Runs of a partition, with their verdicts; the first verdict stands.",
)

leases = sa.Table(
    "leases",
    metadata,
    feed(),
    partition(),
    text("holder", "host:pid:start:run of the worker."),
    at("acquired_at", "Since when."),
    at("expires_at", "Until when, unless it is renewed."),
    comment="One worker per partition.",
)

sinks = sa.Table(
    "sinks",
    metadata,
    feed(),
    partition(),
    sa.Column("sink", sa.Text, primary_key=True, comment="Sink: warehouse, lake."),
    text("intended_delivery", "Delivery that the sink is to hold."),
    text("intended_contract_version", "Contract of the intended publication."),
    sa.Column("intended_converter_version", sa.Integer, nullable=False, comment="Converter of the intended publication."),
    number("intended_arrival", "Fence of the intention: arrival."),
    sa.Column("intended_attempt", sa.Integer, nullable=False, comment="Fence of the intention: attempt."),
    now("intended_at", "When it was noted, before the sink was touched."),
    number("publication", "What the sink was last made to hold; null until then.", null=True),
    at(
        "agreed_at",
        "When both sinks were last read and agreed; null: not since one of them changed.",
        null=True,
    ),
    text("cause", "What holds its run back.", null=True),
    text("code", "Why, a stable code.", null=True),
    text("message", "Why, for people.", null=True),
    at("next_attempt_at", "When its next run is due.", null=True),
    comment="What each sink is to hold of a partition, and what it was last made to hold.",
)

publications = sa.Table(
    "publications",
    metadata,
    sa.Column(
        "number",
        sa.BigInteger,
        publication_numbers,
        primary_key=True,
        autoincrement=False,
        server_default=publication_numbers.next_value(),
        comment="Increases over all feeds; marts compare it with their watermark.",
    ),
    text("feed", "Feed."),
    text("partition", "Partition key."),
    text("sink", "Sink."),
    text("delivery", "Delivery."),
    text("contract_version", "Contract."),
    sa.Column("converter_version", sa.Integer, nullable=False, comment="Converter."),
    number("arrival", "Fence: arrival."),
    sa.Column("attempt", sa.Integer, nullable=False, comment="Fence: attempt."),
    number("rows", "Rows that the sink holds of the partition."),
    text("hash", "Partition hash of those rows."),
    at("at", "When the sink was made to hold it."),
    now("noted_at", "When the ledger heard of it."),
    sa.Index(None, "feed", "partition", "number"),
    sa.Index(None, "feed", "delivery"),
    comment="Every publication in every sink.",
)

mart_watermarks = sa.Table(
    "mart_watermarks",
    metadata,
    sa.Column("mart", sa.Text, primary_key=True, comment="Mart."),
    number("publication", "The newest publication that its data may lack nothing of."),
    now("at", "When it was set."),
    comment="How far each mart has read.",
)

expected_days = sa.Table(
    "expected_days",
    metadata,
    feed(),
    sa.Column("day", sa.Date, primary_key=True, comment="Day, in the feed's time zone."),
    sa.Column("wanted", sa.Integer, nullable=False, comment="How many files are expected."),
    at("due_at", "By when they are to have come."),
    text("waived", "Why nobody waits for the rest; null: it is waited for.", null=True),
    comment="The days of feeds that expect a number of files each day; what came of them is counted from the arrivals.",
)
