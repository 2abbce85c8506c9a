"""One PostgreSQL for the whole test session, and an empty database of its own for each test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg2
import psycopg2.errors

from shp_resources.embedded import EmbeddedServer
from shp_resources.processes import wait_until
from tests.support.waiting import PATIENCE, until

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
    until(lambda: _copied(server_dsn, name, template), pause=0.1)
    try:
        yield database_at(server_dsn, name)
    finally:
        rows(server_dsn, f'drop database if exists "{name}" with (force)')


def _copied(server_dsn: str, name: str, template: str) -> bool:
    """Whether the template could be copied; a session of a process that has just ended may be in it still."""
    try:
        rows(server_dsn, f'create database "{name}" template "{template}"')
    except psycopg2.errors.ObjectInUse:
        return False
    return True


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


def connected(dsn: str, number: int, name: str = "%") -> bool:
    """Whether others keep so many connections to this database (of programs of this name), once those that are closing have gone."""
    others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like %s"

    def steady() -> bool:
        looks = []
        for pause in (0.2, 0):
            looks += rows(dsn, f"select count(*) {others}", name)
            time.sleep(pause)
        return looks == [(number,)] * 2

    return wait_until(steady, PATIENCE)


def worked_with(dsn: str) -> float:
    """Processor seconds of this process and of a database server of this machine, with those of its sessions."""
    folder = Path(rows(dsn, "show data_directory")[0][0])
    server = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
    ended = sum(server.cpu_times()[2:4])
    return time.process_time() + ended + sum(map(_worked, [server, *server.children()]))


def _worked(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0
