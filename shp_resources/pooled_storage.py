"""Dagster's storage in PostgreSQL over one small pool of connections that are looked at before each use.

dagster-postgres opens a connection per statement, so that a restart of the database costs nothing; that is most of what
an idle platform does, and a third of a run. Here a connection that the server has closed is replaced before it is used,
so a restart costs a reconnect (docs/adr/0011-pooled-storage.md). Made after a fork, never before.
`tests/test_upstream.py` pins what this leans on.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import sqlalchemy as sa
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy import event, exc

from shp_resources.event_storage import LeanEventLogStorage

_TRUSTED_SECONDS = 5.0
_SESSION = {"connect_timeout": 10, "tcp_user_timeout": 30_000}  # a server that vanished without a word is noticed in half a minute
_POOL = {"pool_size": 2, "max_overflow": 20, "pool_recycle": 600}


class _LookedAt:
    """What all three parts have in common."""

    def _once_there(self, name: str, ask: Callable[[], bool]) -> bool:
        """Whether a table or column is there; Dagster asks five times a second, and what is there does not go away.

        Args:
            name: what it is called here.
            ask: looks into the schema.
        """
        known: set[str] = self.__dict__.setdefault("_there", set())
        if name not in known and ask():
            known.add(name)
        return name in known

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Nothing to do: Dagster's own way to keep connections is a pool that looks at none of them."""


class RunStorage(_LookedAt, PostgresRunStorage):
    """Runs."""

    def has_run_stats_index_cols(self) -> bool:
        """Whether the columns are there."""
        return self._once_there("run_stats", super().has_run_stats_index_cols)

    def has_backfill_id_column(self) -> bool:
        """Whether the column is there."""
        return self._once_there("backfill_id", super().has_backfill_id_column)

    def has_bulk_actions_selector_cols(self) -> bool:
        """Whether the column is there."""
        return self._once_there("bulk_actions_selector", super().has_bulk_actions_selector_cols)

    def has_bulk_action_job_name_column(self) -> bool:
        """Whether the column is there."""
        return self._once_there("bulk_action_job_name", super().has_bulk_action_job_name_column)

    def has_backfill_tags_table(self) -> bool:
        """Whether the table is there."""
        return self._once_there("backfill_tags", super().has_backfill_tags_table)

    def dispose(self) -> None:
        """Let go of the connections; the other parts have the same."""
        self._engine.dispose()


class EventLogStorage(_LookedAt, LeanEventLogStorage):
    """Events."""


class ScheduleStorage(_LookedAt, PostgresScheduleStorage):
    """Schedules and sensors."""

    def has_instigators_table(self) -> bool:
        """Whether the table is there."""
        return self._once_there("instigators", super().has_instigators_table)

    def _has_instigators_table(self, conn: sa.Connection) -> bool:
        return self._once_there("instigators", lambda: PostgresScheduleStorage._has_instigators_table(self, conn))

    def has_secondary_index_table(self) -> bool:
        """Whether the table is there."""
        return self._once_there("secondary_index", super().has_secondary_index_table)


class WorkerRunStorage(RunStorage):
    """Runs; the columns that newer versions brought are there, for the tables were made by this version."""

    def has_run_stats_index_cols(self) -> bool:
        """The column is there."""
        return True

    def has_backfill_id_column(self) -> bool:
        """The column is there."""
        return True


class WorkerEventLogStorage(EventLogStorage):
    """Events; see `WorkerRunStorage`."""

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
        postgres_url: `postgresql+psycopg2://…`.
        should_autocreate_tables: make the tables if they are missing.
        inst_data: how Dagster makes it again in another process.
    """

    _name, _options = "shp-dagster", ""
    _runs: type[RunStorage] = RunStorage
    _events: type[EventLogStorage] = EventLogStorage

    def __init__(self, postgres_url: str, should_autocreate_tables: bool = False, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        engine = _engine(postgres_url, self._name, self._options)
        self._run_storage = _with(engine, self._runs)
        self._event_log_storage = _with(engine, self._events)
        self._schedule_storage = _with(engine, ScheduleStorage)


class WorkerStorage(PooledStorage):
    """The same for a worker, which lives for a second: it does not look at the schema again and again."""

    _name, _options = "shp-run", "-c statement_timeout=60s"
    _runs, _events = WorkerRunStorage, WorkerEventLogStorage


def _with(engine: sa.Engine, part: Any) -> Any:
    made = part(engine.url.render_as_string(hide_password=False), should_autocreate_tables=False)
    made._engine = engine
    return made


def _engine(postgres_url: str, name: str, options: str) -> sa.Engine:
    url = sa.make_url(postgres_url)
    session = {**_SESSION, "application_name": name, "options": f"{options} {url.query.get('options', '')}".strip()}
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args=session, **_POOL)
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
