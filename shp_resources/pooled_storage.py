"""Dagster's storage in PostgreSQL: as it is for processes that stay, with a pool for workers that live for a second.

dagster-postgres opens a connection per statement, which is right for processes that outlive a restart of the
database. A worker keeps two, looks at each before it uses it (so a restart in mid-run costs a reconnect, not the run),
and does not look at the schema again and again. Made after the fork, never before.
`tests/test_upstream.py` pins what this leans on.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
import sqlalchemy as sa
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy import event, exc

from shp_resources.event_storage import LeanEventLogStorage

_STATEMENT_SECONDS = 60
_TRUSTED_SECONDS = 5.0
_SESSION = {
    "application_name": "shp-run",
    "options": f"-c statement_timeout={_STATEMENT_SECONDS}s",
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,  # a server that vanished without a word is noticed in half a minute
}


class LeanStorage(DagsterPostgresStorage):
    """Dagster's own storage but for the event log, which costs fewer commits.

    Args:
        postgres_url: `postgresql+psycopg2://…`.
        should_autocreate_tables: make the tables if they are missing.
        inst_data: how Dagster makes it again in another process.
    """

    def __init__(self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._event_log_storage = LeanEventLogStorage(postgres_url, should_autocreate_tables=False)


class PooledRunStorage(PostgresRunStorage):
    """Runs; the columns that newer versions brought are there, for the tables were made by this version."""

    def has_run_stats_index_cols(self) -> bool:
        """The column is there."""
        return True

    def has_backfill_id_column(self) -> bool:
        """The column is there."""
        return True

    def dispose(self) -> None:
        """Let go of the connections; the other parts have the same."""
        self._engine.dispose()


class PooledEventLogStorage(LeanEventLogStorage):
    """Events; see `PooledRunStorage`."""

    def has_asset_key_col(self, column_name: str) -> bool:
        """The column is there."""
        return True

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        return True

    def has_table(self, table_name: str) -> bool:
        """The table is there."""
        return True


class PooledStorage(DagsterPostgresStorage):
    """All three parts over one pool.

    Args:
        postgres_url: `postgresql+psycopg2://…`; its tables are there.
        inst_data: how Dagster makes it again in another process.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        engine = _engine(postgres_url)
        self._run_storage = _over(engine, PooledRunStorage(postgres_url, should_autocreate_tables=False))
        self._event_log_storage = _over(engine, PooledEventLogStorage(postgres_url, should_autocreate_tables=False))
        self._schedule_storage = _over(engine, PostgresScheduleStorage(postgres_url, should_autocreate_tables=False))


def _engine(postgres_url: str) -> sa.Engine:
    url = sa.make_url(postgres_url)
    theirs = url.query.get("options", "")
    session = {**_SESSION, "options": f"{_SESSION['options']} {theirs}".strip()}
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args=session, pool_size=2, max_overflow=4)
    event.listen(engine, "checkout", _look)
    event.listen(engine, "checkin", _note_use)
    return engine


def _look(connection: Any, record: Any, proxy: Any) -> None:
    """Have a connection that the server closed replaced; asking the server each time would be a third of all statements."""
    if _has_something_to_read(connection) or time.monotonic() - record.info.get("used", 0.0) > _TRUSTED_SECONDS:
        _ping(connection)


def _note_use(connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _has_something_to_read(connection: Any) -> bool:
    """Nobody asked, so what there is to read is a farewell."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _ping(connection: Any) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except psycopg2.Error as error:
        raise exc.DisconnectionError from error


def _over(engine: sa.Engine, part: Any) -> Any:
    """A part that uses this engine instead of the one it made, which has not connected."""
    part._engine = engine
    return part
