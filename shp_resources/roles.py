"""The database's roles with least rights: made, and given what they need of what is there and of what will come.

Must not live here: which process works under which role (`shp_ops.supervisor`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_resources.database import address, translate
from shp_resources.role_access import role_name

TABLES = ("warehouse", "quarantine", "mart", "shp_pub")
"""Schemas that belong to the owner."""

_RECORDS = ("shp", "public")
"""Schemas of the ledger and of Dagster; their tables belong to the role of the address, which changes them in upgrades."""

_LOCK = 0x736870726F6C  # "shprol"
_MAY = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
_OURS = (
    "SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_roles r ON r.oid = c.relowner WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v') AND r.rolname = current_user"
)
_MEMBER = (
    "SELECT rolname FROM pg_roles WHERE rolname = current_database() || '_owner' AND rolname <> current_user"
    " AND pg_has_role(current_user, oid, 'MEMBER') AND oid = (SELECT nspowner FROM pg_namespace WHERE nspname = 'warehouse')"
)


def can_make_roles(dsn: str) -> bool:
    """Whether the role of an address may make others.

    Raises:
        Fault: the database failed.
    """
    with _session(dsn) as cur:
        cur.execute(_MAY)
        return cur.fetchone() == (True,)


def make_roles(dsn: str, passwords: Mapping[str, str]) -> None:
    """Make the roles of a database and give them their rights; called again it gives them what came since.

    Args:
        dsn: address, of a role that may make roles and owns what is there.
        passwords: of `writer` and `reader`.

    Raises:
        Fault: the database failed or refuses.
    """
    with _session(dsn) as cur:
        cur.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        cur.execute("SELECT current_database()")
        database = str((cur.fetchone() or ("",))[0])
        owner, writer, reader = (sql.Identifier(role_name(database, role)) for role in ("owner", "writer", "reader"))
        _make(cur, owner, sql.SQL("NOLOGIN"))
        _make(cur, writer, sql.SQL("LOGIN NOINHERIT PASSWORD {}").format(sql.Literal(passwords["writer"])))
        _make(cur, reader, sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(passwords["reader"])))
        cur.execute(sql.SQL("GRANT {0} TO CURRENT_USER; GRANT {0} TO {1}").format(owner, writer))
        place = sql.Identifier(database)
        cur.execute(sql.SQL("GRANT CREATE, CONNECT ON DATABASE {} TO {}").format(place, owner))
        cur.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(place, writer))
        cur.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(place, reader))
        _hand_over(cur, owner)
        _grant(cur, owner, writer, reader)


@contextmanager
def as_owner(cur: cursor) -> Iterator[None]:
    """Change tables within the block, as the owner where this session is the writer's; elsewhere nothing differs."""
    cur.execute(_MEMBER)
    row = cur.fetchone()
    if row is None:
        yield
        return
    cur.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(row[0])))
    yield  # an exception ends the transaction, and the role with it
    cur.execute("RESET ROLE")


@contextmanager
def _session(dsn: str) -> Iterator[cursor]:
    where = address(dsn).set(drivername="postgresql").render_as_string(hide_password=False)
    with translate("ledger"), closing(psycopg2.connect(where, connect_timeout=10)) as connection, connection, connection.cursor() as cur:
        yield cur


def _make(cur: cursor, role: sql.Identifier, options: sql.Composable) -> None:
    cur.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role.strings[0],))
    verb = sql.SQL("CREATE" if cur.fetchone() is None else "ALTER")
    cur.execute(sql.SQL("{} ROLE {} {}").format(verb, role, options))


def _hand_over(cur: cursor, owner: sql.Identifier) -> None:
    """Let the owner have the schemas of tables, and what is ours in them."""
    for schema in _schemas(cur, TABLES):
        cur.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(schema), owner))
    cur.execute(_OURS, (list(TABLES),))
    for schema, name, kind in cur.fetchall():
        what = sql.SQL("VIEW" if kind == "v" else "TABLE")
        cur.execute(sql.SQL("ALTER {} {} OWNER TO {}").format(what, sql.Identifier(schema, name), owner))


def _grant(cur: cursor, owner: sql.Identifier, writer: sql.Identifier, reader: sql.Identifier) -> None:
    for schema in _schemas(cur, (*TABLES, *_RECORDS)):
        place = sql.Identifier(schema)
        maker: sql.Composable = owner if schema in TABLES else sql.SQL("CURRENT_USER")
        cur.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(place, writer, reader))
        for rights, what, role in _rights(writer, reader):
            for name in _of(cur, schema, maker, what.string):
                kind = sql.SQL("SEQUENCE" if what.string == "SEQUENCES" else "TABLE")
                cur.execute(sql.SQL("GRANT {} ON {} {} TO {}").format(rights, kind, sql.Identifier(schema, name), role))
            statement = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT {} ON {} TO {}"
            cur.execute(sql.SQL(statement).format(maker, place, rights, what, role))


def _of(cur: cursor, schema: str, maker: sql.Composable, what: str) -> list[str]:
    """What a role has made in a schema; what others keep there, beside Dagster's tables say, is theirs to give."""
    cur.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = ANY(%s)"
        " AND pg_get_userbyid(relowner) = coalesce(%s, current_user)",
        (f'"{schema}"', ["S"] if what == "SEQUENCES" else ["r", "p", "v"], maker.strings[0] if isinstance(maker, sql.Identifier) else None),
    )
    return [name for (name,) in cur.fetchall()]


def _rights(writer: sql.Identifier, reader: sql.Identifier) -> Iterator[tuple[sql.SQL, sql.SQL, sql.Identifier]]:
    tables, sequences = sql.SQL("TABLES"), sql.SQL("SEQUENCES")
    yield sql.SQL("SELECT, INSERT, UPDATE, DELETE"), tables, writer
    yield sql.SQL("USAGE, SELECT, UPDATE"), sequences, writer
    yield sql.SQL("SELECT"), tables, reader


def _schemas(cur: cursor, wanted: tuple[str, ...]) -> list[str]:
    cur.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", (list(wanted),))
    return [name for (name,) in cur.fetchall()]
