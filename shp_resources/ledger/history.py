"""History: everything the ledger knows of one partition, in order of time.

Must not live here: writing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shp_resources.ledger.tables import arrivals, attempts, deliveries, publications, transitions
from shp_resources.ledger.transactions import Transactions

_BEGUN = ("number", "arrival", "run_id", "host", "pid", "via", "way")
_ENDED = ("number", "arrival", "run_id", "way", "step", "outcome", "code", "kind", "cause", "verdict", "due_at", "evidence", "message")

# (what, table, its time, the columns told); the order decides between events of the same instant.
_EVENTS: tuple[tuple[str, sa.Table, str, tuple[str, ...]], ...] = (
    ("arrival", arrivals, "at", ("number", "uri", "name", "size", "via", "delivery")),
    ("delivery", deliveries, "at", ("delivery", "size", "arrival")),
    ("attempt", attempts, "started_at", _BEGUN),
    ("transition", transitions, "at", ("old", "new", "arrival", "delivery", "code", "message")),
    ("publication", publications, "at", ("number", "sink", "delivery", "contract_version", "converter_version", "rows", "hash")),
    ("attempt_end", attempts, "ended_at", _ENDED),
)


def history(transactions: Transactions, feed: str, partition: str) -> list[dict[str, Any]]:
    """Every arrival, delivery, attempt, transition and publication of a partition, oldest first.

    Args:
        transactions: of the ledger.
        feed: feed.
        partition: partition key.

    Returns:
        Events `{"at": datetime in UTC, "what": …, …}`; fields that say nothing are left out. An attempt is told twice,
        as `attempt` when it began and as `attempt_end` with its verdict.
    """
    with transactions.begin() as connection:
        events = [event for kind in _EVENTS for event in _events(connection, feed, partition, *kind)]
    return sorted(events, key=lambda event: event["at"])


def _events(
    connection: sa.Connection, feed: str, partition: str, what: str, table: sa.Table, at: str, columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    here = (table.c.feed == feed, table.c.partition == partition, table.c[at].is_not(None))
    query = sa.select(table.c[at].label("at"), *(table.c[name] for name in columns)).where(*here)
    rows = connection.execute(query.order_by(table.c[at], *table.primary_key.columns))
    return [_event(what, row._asdict()) for row in rows]


def _event(what: str, values: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in values.items() if value is not None and value != {}}
    return {"at": told.pop("at"), "what": what, **told}
