"""The state of an earlier version works with this one."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from shp_core.errors import UsageError
from shp_ops.backup.manifest import LEDGER, Manifest
from shp_ops.supervisor import prepare
from shp_ops.supervisor.layout import Layout, environment
from shp_ops.upgrade import upgrade_dagster, upgrade_ledger
from shp_resources.dagster_upgrade import STORAGE_HEAD, storage_version
from shp_resources.dumps import load
from shp_resources.ledger.migrate import HEAD, version_at
from shp_resources.settings import Settings
from tests.support.postgres import fresh_database

OLDER_DAGSTER = "f495c27d5019"
"""The version of Dagster's tables before the newest; PostgreSQL's do not differ between them."""

STATES = sorted(path for path in (Path(__file__).parent / "upgrade").iterdir() if (path / "database.sql.gz").exists())


def test_there_is_a_state_to_start_from() -> None:
    """No upgrade would be tested, and nobody would notice."""
    assert [path.name for path in STATES][:1] == ["0.1.0"]


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.name)
def test_an_earlier_installation_goes_on(state: Path, database_dsn: str, tmp_path: Path) -> None:
    """After an upgrade partitions would be unknown, or everything would be loaded again."""
    restore(state, database_dsn, tmp_path)
    before = rows(database_dsn)
    held = sum(partition["sinks"]["warehouse"]["rows"] for partition in shp(database_dsn, tmp_path))
    assert len(before) + displaced(database_dsn) == held > 0
    result = ingest(database_dsn, tmp_path)
    assert [file["changed"] for file in result] == [False, False, False]
    assert {file["state"] for file in result} <= {"published", "published_with_rejects"}
    assert rows(database_dsn) == before


@pytest.fixture
def older(database_dsn: str, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """The oldest state, with Dagster's tables of an earlier version too: its address, and the environment of its platform."""
    restore(STATES[0], database_dsn, tmp_path)
    with closing(psycopg2.connect(database_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE public.alembic_version SET version_num = %s", (OLDER_DAGSTER,))
    settings = Settings.load({"SHP_PG_DSN": database_dsn}, home=tmp_path)
    Layout(tmp_path).write_dagster_home()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SHP_", "DAGSTER_"))}
    return database_dsn, clean | environment(settings, database_dsn)


def versions(dsn: str) -> tuple[str | None, str | None]:
    """The versions of the ledger's tables and of Dagster's."""
    return version_at(dsn), storage_version(dsn)


def test_the_platform_brings_older_tables_up_to_date_after_a_backup(
    older: tuple[str, dict[str, str]], postgres_server: str, tmp_path: Path
) -> None:
    """An upgrade that goes wrong could not be taken back, or the platform would run on tables that do not fit it."""
    dsn, environ = older
    before = versions(dsn)
    partitions = query(dsn, "SELECT feed, partition, state, delivery FROM shp.partitions ORDER BY 1, 2")
    said = prepare.finish(prepare.start(environ))
    assert [line.partition(" brought")[0] for line in said] == ["the ledger", "Dagster's tables"]
    assert versions(dsn) == (HEAD, STORAGE_HEAD)
    assert query(dsn, "SELECT feed, partition, state, delivery FROM shp.partitions ORDER BY 1, 2") == partitions
    first = min((tmp_path / "backups").iterdir())
    manifest = Manifest.read(first)
    manifest.verify(first)
    assert (manifest.ledger, manifest.holds) == (before[0], ["ledger"])
    with fresh_database(postgres_server) as other:
        load(other, first / LEDGER)
        assert versions(other) == before
    settings = Settings.load(environ)
    assert (upgrade_ledger(settings, dsn), upgrade_dagster(settings, dsn)) == (None, None), "the next start finds nothing to do"


def test_without_a_backup_nothing_is_changed(older: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """Tables would be changed with no way back."""
    dsn, environ = older
    before = versions(dsn)
    (tmp_path / "backups").write_text("a file in the way")
    for upgrade in (upgrade_ledger, upgrade_dagster):
        with pytest.raises(UsageError, match=r"Nothing was changed: before .* a backup is made, and that failed"):
            upgrade(Settings.load(environ), dsn)
    assert versions(dsn) == before


def restore(state: Path, dsn: str, home: Path) -> None:
    """Put the state's database and files in place."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(gzip.decompress((state / "database.sql.gz").read_bytes()).decode())
    with tarfile.open(state / "files.tar.gz") as archive:
        archive.extractall(home, filter="data")


def rows(dsn: str) -> list[tuple[Any, ...]]:
    """The warehouse's rows, with the place each has in the table."""
    return query(dsn, "SELECT ctid::text, * FROM warehouse.stock_levels ORDER BY _partition, _row")


def displaced(dsn: str) -> int:
    """Number of rows whose key belongs to another partition."""
    return int(query(dsn, "SELECT count(*) FROM shp_pub.displaced_stock_levels")[0][0])


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a statement."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def shp(dsn: str, home: Path) -> list[dict[str, Any]]:
    """What `shp partitions` says."""
    found: list[dict[str, Any]] = json.loads(_call(dsn, home, "partitions", "stock"))["partitions"]
    return found


def ingest(dsn: str, home: Path) -> list[dict[str, Any]]:
    """Deliver the same files again."""
    files: list[dict[str, Any]] = json.loads(_call(dsn, home, "ingest", "stock", str(home / "landing" / "stock")))["files"]
    return files


def _call(dsn: str, home: Path, *words: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SHP_", "DAGSTER_"))}
    feeds = Path(__file__).parents[1] / "feeds"
    environ |= {"SHP_PG_DSN": dsn, "SHP_FEEDS": str(feeds), "SHP_HOME": str(home)}
    command = [sys.executable, "-m", "shp_ops.cli.main", *words, "--json"]
    done = subprocess.run(command, env=environ, cwd=home, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
