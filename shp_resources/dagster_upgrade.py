"""Dagster's own tables: of which version they are, and brought to that of the installed Dagster.

Must not live here: what is done before that (`shp_ops.upgrade`), and the storage (`dagster_storage`).
"""

from __future__ import annotations

from contextlib import closing

import psycopg2

from shp_core.errors import UsageError
from shp_resources.database import address, translate

STORAGE_HEAD = "29b539ebc72a"  # of the pinned Dagster; written here so that asking costs one query and no import of it


def storage_version(dsn: str) -> str | None:
    """The version of Dagster's tables in a database, None when there are none.

    Args:
        dsn: `postgresql://…`.

    Raises:
        Fault: the database failed.
    """
    where = address(dsn).set(drivername="postgresql").render_as_string(hide_password=False)
    with translate("ledger"), closing(psycopg2.connect(where, connect_timeout=10)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return None
        cursor.execute("SELECT version_num FROM public.alembic_version")
        row = cursor.fetchone()
        return str(row[0]) if row is not None else None


def require_known(version: str) -> None:
    """Refuse tables that a newer Dagster made.

    Raises:
        UsageError: the installed Dagster does not know this version.
    """
    import dagster_postgres
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from dagster._core.storage.sql import get_alembic_config

    try:
        ScriptDirectory.from_config(get_alembic_config(dagster_postgres.__file__)).get_revision(version)
    except CommandError as error:
        message = f"Dagster's tables are of a version that the installed Dagster does not know ({version})."
        raise UsageError(message, "Install the version of shp that made them, or a newer one.") from error


def make_storage() -> None:
    """Make the tables of the instance that DAGSTER_HOME names, where there are none."""
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        instance.get_runs_count()


def upgrade_storage() -> None:
    """Bring the tables of the instance that DAGSTER_HOME names to the installed Dagster's version."""
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        instance.upgrade()
