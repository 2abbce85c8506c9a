"""Bring schema `shp` to the version that this program knows; Alembic does it, from inside the package.

Must not live here: the migrations (`migrations/versions`, one file each; never changed once released).
"""

from __future__ import annotations

from pathlib import Path

import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy import exc

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_resources.database import make_engine, translate
from shp_resources.ledger.columns import SCHEMA, VERSION_TABLE

HEAD = "0006"  # the newest migration; written here so that asking costs one query and no import of Alembic
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x736870  # "shp"
_VERSION = sa.text(f"SELECT version_num FROM {SCHEMA}.{VERSION_TABLE}")


def migrate(dsn: str) -> None:
    """Make or upgrade the ledger's tables; nothing happens when they are current. Any number may call it at once.

    Args:
        dsn: `postgresql://…` of the ledger's database.

    Raises:
        Fault: the database failed or refuses.
        UsageError: the tables were made by a newer version of the platform.
    """
    engine = make_engine(dsn, pooled=False)
    with translate("ledger"):
        if current_version(engine) == HEAD:
            return
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            _upgrade(connection)


def version_at(dsn: str) -> str | None:
    """The version of the tables in a database, None when there are none.

    Args:
        dsn: `postgresql://…` of the ledger's database.

    Raises:
        Fault: the database failed.
    """
    with translate("ledger"):
        return current_version(make_engine(dsn, pooled=False))


def current_version(engine: sa.Engine) -> str | None:
    """The version of the tables in a database, None when there are none."""
    try:
        with engine.connect() as connection:
            return connection.execute(_VERSION).scalar_one_or_none()
    except exc.ProgrammingError as error:
        if isinstance(error.orig, psycopg2.errors.UndefinedTable | psycopg2.errors.InvalidSchemaName):
            return None
        raise


def keep_out_of_search_path(connection: sa.Connection) -> None:
    """Keep the search for tables without a schema away from ours; `migrate` does it, and whoever restores the schema must."""
    # PostgreSQL looks first in the schema named like the role. Where that is ours, Dagster, which names no schema,
    # would look for its tables here from now on, and miss those that it made in `public` before.
    role, database = connection.execute(sa.text("SELECT current_user, current_database()")).one()
    if role == SCHEMA:
        quoted = connection.dialect.identifier_preparer.quote(database)
        connection.execute(sa.text(f"ALTER ROLE CURRENT_USER IN DATABASE {quoted} SET search_path = public"))


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    # Not IF NOT EXISTS: that needs the right to create schemas even where an administrator made ours.
    if connection.execute(sa.select(sa.func.to_regnamespace(SCHEMA))).scalar_one() is None:
        connection.execute(sa.schema.CreateSchema(SCHEMA))
    keep_out_of_search_path(connection)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UsageError(
            f"The ledger's tables are of a version that this program does not know ({error}).",
            "Install the version of shp that made them, or a newer one.",
            Code.SETTINGS_INVALID,
        ) from error
