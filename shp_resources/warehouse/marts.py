"""Marts: roll-ups made anew in one transaction, with a label that says what they know."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.feeds.marts import Mart, Month
from shp_resources.warehouse.target import Target, sql_type


@dataclass(frozen=True)
class MartOutcome:
    """What a refresh read and wrote.

    Args:
        rows: rows of the mart.
        source_rows: rows of the feed's table it was made from.
        partitions: partitions that are published in the table, in order.
    """

    rows: int
    source_rows: int
    partitions: tuple[str, ...]


def refresh(cur: cursor, mart: Mart, target: Target) -> MartOutcome:
    """Replace a mart's rows; readers see the old ones until the caller commits."""
    cur.execute("SELECT pg_advisory_xact_lock(hashtext('shp.mart'), hashtext(%s))", (mart.mart,))
    place = sql.Identifier("mart", mart.mart)
    groups, sums = _groups(mart, target), _sums(mart, target)
    _ensure(cur, mart, place, [*groups, *sums, ("source_rows", sql.SQL("bigint"), sql.SQL("count(*)"))])
    cur.execute("SELECT to_regclass(%s)", (f'"warehouse"."{target.table}"',))
    if cur.fetchone() == (None,):
        return MartOutcome(0, 0, ())
    cur.execute(sql.SQL("DELETE FROM {}").format(place))
    return _fill(cur, target, place, groups, sums)


_Column = tuple[str, sql.Composable, sql.Composable]
"""Name, type, expression."""


def _groups(mart: Mart, target: Target) -> list[_Column]:
    by_header = {column.header: column for column in target.contract.columns}
    columns: list[_Column] = []
    for group in mart.group_by:
        column = by_header[group.month if isinstance(group, Month) else group]
        plain = sql.Identifier(column.name)
        if isinstance(group, Month):
            columns.append((f"{column.name}_month", sql.SQL("date"), sql.SQL("date_trunc('month', {})::date").format(plain)))
        else:
            columns.append((column.name, sql.SQL(sql_type(column)), plain))
    return columns


def _sums(mart: Mart, target: Target) -> list[_Column]:
    by_header = {column.header: column for column in target.contract.columns}
    return [
        (by_header[header].name, sql.SQL("numeric"), sql.SQL("sum({})").format(sql.Identifier(by_header[header].name)))
        for header in mart.sum
    ]


def _ensure(cur: cursor, mart: Mart, place: sql.Identifier, columns: list[_Column]) -> None:
    """Make the mart's table; one of another shape is made anew, for it holds nothing that cannot be made again."""
    cur.execute(
        "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (f'"mart"."{mart.mart}"',),
    )
    (found,) = cur.fetchone() or (None,)
    if found == [name for name, _, _ in columns]:
        return
    cur.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(place))
    body = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), kind) for name, kind, _ in columns)
    cur.execute(sql.SQL("CREATE TABLE {} ({})").format(place, body))
    cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(place, sql.Literal(mart.description or f"Mart {mart.mart}")))


def _fill(cur: cursor, target: Target, place: sql.Identifier, groups: list[_Column], sums: list[_Column]) -> MartOutcome:
    """Rows and label in one statement, so that both are of one moment."""
    columns = [*groups, *sums]
    cur.execute(
        sql.SQL(
            "WITH filled AS (INSERT INTO {place} ({names}, source_rows) SELECT {values}, count(*) FROM {table} GROUP BY {groups}"
            " RETURNING source_rows)"
            " SELECT count(*), coalesce(sum(source_rows), 0)::bigint,"
            ' (SELECT array_agg(partition ORDER BY partition COLLATE "C") FROM shp_pub.publications WHERE feed = {feed}) FROM filled'
        ).format(
            place=place,
            names=sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns),
            values=sql.SQL(", ").join(value for _, _, value in columns),
            table=target.loaded,
            groups=sql.SQL(", ").join(value for _, _, value in groups),
            feed=sql.Literal(target.feed),
        )
    )
    rows, source_rows, partitions = cur.fetchone() or (0, 0, None)
    return MartOutcome(rows, source_rows, tuple(partitions or ()))
