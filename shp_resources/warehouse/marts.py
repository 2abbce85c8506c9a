"""Marts: roll-ups made anew in one transaction, with a label that says what they know.

Must not live here: when a mart is made anew, and what is done while partitions are missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import errors, sql
from psycopg2.extensions import cursor

from shp_core.codes import Code
from shp_core.contract.contract import ContractColumn
from shp_core.errors import Fault
from shp_core.feeds.marts import Mart, Month
from shp_core.feeds.names import MAX_IDENTIFIER_BYTES, clean_header
from shp_core.healing.faults import Evidence
from shp_resources.roles import as_owner
from shp_resources.warehouse.placeholders import ensure_view
from shp_resources.warehouse.tables import Columns, table_columns
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


@dataclass(frozen=True)
class _Column:
    """A column of a mart: its name and type, and the expression over the feed's table."""

    name: str
    type: str
    value: sql.Composable


_MONTH_STEM = MAX_IDENTIFIER_BYTES - len("_month")
_SOURCE_ROWS = _Column("source_rows", "bigint", sql.SQL("count(*)"))


def refresh(cur: cursor, mart: Mart, target: Target) -> MartOutcome:
    """Replace a mart's rows; readers see the old ones until the caller commits.

    Raises:
        Fault: `table_mismatch`: the mart must get another shape, but something else in the database depends on it.
    """
    cur.execute("SELECT pg_advisory_xact_lock(hashtext('shp.mart'), hashtext(%s))", (mart.mart,))
    place = sql.Identifier("mart", mart.mart)
    existing, source = table_columns(cur, ("mart", mart.mart), ("warehouse", target.table))
    groups = _groups(mart, target, source)
    columns = [*groups, *_sums(mart, target, source), _SOURCE_ROWS]
    with as_owner(cur):
        _ensure(cur, mart, place, columns, existing)
    cur.execute(sql.SQL("DELETE FROM {}").format(place))
    return _fill(cur, mart, target, place, columns, len(groups)) if source else MartOutcome(0, 0, ())


def _groups(mart: Mart, target: Target, source: Columns) -> list[_Column]:
    return [_group(group, target, source) for group in mart.group_by]


def _group(group: str | Month, target: Target, source: Columns) -> _Column:
    if not isinstance(group, Month):
        column = _column(target, group)
        return _Column(column.name, sql_type(column), _plain(column, source))
    column = _column(target, group.month)
    month = sql.SQL("date_trunc('month', {}::timestamp)::date").format(_plain(column, source))
    return _Column(f"{column.name[:_MONTH_STEM]}_month", "date", month)


def _sums(mart: Mart, target: Target, source: Columns) -> list[_Column]:
    columns = [_column(target, header) for header in mart.sum]
    return [_Column(column.name, "numeric", sql.SQL("sum({})").format(_plain(column, source))) for column in columns]


def _column(target: Target, header: str) -> ContractColumn:
    return next(column for column in target.contract.columns if column.header == clean_header(header))


def _plain(column: ContractColumn, source: Columns) -> sql.Composable:
    """The column; one that the feed has gained since its last publication is empty so far."""
    return sql.Identifier(column.name) if column.name in source else sql.SQL(f"NULL::{sql_type(column)}")


def _ensure(cur: cursor, mart: Mart, place: sql.Identifier, columns: list[_Column], existing: Columns) -> None:
    """Make the mart's table; one of another shape is made anew, for it holds nothing that cannot be made again."""
    if list(existing.items()) != [(column.name, column.type) for column in columns]:
        _drop(cur, mart, place)
        body = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in columns)
        cur.execute(sql.SQL("CREATE TABLE {} ({})").format(place, body))
    cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(place, sql.Literal(mart.description or f"Mart {mart.mart}")))


def _drop(cur: cursor, mart: Mart, place: sql.Identifier) -> None:
    try:
        cur.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(place))
    except errors.DependentObjectsStillExist as error:
        raise Fault(
            Code.TABLE_MISMATCH,
            f"mart.{mart.mart} must be made anew with other columns; in the way stands: {error.diag.message_detail}",
            Evidence(system="warehouse", sqlstate=error.pgcode, text=str(error.diag.message_primary)[:300]),
            "Drop what depends on the mart, let it be refreshed again, then make it anew.",
        ) from error


def _fill(cur: cursor, mart: Mart, target: Target, place: sql.Identifier, columns: list[_Column], groups: int) -> MartOutcome:
    """Rows and label in one statement, so that both are of one moment."""
    if mart.placeholders:
        ensure_view(cur, target)
    cur.execute(
        sql.SQL(
            "WITH filled AS (INSERT INTO {place} ({names}) SELECT {values} FROM {table} GROUP BY {groups} RETURNING source_rows)"
            " SELECT count(*), coalesce(sum(source_rows), 0)::bigint,"
            ' (SELECT array_agg(partition ORDER BY partition COLLATE "C") FROM shp_pub.publications WHERE feed = {feed}) FROM filled'
        ).format(
            place=place,
            names=sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            values=sql.SQL(", ").join(column.value for column in columns),
            table=target.filled if mart.placeholders else target.loaded,
            groups=sql.SQL(", ").join(sql.SQL(str(number)) for number in range(1, groups + 1)),
            feed=sql.Literal(target.feed),
        )
    )
    rows, source_rows, partitions = cur.fetchone() or (0, 0, None)
    return MartOutcome(rows, source_rows, tuple(partitions or ()))
