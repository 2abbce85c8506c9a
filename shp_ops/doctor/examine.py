"""All questions, in the order in which a person would ask them."""

from __future__ import annotations

from collections.abc import Iterator

from shp_core.errors import ShpError
from shp_ops.doctor.check import Check, ok, wrong
from shp_ops.doctor.databases import databases
from shp_ops.doctor.files import files
from shp_ops.doctor.machine import machine
from shp_ops.doctor.platform import lake, platform, ports, sensors
from shp_ops.installation import database_of
from shp_resources.settings import Settings


def examine(settings: Settings) -> Iterator[Check]:
    """Look at an installation.

    Args:
        settings: the installation; there may be none yet.

    Yields:
        One answer after the other; the slow ones last.
    """
    yield from machine(settings)
    yield from files(settings)
    yield from _databases(settings)
    yield ports(settings)
    yield from platform(settings)
    yield from lake(settings)


def _databases(settings: Settings) -> Iterator[Check]:
    if settings.embedded and not settings.dsn_file.parent.is_dir():
        yield ok("ledger", "There is no database yet; the first command makes an embedded one.")
        return
    try:
        with database_of(settings) as dsn:
            yield from databases(settings, dsn)
            yield sensors(dsn)
    except ShpError as error:
        yield wrong("ledger", error.message, error.next_step)
