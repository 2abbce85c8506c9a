"""The ledger's tables of troubles: breakers, incidents, and what people were told of them; public SQL like `tables`.

Lives here: what the newest migration must lead to; a test holds the two together.
Must not live here: statements.
"""

from __future__ import annotations

import sqlalchemy as sa

from shp_core.healing.breaker import Phase
from shp_resources.ledger.columns import at, feed, metadata, number, partition, text

breakers = sa.Table(
    "breakers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="Outside system, or system/feed."),
    sa.Column("version", sa.Integer, nullable=False, comment="Counts changes of this row; every change names the one it saw."),
    sa.Column(
        "phase",
        sa.Text,
        sa.CheckConstraint("phase IN ({})".format(", ".join(f"'{phase}'" for phase in Phase)), name="phase"),
        nullable=False,
        comment="What it does with calls: closed lets them through, open keeps them back, half_open waits for a probe.",
    ),
    sa.Column("failures", sa.Integer, nullable=False, comment="Passing failures in a row while it is closed."),
    sa.Column("trips", sa.Integer, nullable=False, comment="How often it was opened since it was last closed."),
    at("opened_at", "When it was opened.", null=True),
    at("probe_at", "From when on a probe may begin.", null=True),
    at("probe_until", "Until when the probe under way may take.", null=True),
    at("closed_at", "When a probe last closed it.", null=True),
    text("code", "Why it was opened, a stable code.", null=True),
    text("message", "Why it was opened, for people.", null=True),
    comment="Breakers before outside systems; one without a row has never failed.",
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Counts incidents."),
    text("cause", "What it is about; one incident at a time."),
    text("severity", "info, warning or critical."),
    text("code", "Stable code."),
    text("message", "What is wrong, for people."),
    at("opened_at", "When it was opened."),
    at("updated_at", "When a member last joined or left."),
    at("closed_at", "When every member was proven healed; null while it is open.", null=True),
    text("proof", "What was read again before it was closed.", null=True),
    sa.Index("incidents_open_idx", "cause", unique=True, postgresql_where=sa.text("closed_at IS NULL")),
    comment="What people are told: one for each cause, opened once, closed by proof.",
)

incident_members = sa.Table(
    "incident_members",
    metadata,
    sa.Column("incident", sa.BigInteger, primary_key=True, autoincrement=False, comment="The incident."),
    feed(),
    partition(),
    at("joined_at", "When the partition was first held for the cause."),
    at("left_at", "When it was seen to be held by the cause no more.", null=True),
    text("outcome", "How it left: healed (the sink was read again), moved (another cause holds it), waived.", null=True),
    sa.Index(None, "feed", "partition"),
    comment="The partitions that an incident is about.",
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Counts letters."),
    text("destination", "Where to: mail:ADDRESS, webhook:NAME or log."),
    text("subject", "One line."),
    text("text", "What it says."),
    at("made_at", "When it was written."),
    sa.Column("tries", sa.Integer, nullable=False, comment="How often its channel was asked to take it."),
    at("next_try_at", "From when on it may be tried again."),
    at("sent_at", "When it was delivered; null: not yet.", null=True),
    at("given_up_at", "When it was too old to help anybody.", null=True),
    text("error", "Why the last try failed.", null=True),
    sa.Index("alerts_waiting_idx", "destination", "id", postgresql_where=sa.text("sent_at IS NULL AND given_up_at IS NULL")),
    comment="Letters to people about incidents, until they are delivered and after.",
)

alert_tellings = sa.Table(
    "alert_tellings",
    metadata,
    sa.Column("incident", sa.BigInteger, primary_key=True, autoincrement=False, comment="The incident."),
    sa.Column("destination", sa.Text, primary_key=True, comment="Who was told."),
    sa.Column("kind", sa.Text, primary_key=True, comment="What was told: opened, reminder or closed."),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="Counts reminders; 0 otherwise."),
    number("alert", "The letter that it stood in."),
    at("at", "When that was written."),
    sa.Index("alert_tellings_at_idx", "at"),
    comment="What was told of which incident to whom; nothing is told twice.",
)
