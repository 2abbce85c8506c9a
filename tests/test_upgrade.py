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
