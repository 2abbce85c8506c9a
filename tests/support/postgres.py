"""One PostgreSQL for the whole test session, and an empty database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2

from shp_resources.embedded import EmbeddedServer

# A test machine that loses power loses nothing worth keeping; everything else is as in production.
_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"}


@contextmanager
def session_server(folder: Path) -> Iterator[str]:
    """A server in this folder; yields the address of its administrative database."""
    with EmbeddedServer(folder, _FAST).held() as dsn:
        yield dsn


@contextmanager
def fresh_database(server_dsn: str, template: str = "template0") -> Iterator[str]:
    """A database made from the template and dropped afterwards, whoever is still connected; yields its address."""
    name = f"t_{uuid4().hex[:12]}"
    rows(server_dsn, f'create database "{name}" template "{template}"')
    try:
        yield database_at(server_dsn, name)
    finally:
        rows(server_dsn, f'drop database if exists "{name}" with (force)')


def database_at(dsn: str, name: str) -> str:
    """The address of another database on the same server."""
    return f"{dsn.rpartition('/')[0]}/{name}"


def rows(dsn: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement in a transaction of its own on a connection of its own; its rows, if it has any."""
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
