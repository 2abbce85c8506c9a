"""How many clean rows of a partition stand aside now: later publications displace rows, and let them move back.

Must not live here: counts at the time of a publication (its record has them).
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_resources.warehouse.target import Target


def displaced_now(cur: cursor, target: Target) -> dict[str, int]:
    """Displaced rows by partition; partitions without any are left out.

    Args:
        cur: a transaction that may be read-only.
        target: the feed's tables, which need not be made yet.
    """
    cur.execute("SELECT to_regclass(%s)", (f'"shp_pub"."{target.displaced_name}"',))
    if not target.contract.key or cur.fetchone() == (None,):
        return {}
    cur.execute(sql.SQL("SELECT _partition, count(*) FROM {} GROUP BY _partition").format(target.displaced))
    return dict(cur.fetchall())


def present(rows: Mapping[str, int], displaced: int) -> dict[str, int]:
    """A partition's counts as they are now.

    Args:
        rows: counts at the time of its publication; without `loaded` there was none.
        displaced: its rows that stand aside now.
    """
    if "loaded" not in rows:
        return dict(rows)
    return {**rows, "displaced": displaced, "loaded": rows["clean"] - displaced}
