"""Which process works under which database role: the least that it can work with.

    owner's address   preparation, retention, commands that a person gives
    writer            code server, fork server and its workers, daemon, webserver, watchdog
    reader            the webserver for viewers

Where the role of an address may not make others, everything works under that one, as a person set it up.
Must not live here: making the roles (`shp_resources.roles`, called by the preparation).
"""

from __future__ import annotations

import os

from shp_ops.supervisor import probes
from shp_ops.supervisor.layout import environment, python_path
from shp_resources.logs import json_lines
from shp_resources.processes import MARK
from shp_resources.role_access import Login, as_role, passwords
from shp_resources.settings import Settings

_ADDRESSES = ("SHP_PG_DSN", "SHP_WAREHOUSE_DSN")
_THRIFTY = {"MALLOC_ARENA_MAX": "2", "PYTHONNODEBUGRANGES": "1"}
"""Threads that mostly wait need no heap of their own each, and tracebacks in logs no marks below their lines: megabytes less."""

_MAY = "select rolsuper or rolcreaterole from pg_roles where rolname = current_user"


class Access:
    """What processes of one platform are started with.

    Args:
        settings: the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, bool] = {}

    def owners_environment(self, dsn: str, mark: str) -> dict[str, str]:
        """The whole environment, with the addresses as a person set them up.

        Args:
            dsn: address of the ledger's database.
            mark: what tells the platform's processes from others.
        """
        inherited = {name: value for name, value in os.environ.items() if name != "SHP_SCRATCH_STORAGE"}
        ours = {MARK: mark, "PYTHONUNBUFFERED": "1", "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": "5", **json_lines()}
        return _THRIFTY | inherited | python_path() | environment(self._settings, dsn) | self._settings.sources.as_environment() | ours

    def environment(self, dsn: str, mark: str, login: Login) -> dict[str, str]:
        """The whole environment, with the addresses of a role.

        Args:
            dsn: address of the ledger's database, as a person set it up.
            mark: what tells the platform's processes from others.
            login: the role.
        """
        owners, known = self.owners_environment(dsn, mark), passwords(self._settings.home)
        if login == "reader":  # it fetches nothing
            owners = {name: value for name, value in owners.items() if name not in self._settings.sources.as_environment()}
        theirs = {name: as_role(owners[name], login, known[login]) for name in _ADDRESSES if self._has_roles(owners[name])}
        return owners | theirs

    def _has_roles(self, dsn: str) -> bool:
        """Asked once: what a platform began with it goes on with. A database that does not answer has none."""
        database = dsn.rpartition("@")[2].partition(":")[0] + dsn.rpartition("/")[2]  # an embedded server may come back on another port
        if database not in self._known:
            self._known[database] = _may_make_roles(dsn)
        return self._known[database]


def _may_make_roles(dsn: str) -> bool:
    try:
        return probes.query(dsn, _MAY) == [(True,)]
    except probes.database_error():
        return False
