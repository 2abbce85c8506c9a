"""Fixtures that many test modules share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shp_resources import landing
from tests.support import platforms
from tests.support.hadoop import Daemons, daemons
from tests.support.healing import Ward
from tests.support.homes import Home
from tests.support.postgres import fresh_database, session_server

# A shell's `&` leaves SIGINT ignored, in all children too: then no Ctrl-C of a test would be heard.
signal.signal(signal.SIGINT, signal.default_int_handler)


_LONG = (
    "ingest_kills",
    "lake_stories",
    "warehouse_orders",
    "watchdog_process",
    "cli_ingest",
    "ingest_stopping",
    "dagster_storage",
    "csv_feeds",
    "inspect",
    "fork_server",
    "cli_new",
    "cli_healing",
)
"""Modules that take long without a whole platform."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first, those with a whole platform before all: a worker that takes one last ends minutes after the others."""
    platform = {item.path for item in items if item.get_closest_marker("platform")}
    items.sort(key=lambda item: 0 if item.path in platform else 1 if item.path.stem.removeprefix("test_") in _LONG else 2)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the session's embedded PostgreSQL (database `shp`, superuser)."""
    with session_server(tmp_path_factory.mktemp("postgres")) as dsn:
        yield dsn


@pytest.fixture
def database_dsn(postgres_server: str) -> Iterator[str]:
    """Address of an empty database of this test's own."""
    with fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def platform_template(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a database with the ledger's and Dagster's tables, to be copied."""
    with fresh_database(postgres_server) as dsn:
        platforms.prepare(dsn, tmp_path_factory.mktemp("template"))
        yield dsn.rpartition("/")[2]


@pytest.fixture
def prepared_dsn(postgres_server: str, platform_template: str) -> Iterator[str]:
    """Address of a database of this test's own with the ledger's and Dagster's tables, which hold nothing."""
    with fresh_database(postgres_server, platform_template) as dsn:
        yield dsn


@pytest.fixture
def platform(postgres_server: str, platform_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[platforms.Platform]:
    """An installation with a feed by file, a feed by day and a mart; a file is taken up at once."""
    monkeypatch.setattr(landing, "QUIET_SECONDS", 0.0)
    with fresh_database(postgres_server, platform_template) as dsn, platforms.opened(tmp_path, dsn) as platform:
        yield platform


@pytest.fixture
def ward(platform: platforms.Platform) -> Ward:
    """A platform under a clock."""
    return Ward(platform)


@pytest.fixture
def lake_ward(ward: Ward) -> Ward:
    """The same; its feed by file declares the lake."""
    ward.platform.feed_file(platforms.FEED, platforms.IN_LAKE)
    return ward


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An installation with the repository's feeds, on which nothing runs; the working directory is beside it."""
    for name in [name for name in os.environ if name.startswith("SHP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Home.make(tmp_path)


@pytest.fixture(scope="session")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """The session's Hadoop: four real daemons."""
    with daemons(tmp_path_factory.mktemp("hadoop")) as started:
        yield started
