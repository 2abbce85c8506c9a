"""An installation opened by a command: database up, ledger migrated, Dagster's home written.

Must not live here: long-running services; those are the supervisor's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.feeds.load import Catalogue, load_catalogue
from shp_core.feeds.model import Feed
from shp_ops.supervisor.layout import Layout, environment
from shp_resources.embedded import EmbeddedServer
from shp_resources.ledger import migrate
from shp_resources.outside import Outside
from shp_resources.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Outside]:
    """The outside systems of an installation; the embedded server is held as long as the block lasts.

    Raises:
        UsageError: the ledger's database does not answer.
    """
    server = EmbeddedServer(settings.home).held() if settings.embedded else nullcontext(settings.pg_dsn)
    with server as dsn:
        assert dsn is not None, "without the embedded server SHP_PG_DSN is set"
        _migrate(dsn)
        Layout(settings.home).write_dagster_home()
        os.environ.update(environment(settings, dsn))
        os.environ["SHP_DB_POOL"] = "1"  # this process is short-lived
        yield Outside(settings, pooled=True)


def catalogue_of(settings: Settings) -> Catalogue:
    """The installation's feeds and marts, with the errors of broken files."""
    return load_catalogue(settings.feeds, settings.marts)


def require_feed(catalogue: Catalogue, name: str) -> Feed:
    """A sound feed.

    Raises:
        UsageError: there is none of that name, or its file has errors (all of them are told).
    """
    if name in catalogue.feeds:
        return catalogue.feeds[name]
    errors = [error for error in catalogue.errors if f"/{name}.yaml:" in error]
    if errors:
        raise UsageError("\n".join(errors), "Correct the file, then run: shp feeds check", Code.FEED_INVALID)
    known = ", ".join(catalogue.feeds) or "none"
    raise UsageError(
        f"There is no feed {name!r}; there is: {known}.", "Make one with a file feeds/NAME.yaml (docs/feeds.md).", Code.FEED_UNKNOWN
    )


def _migrate(dsn: str) -> None:
    try:
        migrate(dsn)
    except Fault as fault:
        raise UsageError(
            f"The ledger's database cannot be used: {fault.message}",
            "Start it, or correct SHP_PG_DSN; without SHP_PG_DSN the embedded server is used.",
            fault.code,
        ) from fault
