"""The databases of an installation: do they answer, are they of a version we know, may we write, do the clocks agree?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from shp_core.errors import Fault
from shp_ops.doctor.check import Check, ok, told, wrong
from shp_resources.database import address, make_engine, translate
from shp_resources.ledger.columns import SCHEMA
from shp_resources.ledger.migrate import HEAD, current_version
from shp_resources.roles import can_make_roles
from shp_resources.settings import Settings
from shp_resources.warehouse import Warehouse

MAJORS = (14, 18)
"""The oldest and the newest PostgreSQL that the platform is tested with."""

CLOCK_SECONDS = 5.0
"""Leases and due times compare the database's clock with this machine's."""

_FACTS = sa.text(
    "SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version, now() AS now,"
    " has_database_privilege(current_database(), 'CREATE') AS creates, to_regnamespace(:schema) IS NOT NULL AS made,"
    " current_user AS role, current_setting('max_connections')::int AS most,"
    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections"
)


def databases(settings: Settings, dsn: str) -> Iterator[Check]:
    """The ledger's database, and the warehouse's.

    Args:
        settings: the installation.
        dsn: where the ledger's database is now.
    """
    try:
        facts = _facts(dsn)
    except Fault as fault:
        yield wrong("ledger", fault.message, "Start the database, or correct SHP_PG_DSN.")
        return
    yield _version(facts, dsn)
    yield _rights(facts)
    yield told("roles", lambda: _roles(facts, dsn))
    yield clock((facts["now"] - datetime.now(UTC)).total_seconds())
    yield connections(facts["connections"], facts["most"])
    yield migrations(current_version(make_engine(dsn, pooled=False)))
    yield told("warehouse", lambda: _warehouse(settings.warehouse_dsn or dsn))


def _facts(dsn: str) -> dict[str, Any]:
    with translate("ledger"), make_engine(dsn, pooled=False).connect() as connection:
        return dict(connection.execute(_FACTS, {"schema": SCHEMA}).mappings().one())


def _version(facts: dict[str, Any], dsn: str) -> Check:
    url = address(dsn)
    found = f"PostgreSQL {facts['version']} at {url.host or 'a socket'}:{url.port or 5432}, database {url.database}."
    if MAJORS[0] <= facts["major"] <= MAJORS[1]:
        return ok("ledger", found)
    return wrong("ledger", found, f"Use PostgreSQL {MAJORS[0]} to {MAJORS[1]}.")


def _rights(facts: dict[str, Any]) -> Check:
    if facts["made"] or facts["creates"]:
        return ok("ledger_rights", "Our schema is there." if facts["made"] else "We may make our schema.")
    return wrong("ledger_rights", "We may not make a schema in this database.", f"As its owner run: CREATE SCHEMA {SCHEMA} AUTHORIZATION …")


def _roles(facts: dict[str, Any], dsn: str) -> str:
    if can_make_roles(dsn):
        return "Each service works under a role with least rights (docs/operations.md)."
    return f"Every service works under one role, for it may not make others; a superuser may say: ALTER ROLE {facts['role']} CREATEROLE"


def clock(ahead: float) -> Check:
    """Whether two clocks agree.

    Args:
        ahead: seconds by which the database's is ahead of this machine's.
    """
    spelled = f"The database's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's."
    if abs(ahead) <= CLOCK_SECONDS:
        return ok("clock", spelled)
    return wrong("clock", spelled, "Let both machines follow a time server (NTP).")


def connections(used: int, most: int) -> Check:
    """Whether the database has connections to spare.

    Args:
        used: connections of clients now.
        most: how many it allows.
    """
    spelled = f"{used} of {most} connections are used."
    if used * 5 <= most * 4:
        return ok("connections", spelled)
    return wrong("connections", spelled, "Raise max_connections, or find who holds them: select * from pg_stat_activity")


def migrations(version: str | None) -> Check:
    """Whether the ledger's tables are those of this program.

    Args:
        version: of the tables; None: there are none.
    """
    if version is None:
        return ok("migrations", "There are no tables yet; the first command makes them.")
    if version == HEAD:
        return ok("migrations", f"The ledger is of version {version}.")
    if version < HEAD:
        return wrong("migrations", f"The ledger is of version {version}, this program's is {HEAD}.", "Run: shp up (it upgrades)")
    message = f"The ledger is of version {version}, newer than this program's {HEAD}."
    return wrong("migrations", message, "Install the version of shp that made it, or a newer one.")


def _warehouse(dsn: str) -> str:
    Warehouse(lambda: dsn).try_out()
    return f"The warehouse at {address(dsn).host or 'a socket'} can be written."
