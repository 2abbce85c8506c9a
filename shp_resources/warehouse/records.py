"""The warehouse's own record of all feeds: what it holds of each partition, and under which fence it was made to.

From this a ledger learns what happened after the moment it was restored to. Must not live here: rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor

_THERE = "SELECT to_regclass('shp_pub.publications') IS NOT NULL AND to_regclass('shp_pub.fences') IS NOT NULL"
_RECORDS = (
    "SELECT p.feed, p.partition, p.delivery, p.contract_version, p.converter_version, p.rows_loaded, p.rows_displaced, p.rows_rejected,"
    " p.hash, p.published_at, f.arrival, f.attempt"
    " FROM shp_pub.publications p JOIN shp_pub.fences f USING (feed, partition) ORDER BY f.arrival, f.attempt"
)


@dataclass(frozen=True)
class Record:
    """What the warehouse says that it holds of a partition.

    Args:
        feed: feed.
        partition: partition key.
        delivery: SHA-256 of the bytes.
        contract_version: contract that judged them.
        converter_version: converter that converted them.
        loaded: rows in the table when it was published.
        displaced: clean rows whose key belonged to another partition then.
        rejected: rejects.
        hash: partition hash of loaded and displaced rows.
        at: when it was published.
        arrival: fence: arrival.
        attempt: fence: attempt.
    """

    feed: str
    partition: str
    delivery: str
    contract_version: str
    converter_version: int
    loaded: int
    displaced: int
    rejected: int
    hash: str
    at: datetime
    arrival: int
    attempt: int


def all_records(cur: cursor) -> list[Record]:
    """The records of all feeds, oldest fence first."""
    cur.execute(_THERE)
    if cur.fetchone() != (True,):
        return []
    cur.execute(_RECORDS)
    return [Record(*row) for row in cur.fetchall()]
