"""Making a backup: the ledger first, then the warehouse, then the store, while the platform runs or stands still.

Artefacts are kept before the ledger names them and never change, so a store that is copied after the ledger was read
holds whatever that ledger names. Must not live here: restoring.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

from shp_core.errors import UsageError
from shp_ops.backup.manifest import LEDGER, STORE, WAREHOUSE, Manifest, described
from shp_resources.dumps import dump, snapshot
from shp_resources.durable import sync
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock

LEDGERS_SCHEMAS = ("shp", "public")
"""Where the ledger is, and Dagster's tables."""

WAREHOUSES_SCHEMAS = ("warehouse", "quarantine", "mart", "shp_pub")
_KEPT = ("raw", "validated")
_ROOM = 1.1


def take(settings: Settings, dsn: str, ledger: str, folder: Path, *, only_ledger: bool = False) -> Manifest:
    """Make a backup; it is in its place only when it is whole.

    Args:
        settings: the installation.
        dsn: address of the ledger's database, which is up.
        ledger: version of the ledger's tables.
        folder: where to; must not exist, or be empty.
        only_ledger: without the tables of the warehouse, and the store.

    Raises:
        UsageError: there is something already, or no room, or a program refuses.
        Fault: a database failed.
    """
    with _draft(folder) as draft:
        made_at = SystemClock().now()
        _dump(settings, dsn, draft, only_ledger=only_ledger)
        if not only_ledger:
            _copy_store(settings.store, draft / STORE)
        files = {str(path.relative_to(draft)): described(path) for path in sorted(draft.rglob("*")) if path.is_file()}
        manifest = Manifest(made_at, _version(), ledger, files)
        manifest.write(draft)
        _sync(draft)
        return manifest


def _dump(settings: Settings, dsn: str, draft: Path, *, only_ledger: bool) -> None:
    """One moment of both, where one database holds both; else the ledger first, for the tables may be ahead of it, not behind."""
    other = settings.warehouse_dsn if settings.warehouse_dsn != dsn else None
    with snapshot(dsn) if other is None else nullcontext(None) as moment:
        dump(dsn, LEDGERS_SCHEMAS, draft / LEDGER, moment)
        if not only_ledger:
            dump(other or dsn, WAREHOUSES_SCHEMAS, draft / WAREHOUSE, moment)


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A folder beside the place, renamed into it at the end; gone if anything fails."""
    draft = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    with _writable(folder):
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is there already and is not empty.", "Name a new folder with --to, or leave it out.")
        draft.mkdir(parents=True, mode=0o700)
        try:
            yield draft
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync(folder.parent)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"The backup could not be written to {folder} ({error.strerror or error})."
        raise UsageError(message, "Make room or the folder writable, or name another one with --to.") from error


def _copy_store(store: Path, place: Path) -> None:
    """Copy all artefacts; what retention takes away meanwhile is not missed by anything that the ledger needs."""
    files = [path for part in _KEPT for path in sorted((store / part).rglob("*")) if path.is_file()]
    _require_room(files, place.parent)
    for path in files:
        target = place / path.relative_to(store)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, target)
        except FileNotFoundError:  # a set of files without its seal counts as not there
            target.unlink(missing_ok=True)


def _require_room(files: list[Path], place: Path) -> None:
    needed = sum(path.stat().st_size for path in files if path.exists())
    free = shutil.disk_usage(place).free
    if needed * _ROOM > free:
        raise UsageError(
            f"The store has {needed / 1e6:,.0f} MB, and only {free / 1e6:,.0f} MB are free where the backup goes.",
            "Make room, or name a folder on another disk with --to.",
        )


def _sync(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            sync(Path(place) / name)
        sync(Path(place))


def _version() -> str:
    try:
        return version("shp")
    except PackageNotFoundError:
        return "source"
