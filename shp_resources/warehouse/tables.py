"""Schemas and tables: made when they are missing, widened when the contract grew, refused when it turned.

A new column is added nullable and a type is widened by itself; anything else is a person's decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.codes import Code
from shp_core.contract.contract import ContractColumn
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.warehouse.target import Target, names, sql_type

_PUBLICATIONS = """
CREATE SCHEMA IF NOT EXISTS warehouse;
CREATE SCHEMA IF NOT EXISTS quarantine;
CREATE SCHEMA IF NOT EXISTS mart;
CREATE SCHEMA IF NOT EXISTS shp_pub;
COMMENT ON SCHEMA warehouse IS 'Trusted rows: whole partitions, published in one transaction each';
COMMENT ON SCHEMA quarantine IS 'Rejected rows with their place, texts and reasons';
COMMENT ON SCHEMA mart IS 'Roll-ups that know what is missing';
COMMENT ON SCHEMA shp_pub IS 'What the warehouse holds: publications, fences, displaced rows';
CREATE TABLE IF NOT EXISTS shp_pub.fences (
    feed text NOT NULL, partition text NOT NULL, arrival bigint NOT NULL, attempt integer NOT NULL,
    PRIMARY KEY (feed, partition));
COMMENT ON TABLE shp_pub.fences IS 'The newest (arrival, attempt) that published a partition; older ones are refused';
CREATE TABLE IF NOT EXISTS shp_pub.publications (
    number bigint GENERATED ALWAYS AS IDENTITY, feed text NOT NULL, partition text NOT NULL,
    delivery text NOT NULL, contract_version text NOT NULL, converter_version integer NOT NULL,
    columns text[] NOT NULL, rows_loaded bigint NOT NULL, rows_displaced bigint NOT NULL, rows_rejected bigint NOT NULL,
    hash text NOT NULL, published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (feed, partition));
CREATE INDEX IF NOT EXISTS publications_delivery ON shp_pub.publications (feed, delivery);
COMMENT ON TABLE shp_pub.publications IS 'What the warehouse holds of each partition';
COMMENT ON COLUMN shp_pub.publications.rows_loaded IS 'Rows in the table when it was published; later publications may displace some';
COMMENT ON COLUMN shp_pub.publications.hash IS 'Partition hash of loaded and displaced rows, 32 hexadecimal digits';
"""

_WIDER = {"integer": ("bigint", "numeric"), "bigint": ("numeric",)}
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


def ensure_schemas(cur: cursor) -> None:
    """Make the schemas and the platform's own tables, if they are not there."""
    cur.execute("SELECT to_regclass('shp_pub.publications')")
    if cur.fetchone() == (None,):
        cur.execute("SELECT pg_advisory_xact_lock(hashtext('shp.schemas'), 0)")
        cur.execute(_PUBLICATIONS)


def ensure_tables(cur: cursor, target: Target) -> None:
    """Make or widen a feed's tables; the caller holds the feed's lock.

    Raises:
        Fault: `table_mismatch`, naming columns and types.
    """
    existing = _columns(cur, "warehouse", target.table)
    if not existing:
        _create(cur, target)
        return
    _refuse_other_key(cur, target)
    schemas = [("warehouse", target.table)]
    if target.contract.key:
        schemas.append(("shp_pub", target.displaced_name))
    for schema, table in schemas:
        for statement in _changes(target, schema, table, _columns(cur, schema, table)):
            cur.execute(statement)


def _create(cur: cursor, target: Target) -> None:
    columns = [_definition(column) for column in target.contract.columns]
    place = [sql.SQL("_partition text NOT NULL"), sql.SQL("_delivery text NOT NULL"), sql.SQL("_row integer NOT NULL")]
    body = sql.SQL(", ").join([*columns, *place, sql.SQL("PRIMARY KEY ({})").format(names(target.key))])
    cur.execute(sql.SQL("CREATE TABLE {} ({})").format(target.loaded, body))
    if target.contract.key:
        cur.execute(sql.SQL("CREATE INDEX ON {} (_partition)").format(target.loaded))
        _create_displaced(cur, target, columns, place)
    _create_rejects(cur, target)
    _comment(cur, target)


def _create_displaced(cur: cursor, target: Target, columns: list[sql.Composed], place: list[sql.SQL]) -> None:
    key = sql.SQL("PRIMARY KEY ({}, _partition)").format(names(target.key))
    body = sql.SQL(", ").join([*columns, *place, sql.SQL("_winner text NOT NULL"), key])
    cur.execute(sql.SQL("CREATE TABLE {} ({})").format(target.displaced, body))
    cur.execute(sql.SQL("CREATE INDEX ON {} (_partition)").format(target.displaced))
    words = f"Clean rows of feed {target.feed} whose key belongs to the partition in _winner"
    cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(target.displaced, sql.Literal(words)))


def _create_rejects(cur: cursor, target: Target) -> None:
    cur.execute(
        sql.SQL(
            "CREATE TABLE {table} (_partition text NOT NULL, _delivery text NOT NULL, _row integer NOT NULL, codes text[] NOT NULL, "
            "reasons jsonb NOT NULL, kinds text NOT NULL, texts text[] NOT NULL, PRIMARY KEY (_partition, _row))"
        ).format(table=target.rejects)
    )
    words = f"Rejected rows of feed {target.feed}: sheet row, reason codes, the cells' texts as they stood in the sheet"
    cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(target.rejects, sql.Literal(words)))


def _comment(cur: cursor, target: Target) -> None:
    cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(target.loaded, sql.Literal(target.description or f"Feed {target.feed}")))
    comments = {column.name: column.description or f"Column '{column.header}' of the sheet" for column in target.contract.columns}
    comments |= {
        "_partition": "The partition that the row belongs to",
        "_delivery": "SHA-256 of the delivery that the partition shows",
        "_row": "The row's number in the sheet",
    }
    for name, words in comments.items():
        cur.execute(_comment_on(target, name, words))


def _comment_on(target: Target, name: str, words: str) -> sql.Composed:
    place = sql.Identifier("warehouse", target.table, name)
    return sql.SQL("COMMENT ON COLUMN {} IS {}").format(place, sql.Literal(words))


def _columns(cur: cursor, schema: str, table: str) -> dict[str, str]:
    """Names and types as PostgreSQL writes them."""
    cur.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = to_regclass(%s)"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (f'"{schema}"."{table}"',),
    )
    return dict(cur.fetchall())


def _changes(target: Target, schema: str, table: str, existing: dict[str, str]) -> Iterator[sql.Composed]:
    place = sql.Identifier(schema, table)
    for column in target.contract.columns:
        wanted, found = sql_type(column), existing.get(column.name)
        if found is None:
            yield sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(place, _definition(column))
        elif found != wanted and not _holds(found, wanted):
            _refuse_narrowing(target, column, found, wanted)
            yield sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(place, sql.Identifier(column.name), sql.SQL(wanted))


def _holds(found: str, wanted: str) -> bool:
    """Whether a column of the found type already holds every value of the wanted one, unchanged."""
    if wanted in ("integer", "bigint"):
        return found == "bigint"
    had, want = _NUMERIC.fullmatch(found), _NUMERIC.fullmatch(wanted)
    # Another scale would print other digits than the contract's, and hashes would differ.
    return bool(had and want and had[2] == want[2] and int(had[1]) >= int(want[1]))


def _refuse_narrowing(target: Target, column: ContractColumn, found: str, wanted: str) -> None:
    if found == "integer" and wanted == "bigint":
        return
    had, want = _NUMERIC.fullmatch(found), _NUMERIC.fullmatch(wanted)
    if had and want and had[2] == want[2]:
        return
    raise _mismatch(f"warehouse.{target.table}.{column.name} is {found}, the feed now says {wanted}")


def _refuse_other_key(cur: cursor, target: Target) -> None:
    cur.execute(
        "SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indisprimary AND i.indrelid = to_regclass(%s)",
        (f'"warehouse"."{target.table}"',),
    )
    row = cur.fetchone()
    found = row[0] if row else None
    if not found or set(found) != set(target.key):
        raise _mismatch(f"warehouse.{target.table} has the key {found or 'none'}, the feed now says {list(target.key)}")


def _mismatch(message: str) -> Fault:
    return Fault(
        Code.TABLE_MISMATCH,
        f"{message}; this is not changed by itself.",
        Evidence(system="warehouse", text=message[:300]),
        "Take the change back, give the feed another table, or change the table by hand.",
    )


def _definition(column: ContractColumn) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(sql_type(column)))
