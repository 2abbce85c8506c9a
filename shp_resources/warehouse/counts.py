"""How many rows of each partition stand in the tables now, and how many stand aside: in one query for all partitions.

Later publications displace rows, and let them move back. Must not live here: hashes (`readback`).
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.gaps import Content
from shp_resources.warehouse.tables import table_columns
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


def content_now(cur: cursor, target: Target) -> dict[str, Content]:
    """What the warehouse's own records say of a feed, with the rows that stand there now; partitions without a record are left out.

    Args:
        cur: a transaction of one snapshot.
        target: the feed's tables, which need not be made yet.
    """
    loaded, record = table_columns(cur, ("warehouse", target.table), ("shp_pub", "publications"))
    if not record:
        return {}
    counts, aside = _loaded_now(cur, target) if loaded else {}, displaced_now(cur, target)
    cur.execute(
        "SELECT partition, delivery, contract_version, converter_version, hash FROM shp_pub.publications WHERE feed = %s", (target.feed,)
    )
    return {
        key: Content((delivery, contract, converter), counts.get(key, 0) + aside.get(key, 0), digest)
        for key, delivery, contract, converter, digest in cur.fetchall()
    }


def _loaded_now(cur: cursor, target: Target) -> dict[str, int]:
    cur.execute(sql.SQL("SELECT _partition, count(*) FROM {} GROUP BY _partition").format(target.loaded))
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
