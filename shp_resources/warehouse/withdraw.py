"""A partition taken out of the tables, as if it had never come: rows, displaced rows, rejects and the record, at once.

Must not live here: who may ask for it, and what the ledger is told.
"""

from __future__ import annotations

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_resources.warehouse import keys
from shp_resources.warehouse.publish import take_fence
from shp_resources.warehouse.target import INCOMING, Target


def withdraw(cur: cursor, target: Target, partition: str, fence: tuple[int, int]) -> None:
    """Take a partition out; keys that it owned go to the best displaced rows. The caller holds the feed's lock alone, and commits.

    Raises:
        Fault: `superseded`, a newer arrival is published.
    """
    take_fence(cur, target, partition, fence)
    if target.contract.key:
        cur.execute(sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT * FROM {} WITH NO DATA").format(INCOMING, target.loaded))
        keys.vacate(cur, target, partition)
    for table in (target.loaded, target.rejects):
        cur.execute(sql.SQL("DELETE FROM {} WHERE _partition = %s").format(table), (partition,))
    for name in ("publications", "placeholders"):
        place = sql.Identifier("shp_pub", name)
        cur.execute(sql.SQL("DELETE FROM {} WHERE feed = %s AND partition = %s").format(place), (target.feed, partition))
