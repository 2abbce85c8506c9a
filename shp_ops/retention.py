"""`shp retention`: artefacts that nobody needs any more are taken out of the store, and are gone a day later.

Must not live here: what may go (`shp_core.retention`).
"""

from __future__ import annotations

from typing import Any

from shp_core.feeds.platform import load_platform
from shp_core.retention import MayGo, may_go
from shp_ops.installation import looked_at
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.store import Store
from shp_resources.system_clock import SystemClock


def retention(settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    """Take away what may go.

    Args:
        settings: the installation.
        dry_run: only tell what would go.

    Returns:
        `raw` and `artefacts` (each delivery with its `bytes`), `bytes` in all, `rules`, `dry_run`.

    Raises:
        UsageError: there is no installation, or `shp.yaml` has errors.
        Fault: the store refuses.
    """
    rules = load_platform(settings.platform_file).kept()
    with looked_at(settings):
        ledger, store = Ledger(settings.ledger_dsn), Store(settings.store)
        found = may_go(ledger.deliveries.all(), ledger.deliveries.needed(), rules, SystemClock().now())
        sizes = {name: store.size_of(name, raw=name in found.raw) for name in sorted(found.artefacts | found.raw)}
        if not dry_run:
            _take_away(ledger, store, found)
            store.sweep()
    told = {name: size for name, size in sizes.items() if size}
    return {
        "dry_run": dry_run,
        "rules": {"raw_days": rules.raw_days, "artefact_days": rules.artefact_days, "keep": rules.keep},
        "raw": [{"delivery": name, "bytes": size} for name, size in told.items() if name in found.raw],
        "artefacts": [{"delivery": name, "bytes": size} for name, size in told.items() if name not in found.raw],
        "bytes": sum(told.values()),
    }


def _take_away(ledger: Ledger, store: Store, found: MayGo) -> None:
    """Take it away, look again, and put back what somebody came to need meanwhile (a rewind, the same file again)."""
    moved = {name: store.take_away(name, raw=name in found.raw) for name in found.artefacts | found.raw}
    for name in ledger.deliveries.needed() & moved.keys():
        store.put_back(moved[name])
