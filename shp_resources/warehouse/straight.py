"""The short way of a publication into its table: copied once, not twice, and beside other partitions of the feed.

Rows usually come in through a table of incoming rows, because it must be known which keys are whose before any of them
is loaded, and no other partition may be published meanwhile. Where nothing of the partition stands and no key of the
feed is contested, there is most likely nothing to settle: the rows are copied to where readers will see them, and the
table's own key tells when that was wrong. Whoever settles keys waits until all these are done.
Must not live here: what is done about a contested key (`keys`).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from psycopg2 import sql
from psycopg2.errors import DeadlockDetected, UniqueViolation
from psycopg2.extensions import cursor

from shp_resources.warehouse import transfer
from shp_resources.warehouse.target import PLACE, Target


class Closed(Exception):
    """Something must be settled with other partitions; the transaction is to be undone, and the long way taken."""


def require_open(cur: cursor, target: Target, standing: tuple[int, int]) -> None:
    """Go on only where nothing seems to be in the way.

    Args:
        cur: in the publication's transaction.
        target: the tables of a feed with a key.
        standing: rows loaded and displaced of the partition.

    Raises:
        Closed: rows of the partition stand, or a key of the feed is contested.
    """
    cur.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(target.displaced))
    if standing != (0, 0) or cur.fetchone() == (True,):
        raise Closed


def copy(cur: cursor, target: Target, partition: str, delivery: str, clean: Iterable[pa.RecordBatch]) -> transfer.Staged:
    """Copy a partition's clean rows into the table that readers use.

    Args:
        cur: in the publication's transaction.
        target: the feed's tables.
        partition: partition key.
        delivery: SHA-256 of the bytes.
        clean: clean rows; gone through once more by whoever takes the long way afterwards.

    Returns:
        What came in.

    Raises:
        Closed: another partition holds one of the keys, or one that is being published waits for a key of this one.
    """
    place = dict(zip(PLACE, (partition, delivery), strict=False))
    try:
        return transfer.copy_clean(cur, target.loaded, (*target.contract.names, "_row"), clean, place)
    except (UniqueViolation, DeadlockDetected):
        raise Closed from None
