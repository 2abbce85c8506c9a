"""`shp retention`: what nobody needs any more goes, of the store, of Dagster's records, of letters, of the lake.

Must not live here: what may go (`shp_core.retention`, `shp_resources.dagster_retention`), and when (the supervisor, daily).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shp_core.errors import Fault
from shp_core.feeds.load import load_catalogue
from shp_core.feeds.platform import load_platform
from shp_core.retention import MayGo, Retention, may_go
from shp_ops.installation import looked_at
from shp_ops.lake_folders import lake_folders
from shp_ops.supervisor.layout import Layout
from shp_resources.dagster_retention import old_runs, prune_runs
from shp_resources.lake.settings import lake_of
from shp_resources.lake.strays import sweep_partition
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.store import Store
from shp_resources.store.far import store_of
from shp_resources.system_clock import SystemClock

_HEAD_START_SECONDS = 24 * 3600.0
"""What was read ahead for a run that has not come by then is forgotten."""


def retention(settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    """Take away what may go.

    Args:
        settings: the installation.
        dry_run: only tell what would go.

    Returns:
        `raw` and `artefacts` (each delivery with its `bytes`), `bytes` in all, `runs`, `events`, `backfills` (how many of
        Dagster's), `captured` (runs' output), `alerts`, `lake` (what killed jobs left; None: it did not answer, or was not asked),
        `afar` (deliveries `brought` to where `SHP_STORE` keeps them too, and `removed` there; None: nowhere, or it did not answer),
        `database_bytes` (by how much Dagster's tables are smaller), `rules`, `dry_run`.

    Raises:
        UsageError: there is no installation, or `shp.yaml` has errors.
        Fault: the store or the ledger's database refuses.
    """
    rules, now = load_platform(settings.platform_file).kept(), SystemClock().now()
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        return {
            "dry_run": dry_run,
            "rules": asdict(rules),
            **_artefacts(ledger, store_of(settings), rules, now, dry_run=dry_run),
            "afar": None if dry_run or settings.store_uri is None else _match_afar(ledger, store_of(settings), rules, now),
            **_runs(settings, rules, now, dry_run=dry_run),
            "captured": _captured(settings, now - timedelta(days=rules.run_days), dry_run=dry_run),
            "alerts": _letters(ledger, now - timedelta(days=rules.alert_days), dry_run=dry_run),
            "lake": None if dry_run else _strays(settings, now),
        }


def _artefacts(ledger: Ledger, store: Store, rules: Retention, now: datetime, *, dry_run: bool) -> dict[str, Any]:
    known = ledger.deliveries.all()
    found = may_go(known, ledger.deliveries.needed(), rules, now)
    unknown = store.without_bytes(now.timestamp() - _HEAD_START_SECONDS) - {each.delivery for each in known}
    found = replace(found, artefacts=found.artefacts | unknown)
    sizes = {name: store.size_of(name, raw=name in found.raw) for name in sorted(found.artefacts | found.raw)}
    if not dry_run:
        _take_away(ledger, store, found)
        store.sweep()
    told = {name: size for name, size in sizes.items() if size}
    return {
        "raw": [{"delivery": name, "bytes": size} for name, size in told.items() if name in found.raw],
        "artefacts": [{"delivery": name, "bytes": size} for name, size in told.items() if name not in found.raw],
        "bytes": sum(told.values()),
    }


def _take_away(ledger: Ledger, store: Store, found: MayGo) -> None:
    """Take it away, look again, and put back what somebody came to need meanwhile (a rewind, the same file again)."""
    moved = {name: store.take_away(name, raw=name in found.raw) for name in found.artefacts | found.raw}
    for name in ledger.deliveries.needed() & moved.keys():
        store.put_back(moved[name])


def _match_afar(ledger: Ledger, store: Store, rules: Retention, now: datetime) -> dict[str, int] | None:
    """Bring what is kept here to where `SHP_STORE` keeps it too, and take away there what went here; a place that is away waits a day."""
    known, needed = ledger.deliveries.all(), ledger.deliveries.needed()
    gone = may_go(known, needed, rules, now).raw - needed
    try:
        done = store.match_afar({found.delivery for found in known} - gone, gone)
    except Fault:
        return None
    return None if done is None else {"brought": done[0], "removed": done[1]}


def _runs(settings: Settings, rules: Retention, now: datetime, *, dry_run: bool) -> dict[str, int]:
    dsn, before = settings.ledger_dsn(), now - timedelta(days=rules.run_days)
    assert dsn is not None  # the installation is looked at, so its database is up
    found = old_runs(dsn, before) if dry_run else prune_runs(dsn, before)
    return {"runs": found.runs, "events": found.events, "backfills": found.backfills, "database_bytes": found.bytes}


def _captured(settings: Settings, before: datetime, *, dry_run: bool) -> int:
    """What steps wrote to their standard output and error; runs whose output was captured long ago have ended."""
    old = [folder for folder in _outputs(settings) if folder.stat().st_mtime < before.timestamp()]
    for folder in [] if dry_run else old:
        shutil.rmtree(folder.parent, ignore_errors=True)
    return len(old)


def _outputs(settings: Settings) -> Iterator[Path]:
    return (Layout(settings.home).dagster_home / "storage").glob("*/compute_logs")


def _letters(ledger: Ledger, before: datetime, *, dry_run: bool) -> int:
    found = ledger.outbox.count_done(before)
    if not dry_run:
        ledger.outbox.forget_done(before)
    return found


def _strays(settings: Settings, now: datetime) -> int | None:
    """Remove what killed jobs left in the lake; one that is away is swept another day."""
    place, feeds = lake_of(settings), load_catalogue(settings.feeds, settings.marts).feeds
    try:
        return sum(len(sweep_partition(place, folder, now.timestamp())) for folder in lake_folders(place, feeds.values()))
    except Fault:
        return None
