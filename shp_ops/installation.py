"""An installation opened by a command: feeds found, database up, ledger there, Dagster's home written.

Must not live here: long-running services; those are the supervisor's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.feeds.load import Catalogue, load_catalogue
from shp_core.feeds.model import Feed
from shp_core.feeds.platform import load_platform
from shp_ops.bundle_files import bundled
from shp_ops.supervisor.layout import Layout, environment
from shp_resources.settings import Settings

if TYPE_CHECKING:
    from shp_resources.outside import Outside


def catalogue_of(settings: Settings) -> Catalogue:
    """The installation's feeds and marts, with the errors of broken files, `shp.yaml` among them."""
    catalogue = load_catalogue(settings.feeds, settings.marts)
    try:
        load_platform(settings.platform_file)
    except UsageError as error:
        catalogue.errors.extend(error.message.splitlines())
    return catalogue


def or_examples(settings: Settings) -> Settings:
    """These settings; with the feeds that come with the package where no folder is named and the usual one is missing."""
    if settings.feeds.is_dir() or settings.feeds != settings.base / "feeds":
        return settings
    return replace(settings, feeds=bundled("feeds"))


def require_feed(settings: Settings, catalogue: Catalogue, name: str) -> Feed:
    """A sound feed.

    Args:
        settings: the installation, which says where feed files are looked for.
        catalogue: its feeds.
        name: the feed's name.

    Raises:
        UsageError: there is none of that name, or its file has errors (all of them are told).
    """
    if name in catalogue.feeds:
        return catalogue.feeds[name]
    errors = [error for error in catalogue.errors if f"/{name}.yaml:" in error or f"/{name}.yml:" in error]
    if errors:
        raise UsageError("\n".join(errors), "Correct the file, then run: shp feeds check", Code.FEED_INVALID)
    if not settings.feeds.is_dir():
        raise UsageError(
            f"There is no feed {name!r}: the folder {settings.feeds} is missing.",
            "Go to the folder that holds your feeds/, or name them with SHP_FEEDS.",
            Code.FEED_UNKNOWN,
        )
    known = ", ".join(catalogue.feeds) or "none"
    raise UsageError(
        f"There is no feed {name!r} in {settings.feeds}; there is: {known}.",
        f"Use one of them, or make {settings.feeds / name}.yaml (docs/feeds.md).",
        Code.FEED_UNKNOWN,
    )


@contextmanager
def opened(settings: Settings) -> Iterator[Outside]:
    """The outside systems of an installation, which is made if there is none yet.

    The embedded server is held, and Dagster's environment is this installation's, as long as the block lasts.

    Raises:
        UsageError: the ledger's database does not answer, or the home cannot be written.
    """
    with database_of(settings) as dsn:
        _bring_up_to_date(settings, dsn)
        _write_dagster_home(settings)
        with _environ({**environment(settings, dsn), "SHP_DB_POOL": "1"}):  # this process is short-lived
            from shp_resources.outside import outside_of  # takes a second to import

            yield outside_of(settings, pooled=True)


@contextmanager
def looked_at(settings: Settings) -> Iterator[Settings]:
    """An installation that is only read: nothing is made; an embedded server that is down is up while the block lasts.

    Yields:
        Its settings, which know the addresses of its databases now.

    Raises:
        UsageError: there is no installation yet, or its database does not answer.
    """
    if settings.embedded and not settings.dsn_file.parent.is_dir():
        raise _nothing_here(settings)
    with database_of(settings) as dsn:
        if ledger_version_at(dsn) is None:
            raise _nothing_here(settings)
        _bring_up_to_date(settings, dsn)
        yield settings


@contextmanager
def as_it_is(settings: Settings) -> Iterator[tuple[str, str]]:
    """An installation that is copied: nothing is made, and nothing brought up to date.

    Yields:
        The address of its ledger's database, and the version of the ledger's tables.

    Raises:
        UsageError: there is no installation yet, or its database does not answer.
    """
    if settings.embedded and not settings.dsn_file.parent.is_dir():
        raise _nothing_here(settings)
    with database_of(settings) as dsn:
        version = ledger_version_at(dsn)
        if version is None:
            raise _nothing_here(settings)
        yield dsn, version


def database_of(settings: Settings) -> AbstractContextManager[str]:
    """The address of the ledger's database, which is up while the block lasts if it is the embedded one."""
    if settings.pg_dsn is not None:
        return nullcontext(settings.pg_dsn)
    from shp_resources.embedded import EmbeddedServer

    return EmbeddedServer(settings.home).held()


def ledger_version_at(dsn: str) -> str | None:
    """The version of the ledger's tables, None when there are none.

    Raises:
        UsageError: the database does not answer.
    """
    from shp_resources.ledger.migrate import version_at

    with _answering():
        return version_at(dsn)


def _bring_up_to_date(settings: Settings, dsn: str) -> None:
    """Make the ledger's tables; those of an earlier version only after a backup, and not under a platform of that version."""
    from shp_resources.ledger.migrate import migrate

    if _is_of_earlier_version(dsn):
        from shp_ops.upgrade import require_stopped, upgrade_ledger

        require_stopped(settings)
        upgrade_ledger(settings, dsn)
    with _answering():
        migrate(dsn)


def _is_of_earlier_version(dsn: str) -> bool:
    from shp_resources.ledger.migrate import HEAD

    found = ledger_version_at(dsn)
    return found is not None and found < HEAD


@contextmanager
def _answering() -> Iterator[None]:
    """Without its ledger no command can work: what the database says becomes the command's own error."""
    try:
        yield
    except Fault as fault:
        raise UsageError(
            f"The ledger's database cannot be used: {fault.message}",
            "Start it, or correct SHP_PG_DSN; without SHP_PG_DSN the embedded server is used.",
            fault.code,
        ) from fault


def _nothing_here(settings: Settings) -> UsageError:
    place = str(settings.home) if settings.embedded else "the database that SHP_PG_DSN names"
    return UsageError(
        f"There is no installation in {place} yet.",
        "Make it with: shp ingest FEED FILE, or shp up. Or name another one: --home DIR, SHP_HOME, SHP_PG_DSN.",
    )


def _write_dagster_home(settings: Settings) -> None:
    try:
        Layout(settings.home).write_dagster_home()
    except OSError as error:
        raise UsageError(
            f"The home {settings.home} cannot be written ({error.strerror}).",
            "Make it writable, or choose another one with --home or SHP_HOME.",
            Code.SETTINGS_INVALID,
        ) from error


@contextmanager
def _environ(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process, and of those it starts, for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
