"""Placeholders: records of which partition stands in for a late one, the view that shows them, and what ends them.

No row is stored for a placeholder: base tables hold what was delivered. The view `warehouse.<table>_filled` shows the rows of
the partition that stands in under the late one's key, marked `_is_placeholder`. Must not live here: which one stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_resources.roles import as_owner
from shp_resources.warehouse.tables import table_columns
from shp_resources.warehouse.target import Target

IS_PLACEHOLDER = "_is_placeholder"
_NUMERIC = ("integer", "bigint", "decimal", "money")


@dataclass(frozen=True)
class Reconciled:
    """A real delivery took the place of what stood in for it.

    Args:
        source: the partition that stood in, or the fallback.
        rows: rows that stood in, and rows that came.
        sums: the same two sums for each numeric column.
    """

    source: str
    rows: tuple[int, int]
    sums: dict[str, tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """What the UI shows."""
        columns = {name: {"placeholder": before, "delivered": after} for name, (before, after) in self.sums.items()}
        return {"placeholder_of": self.source, "rows": {"placeholder": self.rows[0], "delivered": self.rows[1]}, "sums": columns}


def set_placeholders(cur: cursor, target: Target, wanted: Mapping[str, str]) -> None:
    """Let these partitions stand in, and no others; the caller holds the feed's lock and commits.

    Args:
        cur: the transaction.
        target: the feed's tables.
        wanted: by late partition, the one that stands in.
    """
    ensure_view(cur, target)
    cur.execute("DELETE FROM shp_pub.placeholders WHERE feed = %s", (target.feed,))
    rows = [(target.feed, partition, source) for partition, source in sorted(wanted.items())]
    cur.executemany("INSERT INTO shp_pub.placeholders (feed, partition, source) VALUES (%s, %s, %s)", rows)


@dataclass(frozen=True)
class Standing:
    """Rows of a partition that came from a fallback.

    Args:
        source: where they came from.
        sums: their number, and the sum of each numeric column.
    """

    source: str
    sums: tuple[Any, ...]


def standing(cur: cursor, target: Target, partition: str, source: str | None) -> Standing | None:
    """What stands there before the source's own delivery is published in this transaction; None where no fallback stood in."""
    if source is None or not table_columns(cur, ("warehouse", target.table))[0]:
        return None
    return Standing(source, _sums(cur, target, _numeric(target), partition))


def reconcile(cur: cursor, target: Target, partition: str, stood: Standing | None = None) -> Reconciled | None:
    """End what stood in for a partition that was published in this transaction; how the two differ, None where nothing did.

    Args:
        cur: the transaction.
        target: the feed's tables.
        partition: what was published.
        stood: the rows of a fallback that stood there before.
    """
    cur.execute("DELETE FROM shp_pub.placeholders WHERE feed = %s AND partition = %s RETURNING source", (target.feed, partition))
    row = cur.fetchone()
    columns = _numeric(target)
    lent = Standing(row[0], _sums(cur, target, columns, row[0])) if row is not None else stood
    if lent is None:
        return None
    after = _sums(cur, target, columns, partition)
    sums = {name: (str(old), str(new)) for name, old, new in zip(columns, lent.sums[1:], after[1:], strict=True)}
    return Reconciled(lent.source, (lent.sums[0], after[0]), sums)


def _numeric(target: Target) -> list[str]:
    return [column.name for column in target.contract.columns if column.type in _NUMERIC]


def _sums(cur: cursor, target: Target, columns: list[str], partition: str) -> tuple[Any, ...]:
    sums = [sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(name)) for name in columns]
    asked = sql.SQL(", ").join([sql.SQL("count(*)"), *sums])
    cur.execute(sql.SQL("SELECT {} FROM {} WHERE _partition = %s").format(asked, target.loaded), (partition,))
    row: tuple[Any, ...] = cur.fetchone() or ()
    return row


def ensure_view(cur: cursor, target: Target) -> bool:
    """Make the view, anew where the table has other columns by now; False while there is no table."""
    table, view = table_columns(cur, ("warehouse", target.table), ("warehouse", target.filled_name))
    if table and list(view) != [*table, IS_PLACEHOLDER]:
        with as_owner(cur):
            cur.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(target.filled))
            cur.execute(_view(target, list(table)))
    return bool(table)


def _view(target: Target, columns: list[str]) -> sql.Composable:
    own = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in columns)
    lent = sql.SQL(", ").join(
        sql.SQL("p.partition AS _partition") if name == "_partition" else sql.SQL("t.{}").format(sql.Identifier(name)) for name in columns
    )
    statement = (
        "CREATE VIEW {view} AS SELECT {own}, false AS {mark} FROM {table} t"
        " UNION ALL SELECT {lent}, true FROM {table} t JOIN shp_pub.placeholders p ON p.feed = {feed} AND p.source = t._partition"
    )
    named = {"view": target.filled, "own": own, "lent": lent, "table": target.loaded, "mark": sql.Identifier(IS_PLACEHOLDER)}
    return sql.SQL(statement).format(**named, feed=sql.Literal(target.feed))
