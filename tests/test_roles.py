"""Database roles with least rights: what each may do, and that publishing works under the writer's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from shp_ops.supervisor.access import Access
from shp_resources.logs import redaction_of
from shp_resources.role_access import as_role, passwords
from shp_resources.roles import as_owner, can_make_roles, make_roles
from shp_resources.settings import Settings
from shp_resources.warehouse import Warehouse
from tests.support.platforms import Platform, order
from tests.support.postgres import fresh_database, rows

MADE = {"writer": "w r/i:t@er", "reader": "reader?"}
"""Passwords with what an address must spell otherwise."""


@pytest.fixture
def roles(platform: Platform) -> Iterator[Platform]:
    """A platform that has published one file before it got its roles; they are the server's, so they go with it."""
    assert platform.ingest(platform.drop("before.xlsx", [order(1)])).state == "published"
    dsn = platform.dsn
    make_roles(dsn, MADE)
    yield platform
    without_roles(dsn, "owner", "writer", "reader")


def without_roles(dsn: str, *roles: str) -> None:
    """Take roles of a database away, as its superuser; they are the server's, and would outlive it."""
    names = [f'"{dsn.rpartition("/")[2]}_{role}"' for role in roles]
    for name in names:
        rows(dsn, f"reassign owned by {name} to current_user")
    for name in names:
        rows(dsn, f"drop owned by {name} cascade")
    for name in reversed(names):
        rows(dsn, f"drop role {name}")


def refused(dsn: str, statement: str) -> bool:
    """Whether a statement fails for lack of a right; a statement that fails otherwise fails the test."""
    try:
        rows(dsn, statement)
    except psycopg2.errors.InsufficientPrivilege:
        return True
    return False


def test_the_reader_reads_and_writes_nothing(roles: Platform) -> None:
    """Who may only look could change what others trust."""
    reader = as_role(roles.dsn, "reader", MADE["reader"])
    assert rows(reader, "select count(*) from warehouse.orders") == [(1,)]
    assert rows(reader, "select count(*) from shp.partitions") == [(1,)]
    assert rows(reader, "select count(*) > 0 from runs") == [(True,)]
    changes = [
        "delete from warehouse.orders",
        "insert into shp.leases select * from shp.leases",
        "update runs set status = 'SUCCESS'",
        "create table warehouse.mine (a integer)",
        "create table public.mine (a integer)",
        "drop table warehouse.orders",
        "select nextval('shp.arrival_numbers')",
    ]
    assert [statement for statement in changes if not refused(reader, statement)] == []


def test_the_writer_publishes_and_drops_nothing(roles: Platform) -> None:
    """A bug in a run could drop the tables of all feeds; or with least rights no new feed could be published."""
    owner, writer = roles.dsn, as_role(roles.dsn, "writer", MADE["writer"])
    roles.dsn = writer
    roles.change()
    assert roles.ingest(roles.drop("after.xlsx", [order(2), order(None)])).state == "published_with_rejects"
    assert roles.ingest(roles.drop_count("counts_2026-01-02.xlsx", [("pen", 3)]), "counts").state == "published", "its tables are new"
    assert roles.mart().success
    assert [count for (count,) in rows(writer, "select source_rows from mart.amounts")] == [2]
    assert [roles.loaded(name) for name in ("before", "after")] == [[1], [2]]
    changes = [
        "drop table warehouse.orders",
        "drop table warehouse.counts",
        "drop schema mart cascade",
        "drop table shp.partitions",
        "drop table runs",
        "truncate warehouse.orders",
        "alter table warehouse.orders drop column country",
        "create table warehouse.mine (a integer)",
        "create role somebody",
    ]
    assert [statement for statement in changes if not refused(writer, statement)] == []
    owners = rows(owner, "select distinct tableowner from pg_tables where schemaname in ('warehouse', 'quarantine', 'mart', 'shp_pub')")
    assert owners == [(f"{owner.rpartition('/')[2]}_owner",)]


def test_a_role_that_may_make_roles_is_enough(postgres_server: str) -> None:
    """Least rights would need a superuser, whom nobody is given on a server of a house."""
    with fresh_database(postgres_server) as dsn:
        database = dsn.rpartition("/")[2]
        rows(dsn, f"create role {database}_admin login createrole password 'secret'; alter database {database} owner to {database}_admin")
        admin = dsn.replace(dsn[dsn.index("//") + 2 : dsn.index("@")], f"{database}_admin:secret")
        try:
            assert can_make_roles(admin)
            warehouse = Warehouse(lambda: admin)
            warehouse.make_schemas()
            make_roles(admin, MADE)
            make_roles(admin, MADE)
            writer = as_role(admin, "writer", MADE["writer"])
            assert not can_make_roles(writer)
            assert rows(writer, "insert into shp_pub.fences values ('f', 'p', 1, 1) returning feed") == [("f",)]
            assert refused(writer, "drop table shp_pub.fences")
            with warehouse.transaction() as cur, as_owner(cur):
                cur.execute("create table warehouse.made (a integer)")
            assert rows(writer, "insert into warehouse.made values (1) returning a") == [(1,)]
            assert rows(as_role(admin, "reader", MADE["reader"]), "select a from warehouse.made") == [(1,)]
        finally:
            without_roles(dsn, "owner", "writer", "reader", "admin")


def test_who_may_only_look_is_told_no_secrets_of_sources(tmp_path: Path) -> None:
    """A hole in the page for viewers would open the shares and buckets that files are fetched from."""
    nowhere = "postgresql://u:p@127.0.0.1:1/d"
    settings = Settings.load({"SHP_SOURCE_FILES_EXAMPLE_COM_TOKEN": "planted", "SHP_PG_DSN": nowhere}, home=tmp_path)
    access = Access(settings)
    assert "planted" in access.environment(nowhere, "m", "writer").values()
    assert "planted" not in access.environment(nowhere, "m", "reader").values()
    redact = redaction_of(settings)
    assert not any(password in redact(f"said {password} aloud") for password in passwords(tmp_path).values())


def test_passwords_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    """Every start would lock out what runs, or anybody on the machine could log in."""
    known = passwords(tmp_path)
    assert passwords(tmp_path) == known
    assert len(set(known.values())) == 2
    assert (tmp_path / "run" / "roles.json").stat().st_mode & 0o077 == 0
