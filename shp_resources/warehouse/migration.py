"""What a feed's tables need that is not done by itself, as SQL that a person reads and lets be applied.

A column of another type is converted where PostgreSQL can, a column that the feed has no more is dropped, another key
replaces the old one. What the warehouse holds was made under the old contract, so its records are forgotten: every partition
is published anew from its artefacts, and readers keep the rows until then.
Must not live here: new columns and widened types, which are made by themselves (`tables`).
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.errors import UsageError
from shp_resources.warehouse.tables import Columns, differs, primary_key, table_columns, vanished_columns
from shp_resources.warehouse.target import Target, names, sql_type


def plan(cur: cursor, target: Target) -> list[str]:
    """The statements that make a feed's tables fit, in order; none where nothing is in the way.

    Args:
        cur: on the warehouse.
        target: the feed.
    """
    loaded, displaced = table_columns(cur, ("warehouse", target.table), ("shp_pub", target.displaced_name))
    if not loaded:
        return []
    rekeyed = set(primary_key(cur, target)) != set(target.key)
    steps = [*_key_dropped(cur, target), *([] if not displaced else [sql.SQL("DROP TABLE {}").format(target.displaced)])] if rekeyed else []
    vanished = vanished_columns(cur, target, loaded)
    steps += _columns(target, target.loaded, loaded, vanished)
    if displaced and not rekeyed:
        steps += _columns(target, target.displaced, displaced, vanished)
    if rekeyed:
        steps.append(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(target.loaded, names(target.key)))
        steps.append(sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (_partition)").format(_index(target), target.loaded))
    if steps:
        steps.append(sql.SQL("DELETE FROM shp_pub.publications WHERE feed = {}").format(sql.Literal(target.feed)))
    return [step.as_string(cur) for step in steps]


def apply(cur: cursor, steps: list[str]) -> None:
    """Make the changes, in the caller's transaction.

    Args:
        cur: on the warehouse.
        steps: of `plan`.

    Raises:
        UsageError: PostgreSQL refuses one; nothing is changed then.
    """
    for step in steps:
        try:
            cur.execute(step)
        except (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.ProgrammingError, psycopg2.NotSupportedError) as error:
            primary = type(error).__name__  # the server's words quote values
            raise UsageError(
                f"PostgreSQL refuses ({error.pgcode}, {primary}): {step}",
                "Give the feed another table (sinks: {warehouse: {table: …}}), or change the table by hand.",
            ) from error


def _columns(target: Target, place: sql.Composable, existing: Columns, vanished: list[str]) -> Iterator[sql.Composable]:
    for column in target.contract.columns:
        found, wanted = existing.get(column.name), sql_type(column)
        if found is not None and differs(found, wanted):
            name, kind = sql.Identifier(column.name), sql.SQL(wanted)
            yield sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {} USING {}::{}").format(place, name, kind, name, kind)
    for name_ in vanished:
        if name_ in existing:
            yield sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(place, sql.Identifier(name_))


def _key_dropped(cur: cursor, target: Target) -> Iterator[sql.Composable]:
    cur.execute("SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = to_regclass(%s)", (f'"warehouse"."{target.table}"',))
    for (name,) in cur.fetchall():
        yield sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(target.loaded, sql.Identifier(name))


def _index(target: Target) -> sql.Identifier:
    return sql.Identifier(f"{target.table[:45]}__partition_idx")
