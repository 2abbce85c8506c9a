"""Fixtures that many test modules share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
