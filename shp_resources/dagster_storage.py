"""Where Dagster keeps runs and events: the storage class that every `dagster.yaml` of ours names.

PostgreSQL when an address is known (`SHP_PG_DSN`, or the embedded server's file under `SHP_HOME`), else a throw-away
SQLite, so that `dagster definitions validate` and `dagster dev` work with nothing installed and nothing running.
Must not live here: our own tables; how the storages work (`pooled_storage`, `event_storage`).
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from contextlib import closing
from typing import Any

import psycopg2
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from shp_resources.pooled_storage import PooledStorage, WorkerStorage
from shp_resources.settings import Settings

_LOG = logging.getLogger("shp.storage")
_POOL, _TABLES_ARE_THERE, _SCRATCH = "SHP_DB_POOL", "SHP_DB_TABLES", "SHP_SCRATCH_STORAGE"
_CREATION_LOCK = 0x5348_5001  # one number for all processes that may find the tables missing at the same time
_TABLES = ("runs", "event_logs", "instigators", "instance_info")


class ShpStorage(DagsterStorage, ConfigurableClass):
    """Named in `dagster.yaml` as `storage.custom`; makes one of Dagster's own storages."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No options: the address comes from the settings."""
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> DagsterStorage:
        """The storage for this process.

        Args:
            inst_data: how Dagster makes it again in another process.
            config_value: always empty.
        """
        dsn = Settings.load().ledger_dsn()
        return _scratch(inst_data) if dsn is None else _postgres(dsn, inst_data)


def is_short_lived() -> bool:
    """Whether this process works for one run, or one command, and ends: then it may keep what it has opened."""
    return os.environ.get(_POOL) == "1"


def sqlalchemy_url(dsn: str) -> str:
    """The address with its driver named: SQLAlchemy 2.1 changes what plain `postgresql://` means."""
    scheme, separator, rest = dsn.partition("://")
    return f"postgresql+psycopg2://{rest}" if separator and scheme in ("postgres", "postgresql") else dsn


def _postgres(dsn: str, inst_data: ConfigurableClassData | None) -> DagsterStorage:
    if not is_short_lived():
        return _storage_at(dsn, inst_data)
    if os.environ.get(_TABLES_ARE_THERE) != "1":  # whoever forked us may have looked already
        _storage_at(dsn, inst_data)
    return WorkerStorage(sqlalchemy_url(dsn), inst_data=inst_data)


def _storage_at(dsn: str, inst_data: ConfigurableClassData | None) -> PooledStorage:
    try:
        connection = _connect(dsn)
    except psycopg2.OperationalError:  # perhaps just restarting: Dagster's own look at the tables tries for some seconds
        return PooledStorage(sqlalchemy_url(dsn), should_autocreate_tables=True, inst_data=inst_data)
    with closing(connection):
        missing = not _all_tables_exist(connection)
        if missing:  # the webserver and the daemon start together; the lock ends with the connection
            connection.cursor().execute("select pg_advisory_lock(%s)", (_CREATION_LOCK,))
        return PooledStorage(sqlalchemy_url(dsn), should_autocreate_tables=missing, inst_data=inst_data)


def _connect(dsn: str) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(dsn.replace("postgresql+psycopg2://", "postgresql://", 1), connect_timeout=10)
    connection.autocommit = True
    return connection


def _all_tables_exist(connection: psycopg2.extensions.connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select bool_and(to_regclass(name) is not null) from unnest(%s) as name", (list(_TABLES),))
        row = cursor.fetchone()
    return bool(row and row[0])


def _scratch(inst_data: ConfigurableClassData | None) -> DagsterStorage:
    folder = os.environ.get(_SCRATCH)
    if folder is None:
        folder = tempfile.mkdtemp(prefix="shp-dagster-")
        os.environ[_SCRATCH] = folder  # the processes that `dagster dev` starts must share one
        atexit.register(_remove, folder, os.getpid())
        _LOG.warning("No PostgreSQL is known (SHP_PG_DSN, or a running shp up): runs and events go to %s and are removed at exit.", folder)
    return DagsterSqliteStorage.from_local(folder, inst_data=inst_data)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
