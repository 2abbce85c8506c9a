"""The PostgreSQL that the contenders share, and an empty database for each run.

Must not live here: tables; see `table`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from shp_resources.embedded import EmbeddedServer

_DATABASE = "shp_bench"


@contextmanager
def server(home: Path, dsn: str | None) -> Iterator[str]:
    """A server's address: the given one's, or that of an embedded server under `home` while the block lasts.

    Raises:
        ValueError: its `fsync` is off; numbers from such a server mean nothing.
    """
    with contextlib.nullcontext(dsn) if dsn else EmbeddedServer(home).held() as address:
        if setting(address, "fsync") != "on":
            raise ValueError("fsync is off on this server: measure on one that keeps what it confirms")
        yield address


@contextmanager
def fresh_database(dsn: str, suffix: str = "") -> Iterator[str]:
    """Address of an empty database, dropped afterwards; the server starts the run with its buffers written.

    Args:
        dsn: the server.
        suffix: tells it from others that are used at the same time.
    """
    name = f"{_DATABASE}_{suffix}" if suffix else _DATABASE
    _execute(dsn, f"drop database if exists {name} with (force)")
    _execute(dsn, f"create database {name}")
    with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
        _execute(dsn, "checkpoint")  # else one contender's dirty pages are written on the next one's time
    try:
        yield urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    finally:
        _execute(dsn, f"drop database if exists {name} with (force)")


def setting(dsn: str, name: str) -> str:
    """A server setting's value."""
    return str(_execute(dsn, f"show {name}")[0][0])


def _execute(dsn: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()
