"""What must be done once before the services start: the tables made or brought up to date, the ledger told what it missed.

A process of its own, beside the starting code server: the libraries it needs would stay in the supervisor's memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_ops.supervisor.layout import python

if TYPE_CHECKING:
    from shp_resources.settings import Settings

_LOOK_SECONDS = 0.2


def start(environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the preparation; `finish` waits for it.

    Args:
        environ: the whole environment, with SHP_PG_DSN.
    """
    command = python("shp_ops.supervisor.prepare")
    return subprocess.Popen(
        command,
        env=dict(environ),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], meanwhile: Callable[[], None] = lambda: None) -> list[str]:
    """Wait for the preparation.

    Args:
        process: what `start` gave.
        meanwhile: called several times a second; what it raises ends the waiting.

    Returns:
        What was done beside the usual, a line each.

    Raises:
        ShpError: it failed.
    """
    said = _all_of(process, meanwhile)
    if process.returncode == 0:
        return said.splitlines()
    last = said.strip().rpartition("\n")[2]
    raise _error_in(last) or ShpError(Code.CODE_BUG, f"The ledger could not be prepared: {last[:300]}", said[-2000:])


def _all_of(process: subprocess.Popen[str], meanwhile: Callable[[], None]) -> str:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK_SECONDS)[0]
        meanwhile()


def _error_in(line: str) -> ShpError | None:
    try:
        error = json.loads(line)["error"]
    except (ValueError, TypeError, KeyError):
        return None
    return ShpError(Code(error["code"]), error["message"], error["next"])


def main() -> int:
    """Do it; the last line tells an error of ours as JSON, each before it what was done."""
    from shp_resources.settings import Settings

    try:
        for line in _prepared(Settings.load(), os.environ["SHP_PG_DSN"]):
            sys.stdout.write(f"{line}\n")
    except ShpError as error:
        sys.stdout.write(json.dumps({"error": error.as_dict()}) + "\n")
        return 2
    return 0


def _prepared(settings: Settings, dsn: str) -> Iterator[str]:
    from shp_ops.upgrade import upgrade_dagster, upgrade_ledger

    for made, what in ((upgrade_ledger(settings, dsn), "the ledger"), (upgrade_dagster(settings, dsn), "Dagster's tables")):
        if made is not None:
            yield f"{what} brought to this version; the state before that is in {made}"
    _make_roles(settings, dsn)
    found = _what_was_missed(settings)
    if found:
        yield f"the ledger learned of {found} publications from the tables, which are newer"


def _make_roles(settings: Settings, dsn: str) -> None:
    """Make what the services, whose roles make no schemas, must find; then the roles, where the address' own may."""
    from shp_resources.dagster_upgrade import make_storage, storage_version
    from shp_resources.roles import can_make_roles

    tables = settings.sink_dsn() or dsn
    if can_make_roles(dsn):
        if storage_version(dsn) is None:
            make_storage()
        _give_rights(settings, dsn, with_tables=tables == dsn)
    if tables != dsn:
        with suppress(Fault):  # another server, which may come up later: its breaker tells
            if can_make_roles(tables):
                _give_rights(settings, tables, with_tables=True)


def _give_rights(settings: Settings, dsn: str, *, with_tables: bool) -> None:
    from shp_resources.role_access import passwords
    from shp_resources.roles import make_roles
    from shp_resources.warehouse import Warehouse

    if with_tables:
        Warehouse(lambda: dsn).make_schemas()
    make_roles(dsn, passwords(settings.home))


def _what_was_missed(settings: Settings) -> int:
    """What a ledger that was restored by other means than ours does not know; an unreachable warehouse is asked at the next start."""
    from shp_ops.backup.adopt import adopt
    from shp_resources.ledger import Ledger
    from shp_resources.store.far import store_of
    from shp_resources.warehouse import Warehouse

    with suppress(Fault):
        return len(adopt(Ledger(settings.ledger_dsn), Warehouse(settings.sink_dsn).records(), store_of(settings)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
