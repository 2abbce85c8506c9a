"""The ledger's tables: made once whoever comes first, current in one query, described for those who read them by SQL."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.states import State
from shp_resources.database import make_engine
from shp_resources.ledger import Ledger, migrate
from shp_resources.ledger.migrate import HEAD, MIGRATIONS, current_version
from shp_resources.ledger.tables import metadata
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE, until

TABLES = {
    "ledger_version",
    "alert_tellings",
    "alerts",
    "arrivals",
    "attempts",
    "breakers",
    "deliveries",
    "expected_days",
    "incident_members",
    "incidents",
    "leases",
    "mart_watermarks",
    "partitions",
    "publications",
    "sinks",
    "sources",
    "transitions",
}


def _tables(dsn: str) -> set[str]:
    return {name for (name,) in rows(dsn, "select table_name from information_schema.tables where table_schema = 'shp'")}


def test_an_empty_database_gets_every_table(database_dsn: str) -> None:
    """A first start would find no tables."""
    migrate(database_dsn)
    assert _tables(database_dsn) == TABLES
    assert current_version(make_engine(database_dsn, pooled=False)) == HEAD


def test_migrating_again_changes_nothing(database_dsn: str) -> None:
    """Every start of a process would touch the tables."""
    migrate(database_dsn)
    rows(database_dsn, "insert into shp.mart_watermarks (mart, publication) values ('m', 5)")
    before = rows(database_dsn, "select oid, relfilenode from pg_class where relnamespace = 'shp'::regnamespace order by 1")
    migrate(database_dsn)
    assert rows(database_dsn, "select oid, relfilenode from pg_class where relnamespace = 'shp'::regnamespace order by 1") == before
    assert rows(database_dsn, "select publication from shp.mart_watermarks") == [(5,)]


def test_a_current_ledger_costs_one_query(database_dsn: str) -> None:
    """Every command would pay for Alembic before it does its work."""
    migrate(database_dsn)
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        migrate(database_dsn)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert seen == ["SELECT version_num FROM shp.ledger_version"]


def test_alembic_is_imported_only_when_there_is_work(database_dsn: str) -> None:
    """Every command would start slower for a library that it does not use."""
    migrate(database_dsn)
    program = "import sys; from shp_resources.ledger import migrate; migrate(sys.argv[1]); assert 'alembic' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program, database_dsn], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_two_processes_may_migrate_at_once(database_dsn: str) -> None:
    """The webserver and the daemon start together; one of them would die of a table that exists."""
    with ThreadPoolExecutor(6) as threads:
        outcomes = [threads.submit(migrate, database_dsn) for _ in range(6)]
    assert [outcome.result() for outcome in outcomes] == [None] * 6
    assert rows(database_dsn, "select version_num from shp.ledger_version") == [(HEAD,)]


def test_the_second_waits_for_the_first(database_dsn: str) -> None:
    """A process that starts during an upgrade would work on half of the tables."""
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with ThreadPoolExecutor(1) as threads:
        with make_engine(database_dsn, pooled=False).begin() as first:
            first.execute(sa.select(sa.func.pg_advisory_xact_lock(0x736870)))
            outcome = threads.submit(migrate, database_dsn)
            until(lambda: rows(database_dsn, waiting) == [(1,)])
            assert not outcome.done() and _tables(database_dsn) == set()
        outcome.result(timeout=PATIENCE)
    assert _tables(database_dsn) == TABLES


def test_a_failed_migration_leaves_nothing(database_dsn: str) -> None:
    """A disk that fills up in the middle would leave tables that fit no version."""
    rows(database_dsn, "create schema shp")
    rows(database_dsn, "create table shp.sinks (a int)")
    with pytest.raises(Fault) as raised:
        migrate(database_dsn)
    assert raised.value.evidence.sqlstate == "42P07"
    assert _tables(database_dsn) == {"sinks"}


def test_the_migrations_lead_to_the_tables_that_the_code_uses(database_dsn: str) -> None:
    """A column that only the code or only the migration has would break the first statement that uses it."""
    migrate(database_dsn)
    options = {"version_table": "ledger_version", "version_table_schema": "shp", "compare_server_default": True, "include_schemas": True}
    with make_engine(database_dsn, pooled=False).connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_the_head_in_the_code_is_alembics() -> None:
    """A new migration would never be applied."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_every_table_and_column_says_what_it_is(database_dsn: str) -> None:
    """People who read the ledger by SQL would have to guess."""
    migrate(database_dsn)
    silent = rows(
        database_dsn,
        """
        select c.relname, a.attname from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'shp'::regnamespace and c.relkind = 'r' and c.relname <> 'ledger_version'
        and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, a.attnum) is null)
        """,
    )
    assert silent == []


def test_every_time_has_a_zone(database_dsn: str) -> None:
    """A server in another zone would shift due times."""
    migrate(database_dsn)
    kinds = rows(
        database_dsn, "select distinct data_type from information_schema.columns where table_schema = 'shp' and data_type like 'time%'"
    )
    assert kinds == [("timestamp with time zone",)]


@pytest.mark.parametrize("state", State)
def test_the_database_takes_every_state(database_dsn: str, state: State) -> None:
    """A legal state could not be stored."""
    migrate(database_dsn)
    rows(database_dsn, "insert into shp.partitions (feed, partition, state, version) values ('f', 'p', %s, 1)", str(state))
    assert rows(database_dsn, "select state from shp.partitions") == [(str(state),)]


def test_the_database_takes_no_other_state(database_dsn: str) -> None:
    """A hand-written UPDATE could put a partition where no code expects it."""
    migrate(database_dsn)
    with pytest.raises(Exception, match="partitions_state_check"):
        rows(database_dsn, "insert into shp.partitions (feed, partition, state, version) values ('f', 'p', 'fine', 1)")


def test_a_ledger_from_the_future_is_refused(database_dsn: str) -> None:
    """An older program would write into tables that it does not understand."""
    migrate(database_dsn)
    rows(database_dsn, "update shp.ledger_version set version_num = '9999'")
    with pytest.raises(UsageError, match="9999") as raised:
        migrate(database_dsn)
    assert raised.value.code is Code.SETTINGS_INVALID
    assert "newer" in raised.value.next_step


def test_a_role_without_the_right_to_make_schemas_can_use_a_prepared_one(database_dsn: str) -> None:
    """An administrator who makes the schema for us would still have to give us the whole database."""
    role = "tenant_" + str(make_url(database_dsn).database)
    rows(database_dsn, f"create role {role} login password 'word'")
    try:
        rows(database_dsn, f"create schema shp authorization {role}")
        migrate(make_url(database_dsn).set(username=role, password="word").render_as_string(hide_password=False))
        assert _tables(database_dsn) == TABLES
    finally:
        rows(database_dsn, f"drop owned by {role} cascade")
        rows(database_dsn, f"drop role {role}")


def _schema_of_a_new_table(dsn: str) -> object:
    rows(dsn, "create table made_by_somebody_else (a int)")
    return rows(dsn, "select relnamespace::regnamespace::text from pg_class where relname = 'made_by_somebody_else'")[0][0]


def test_a_role_named_like_our_schema_keeps_its_tables_in_public(database_dsn: str) -> None:
    """Dagster, which names no schema, would look into ours for its runs, find none, and start a new history."""
    assert make_url(database_dsn).username == "shp"
    rows(database_dsn, "create table runs as select 1 as id")
    migrate(database_dsn)
    assert rows(database_dsn, "select current_schema()") == [("public",)]
    assert _schema_of_a_new_table(database_dsn) == "public"
    assert rows(database_dsn, "select id from runs") == [(1,)]


def test_other_roles_keep_their_search_path(database_dsn: str) -> None:
    """An installation in a database with a layout of its own would find its settings changed."""
    role = "guest_" + str(make_url(database_dsn).database)
    rows(database_dsn, f"create role {role} superuser login password 'word'")
    theirs = make_url(database_dsn).set(username=role, password="word").render_as_string(hide_password=False)
    try:
        rows(database_dsn, f"alter role {role} set search_path = pg_catalog")
        migrate(theirs)
        assert rows(theirs, "show search_path") == [("pg_catalog",)]
    finally:
        rows(database_dsn, f"reassign owned by {role} to shp")
        rows(database_dsn, f"drop role {role}")


def test_a_database_that_is_away_is_a_fault() -> None:
    """A start without a database would end in a stack trace."""
    with pytest.raises(Fault) as raised:
        migrate("postgresql://someone:sekret@127.0.0.1:1/things")
    assert raised.value.code is Code.LEDGER_UNREACHABLE


def test_making_a_ledger_connects_to_nothing() -> None:
    """Loading the definitions without a database would fail."""
    asked: list[int] = []

    def dsn() -> None:
        asked.append(1)

    ledger = Ledger(dsn)
    assert asked == []
    with pytest.raises(Fault, match="no address") as raised:
        ledger.publications.newest()
    assert (raised.value.code, asked) == (Code.LEDGER_UNREACHABLE, [1])


def test_an_address_may_come_late(database_dsn: str) -> None:
    """A ledger made before the embedded server is up could never be used."""
    known: list[str] = []
    ledger = Ledger(lambda: known[0] if known else None)
    with pytest.raises(Fault):
        ledger.publications.newest()
    migrate(database_dsn)
    known.append(database_dsn)
    assert ledger.publications.newest() == 0
