"""Dagster's PostgreSQL storage for short-lived workers: one small pool of tested connections for all three parts.

dagster-postgres opens a connection per statement, which is right for processes that outlive a restart of the
database. A worker lives for a second: it keeps two connections, tests each before use (so a restart in mid-run costs a
reconnect, not the run), and does not look at the schema again and again. Made after the fork, never before.
`tests/test_upstream.py` pins what this leans on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage

_STATEMENT_SECONDS = 60
_CONNECTIONS = {"pool_size": 2, "max_overflow": 4, "pool_pre_ping": True}


class PooledRunStorage(PostgresRunStorage):
    """Runs; the columns that newer versions brought are there, for the tables were made by this version."""

    def has_run_stats_index_cols(self) -> bool:
        """The column is there."""
        return True

    def has_backfill_id_column(self) -> bool:
        """The column is there."""
        return True


class PooledEventLogStorage(PostgresEventLogStorage):
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
    settings = {"application_name": "shp-run", "options": f"-c statement_timeout={_STATEMENT_SECONDS}s"}
    return sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT", connect_args=settings, **_CONNECTIONS)


def _over(engine: sa.Engine, part: Any) -> Any:
    """A part that uses this engine instead of the one it made, which has not connected."""
    part._engine = engine
    return part
