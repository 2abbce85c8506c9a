"""Schemas and tables: made when they are missing, widened when the contract grew, refused when it turned.

A new column is added nullable and a type is widened by itself; anything else is a person's decision. What somebody
dropped by hand is made anew, and the records of what went with it are forgotten, so that it is published again.
Must not live here: rows.
"""

from __future__ import annotations

import re

from psycopg2 import errors, sql
from psycopg2.extensions import cursor

from shp_core.codes import Code
from shp_core.contract.contract import ContractColumn
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.roles import as_owner
from shp_resources.warehouse.target import PLACE, Target, names, sql_type

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
CREATE TABLE IF NOT EXISTS shp_pub.placeholders (
    feed text NOT NULL, partition text NOT NULL, source text NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (feed, partition));
COMMENT ON TABLE shp_pub.placeholders IS 'Which partition stands in for a late one in the view warehouse.<table>_filled';
CREATE INDEX IF NOT EXISTS publications_delivery ON shp_pub.publications (feed, delivery);
COMMENT ON TABLE shp_pub.publications IS 'What the warehouse holds of each partition';
COMMENT ON COLUMN shp_pub.publications.rows_loaded IS 'Rows in the table when it was published; later publications may displace some';
COMMENT ON COLUMN shp_pub.publications.hash IS 'Partition hash of loaded and displaced rows, 32 hexadecimal digits';
"""

_IN_PLACE = (
    "SELECT to_regclass('shp_pub.publications') IS NOT NULL AND to_regclass('shp_pub.placeholders') IS NOT NULL"
    " AND to_regclass('shp_pub.fences') IS NOT NULL"
    " AND to_regnamespace('warehouse') IS NOT NULL AND to_regnamespace('quarantine') IS NOT NULL AND to_regnamespace('mart') IS NOT NULL"
)
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
_PLACE = (sql.SQL("_partition text NOT NULL"), sql.SQL("_delivery text NOT NULL"), sql.SQL("_row integer NOT NULL"))
_PLACE_COMMENTS = {
    "_partition": "The partition that the row belongs to",
    "_delivery": "SHA-256 of the delivery that the partition shows",
    "_row": "The row's number in the sheet",
}

Columns = dict[str, str]
"""Names and types of a table's columns, as PostgreSQL writes them; empty: there is no such table."""


def ensure_schemas(cur: cursor) -> None:
    """Make the schemas and the platform's own tables, if they are not there; commits what it makes.

    Whoever makes them holds locks that publishers wait for; kept until the end of a publication, which waits for its
    feed's lock, they would make a deadlock.
    """
    if _in_place(cur):
        return
    cur.execute("SELECT pg_advisory_xact_lock(hashtext('shp.schemas'), 0)")
    if not _in_place(cur):
        cur.execute(_PUBLICATIONS)
    cur.connection.commit()


def _in_place(cur: cursor) -> bool:
    cur.execute(_IN_PLACE)
    return cur.fetchone() == (True,)


def ensure_tables(cur: cursor, target: Target) -> None:
    """Make or widen a feed's tables; the caller holds the feed's lock.

    Raises:
        Fault: `table_mismatch`, naming columns and types.
    """
    with as_owner(cur):
        _ensure_tables(cur, target)


def _ensure_tables(cur: cursor, target: Target) -> None:
    loaded, displaced, rejects = table_columns(
        cur, ("warehouse", target.table), ("shp_pub", target.displaced_name), ("quarantine", target.table)
    )
    if loaded:
        _refuse_other_key(cur, target)
        _refuse_vanished(cur, target, loaded)
        _change(cur, target, "warehouse", target.table, loaded)
    else:
        _create_loaded(cur, target)
    if target.contract.key:
        _ensure_displaced(cur, target, displaced if loaded else {})
    if not rejects:
        _create_rejects(cur, target)
    _comment(cur, target)


def tables_stand(cur: cursor, target: Target) -> bool:
    """Whether `ensure_tables` would change nothing; changes nothing itself, so the feed's lock may be shared.

    Raises:
        Fault: `table_mismatch`, naming columns and types.
    """
    places = [("warehouse", target.table), ("quarantine", target.table)]
    places += [("shp_pub", target.displaced_name)] if target.contract.key else []
    loaded, rejects, *displaced = table_columns(cur, *places)
    if not (loaded and rejects and all(displaced)):
        return False
    _refuse_other_key(cur, target)
    _refuse_vanished(cur, target, loaded)
    same = all(_fits(target, columns) for columns in (loaded, *displaced))
    return same and not any(_missing_comments(cur, target))


def table_columns(cur: cursor, *tables: tuple[str, str]) -> list[Columns]:
    """The columns of some tables, each given as schema and name."""
    cur.execute(
        "SELECT t.number, a.attname, format_type(a.atttypid, a.atttypmod) FROM unnest(%s::text[]) WITH ORDINALITY AS t(place, number)"
        " JOIN pg_attribute a ON a.attrelid = to_regclass(t.place) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.number, a.attnum",
        ([f'"{schema}"."{table}"' for schema, table in tables],),
    )
    found: list[Columns] = [{} for _ in tables]
    for number, name, kind in cur.fetchall():
        found[number - 1][name] = kind
    return found


def _create_loaded(cur: cursor, target: Target) -> None:
    """Make the table; if there was one, nothing that is recorded of it stands any longer."""
    body = sql.SQL(", ").join([*_definitions(target), *_PLACE, sql.SQL("PRIMARY KEY ({})").format(names(target.key))])
    cur.execute(sql.SQL("CREATE TABLE {} ({})").format(target.loaded, body))
    if target.contract.key:
        cur.execute(sql.SQL("CREATE INDEX ON {} (_partition)").format(target.loaded))
    cur.execute("DELETE FROM shp_pub.publications WHERE feed = %s", (target.feed,))


def _ensure_displaced(cur: cursor, target: Target, existing: Columns) -> None:
    if existing:
        _change(cur, target, "shp_pub", target.displaced_name, existing)
        return
    cur.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(target.displaced))
    key = sql.SQL("PRIMARY KEY ({}, _partition)").format(names(target.key))
    body = sql.SQL(", ").join([*_definitions(target), *_PLACE, sql.SQL("_winner text NOT NULL"), key])
    cur.execute(sql.SQL("CREATE TABLE {} ({})").format(target.displaced, body))
    cur.execute(sql.SQL("CREATE INDEX ON {} (_partition)").format(target.displaced))
    words = f"Clean rows of feed {target.feed} whose key belongs to the partition in _winner"
    cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(target.displaced, sql.Literal(words)))
    _forget_displaced(cur, target)


def _forget_displaced(cur: cursor, target: Target) -> None:
    """Forget the publications of which some rows stood in the table of displaced rows that is gone."""
    cur.execute(
        sql.SQL(
            "DELETE FROM shp_pub.publications p WHERE feed = %s AND rows_loaded + rows_displaced"
            " <> (SELECT count(*) FROM {} WHERE _partition = p.partition)"
        ).format(target.loaded),
        (target.feed,),
    )


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
    """Let the comments say what the feed file says now."""
    columns, table = _missing_comments(cur, target)
    for name, words in columns.items():
        place = sql.Identifier("warehouse", target.table, name)
        cur.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(place, sql.Literal(words)))
    if table is not None:
        cur.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(target.loaded, sql.Literal(table)))


def _missing_comments(cur: cursor, target: Target) -> tuple[dict[str, str], str | None]:
    """What must be said of columns, and of the table, that is not said yet."""
    wanted = {column.name: column.description or f"Column '{column.header}' of the sheet" for column in target.contract.columns}
    found, found_table = _comments(cur, target)
    words = target.description or f"Feed {target.feed}"
    missing = {name: text for name, text in (wanted | _PLACE_COMMENTS).items() if found.get(name) != text}
    return missing, words if found_table != words else None


def _comments(cur: cursor, target: Target) -> tuple[dict[str, str], str | None]:
    """The comments of the table's columns, and its own."""
    cur.execute(
        "SELECT a.attname, d.description FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid"
        " WHERE d.classoid = 'pg_class'::regclass AND d.objoid = to_regclass(%s)",
        (f'"warehouse"."{target.table}"',),
    )
    found = dict(cur.fetchall())
    return found, found.pop(None, None)


def _fits(target: Target, existing: Columns) -> bool:
    """Whether a table has all columns of the contract, and each holds its values."""
    return all(column.name in existing and _holds(existing[column.name], sql_type(column)) for column in target.contract.columns)


def _change(cur: cursor, target: Target, schema: str, table: str, existing: Columns) -> None:
    """Add and widen columns, or refuse."""
    place = sql.Identifier(schema, table)
    for column in target.contract.columns:
        wanted, found = sql_type(column), existing.get(column.name)
        if found is None:
            cur.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(place, _definition(column)))
        elif not _holds(found, wanted):
            _refuse_narrowing(target, column, found, wanted)
            _widen(cur, target, place, column)


def _widen(cur: cursor, target: Target, place: sql.Identifier, column: ContractColumn) -> None:
    cur.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(target.filled))  # ours, made anew where it is read; it would be in the way
    try:
        cur.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(place, sql.Identifier(column.name), sql.SQL(sql_type(column))))
    except (errors.FeatureNotSupported, errors.DependentObjectsStillExist) as error:
        raise Fault(
            Code.TABLE_MISMATCH,
            f"warehouse.{target.table}.{column.name} must become {sql_type(column)}; in the way stands: {error.diag.message_detail}",
            Evidence(system="warehouse", sqlstate=error.pgcode, text=str(error.diag.message_primary)[:300]),
            "Drop what depends on the column, let the partition be published again, then make it anew.",
        ) from error


def _holds(found: str, wanted: str) -> bool:
    """Whether a column of the found type already holds every value of the wanted one, unchanged."""
    if found == wanted or (found, wanted) == ("bigint", "integer"):
        return True
    had, want = _NUMERIC.fullmatch(found), _NUMERIC.fullmatch(wanted)
    # Another scale would print other digits than the contract's, and hashes would differ.
    return bool(had and want and had[2] == want[2] and int(had[1]) >= int(want[1]))


def differs(found: str, wanted: str) -> bool:
    """Whether a column of the found type can neither hold the wanted one's values nor be widened to."""
    had, want = _NUMERIC.fullmatch(found), _NUMERIC.fullmatch(wanted)
    widened = (found, wanted) == ("integer", "bigint") or bool(had and want and had[2] == want[2])
    return not _holds(found, wanted) and not widened


def _refuse_narrowing(target: Target, column: ContractColumn, found: str, wanted: str) -> None:
    if not differs(found, wanted):
        return
    raise _mismatch(target.feed, f"warehouse.{target.table}.{column.name} is {found}, the feed now says {wanted}")


def vanished_columns(cur: cursor, target: Target, existing: Columns) -> list[str]:
    """Columns that partitions were published with and the feed has no more; others' columns do no harm."""
    others = [name for name in existing if name not in target.contract.names and name not in PLACE]
    if not others:
        return []
    cur.execute(
        "SELECT DISTINCT name FROM shp_pub.publications, unnest(columns) AS name WHERE feed = %s AND name = ANY(%s) ORDER BY name",
        (target.feed, others),
    )
    return [name for (name,) in cur.fetchall()]


def _refuse_vanished(cur: cursor, target: Target, existing: Columns) -> None:
    vanished = vanished_columns(cur, target, existing)
    if vanished:
        listed = ", ".join(f"{name} ({existing[name]})" for name in vanished)
        raise _mismatch(target.feed, f"warehouse.{target.table} has {listed}, which the feed has no more")


def primary_key(cur: cursor, target: Target) -> list[str]:
    """The columns of the loaded table's primary key."""
    cur.execute(
        "SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indisprimary AND i.indrelid = to_regclass(%s)",
        (f'"warehouse"."{target.table}"',),
    )
    row = cur.fetchone()
    return (row[0] if row else None) or []


def _refuse_other_key(cur: cursor, target: Target) -> None:
    found = primary_key(cur, target)
    if set(found) != set(target.key):
        raise _mismatch(target.feed, f"warehouse.{target.table} has the key {found or 'none'}, the feed now says {list(target.key)}")


def _mismatch(feed: str, message: str) -> Fault:
    return Fault(
        Code.TABLE_MISMATCH,
        f"{message}; this is not changed by itself.",
        Evidence(system="warehouse", text=message[:300]),
        f"Take the change back, give the feed another table, or see what would change: shp feeds migrate {feed}",
    )


def _definitions(target: Target) -> list[sql.Composed]:
    return [_definition(column) for column in target.contract.columns]


def _definition(column: ContractColumn) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(sql_type(column)))
