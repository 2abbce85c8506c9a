"""Fixtures that many test modules share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.homes import Home
from tests.support.postgres import fresh_database, session_server


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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An installation with the repository's feeds, on which nothing runs; the working directory is beside it."""
    for name in [name for name in os.environ if name.startswith("SHP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Home.make(tmp_path)
