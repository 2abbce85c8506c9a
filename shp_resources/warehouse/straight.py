"""The short way of a publication into its table: copied once, not twice.

Rows usually come in through a table of incoming rows, because it must be known which keys are whose before any of them
is loaded. Where nothing of the partition stands and no key of the feed is contested, there is most likely nothing to
settle: the rows are copied to where readers will see them, and the table's own key tells when that was wrong.
Must not live here: what is done about a contested key (`keys`).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from psycopg2 import sql
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor

from shp_resources.warehouse import transfer
from shp_resources.warehouse.target import PLACE, Target


def may_be_tried(cur: cursor, target: Target, standing: tuple[int, int]) -> bool:
    """Whether the short way is worth trying.

    Args:
        cur: in the publication's transaction.
        target: the feed's tables.
        standing: rows loaded and displaced of the partition.
    """
    if standing != (0, 0):
        return False
    if not target.contract.key:
        return True
    cur.execute(sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(target.displaced))
    return cur.fetchone() == (True,)


def copy(cur: cursor, target: Target, partition: str, delivery: str, clean: Iterable[pa.RecordBatch]) -> transfer.Staged | None:
    """Copy a partition's clean rows into the table that readers use.

    Args:
        cur: in the publication's transaction.
        target: the feed's tables.
        partition: partition key.
        delivery: SHA-256 of the bytes.
        clean: clean rows; gone through once more by whoever takes the long way afterwards.

    Returns:
        What came in; None where another partition holds one of the keys: nothing is changed then.
    """
    cur.execute("SAVEPOINT straight")
    place = dict(zip(PLACE, (partition, delivery), strict=False))
    try:
        copied = transfer.copy_clean(cur, target.loaded, (*target.contract.names, "_row"), clean, place)
    except UniqueViolation:
        cur.execute("ROLLBACK TO SAVEPOINT straight")
        return None
    cur.execute("RELEASE SAVEPOINT straight")
    return copied
