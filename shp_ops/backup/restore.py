"""Putting a backup back where nothing is: the store first, the ledger last and all at once.

A store without a ledger is harmless and a ledger without its store is not, so a restore that is interrupted is simply
given again. Tables that are there already stay as they are, and the ledger learns from them what it missed.
Must not live here: making a backup.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from shp_core.errors import UsageError
from shp_core.feeds.load import load_catalogue
from shp_ops.backup.adopt import adopt
from shp_ops.backup.lake import newest_arrival
from shp_ops.backup.manifest import LEDGER, STORE, WAREHOUSE, Manifest, described
from shp_ops.installation import opened
from shp_ops.supervisor.control import running
from shp_resources.database import make_engine
from shp_resources.dumps import load, schemas_of
from shp_resources.durable import sync
from shp_resources.ledger.migrate import HEAD, keep_out_of_search_path
from shp_resources.outside import Outside
from shp_resources.settings import Settings

_UNFINISHED = [status for status in dg.DagsterRunStatus if status.value not in ("SUCCESS", "FAILURE", "CANCELED")]
_UNDER_WAY = "It was under way when the backup was made."


def restore(settings: Settings, dsn: str, folder: Path) -> dict[str, Any]:
    """Put a backup back.

    Args:
        settings: the installation.
        dsn: address of the ledger's database, which is up and has no ledger.
        folder: the backup.

    Returns:
        `made_at`, `artefacts` (put back), `warehouse` (`restored`, `kept`, `none`), `adopted` (partitions that the tables knew more of).

    Raises:
        UsageError: the backup is not whole, or what is here is not empty, or a program refuses.
        Fault: a database or the lake failed.
    """
    manifest = Manifest.read(folder)
    require_place(settings, dsn, manifest)
    manifest.verify(folder)
    artefacts = _put_store_back(settings.store, folder, manifest)
    tables = _put_warehouse_back(settings.warehouse_dsn or dsn, folder, manifest)
    _put_ledger_back(dsn, folder)
    adopted = _catch_up(settings)
    return {"made_at": manifest.made_at, "artefacts": artefacts, "warehouse": tables, "adopted": adopted}


def require_place(settings: Settings, dsn: str, manifest: Manifest) -> None:
    """Refuse to restore over something, and what this program does not know.

    Raises:
        UsageError: a platform runs here, there is a ledger, or the backup is of a newer version.
    """
    elsewhere = "Restore into another home (--home DIR) or an empty database (SHP_PG_DSN)."
    if running(settings) is not None:
        raise UsageError(f"A platform runs in {settings.home}.", f"Stop it with: shp down. {elsewhere}")
    if "shp" in schemas_of(dsn):
        raise UsageError("There is a ledger already; a restore never overwrites one.", elsewhere)
    if manifest.ledger > HEAD:
        raise UsageError(
            f"The backup was made by shp {manifest.shp}, whose ledger (version {manifest.ledger}) is newer than this one's ({HEAD}).",
            f"Install shp {manifest.shp} or newer, then give the command again.",
        )
    if LEDGER not in manifest.files:
        raise UsageError("The backup holds no ledger.", "Use another backup.")


def _put_store_back(store: Path, folder: Path, manifest: Manifest) -> int:
    """Copy what is not there; an artefact that is there and equal stays."""
    changed = [name for name in manifest.stored() if not _stands(store / name.removeprefix(f"{STORE}/"), manifest, name)]
    for name in changed:
        target = store / name.removeprefix(f"{STORE}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        shutil.copyfile(folder / name, draft)
        sync(draft)
        draft.replace(target)
    return len(changed)


def _stands(path: Path, manifest: Manifest, name: str) -> bool:
    return path.is_file() and described(path) == manifest.files[name]


def _put_warehouse_back(dsn: str, folder: Path, manifest: Manifest) -> str:
    if schemas_of(dsn) & {"warehouse", "shp_pub"}:
        return "kept"
    if WAREHOUSE not in manifest.files:
        return "none"
    load(dsn, folder / WAREHOUSE)
    return "restored"


def _put_ledger_back(dsn: str, folder: Path) -> None:
    load(dsn, folder / LEDGER)
    with make_engine(dsn, pooled=False).begin() as connection:
        keep_out_of_search_path(connection)


def _catch_up(settings: Settings) -> list[Mapping[str, str]]:
    """Bring the restored ledger to this program's version, end what was under way, and learn from the sinks."""
    with opened(settings) as outside, dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
            instance.report_run_failed(run, _UNDER_WAY)
        return [{"feed": record.feed, "partition": record.partition} for record in _learn(settings, outside)]


def _learn(settings: Settings, outside: Outside) -> list[Any]:
    feeds = load_catalogue(settings.feeds, settings.marts).feeds
    outside.ledger.arrivals.continue_above(newest_arrival(outside.lake, feeds.values()))
    return adopt(outside.ledger, outside.warehouse.records(), outside.store)
