"""A feed's service levels as the UI shows them: beside its table, told once a day, each number with a plot over time.

Must not live here: what a level is (`shp_core.service_levels`), and what counts (the ledger).
"""

from __future__ import annotations

import dagster as dg

from shp_assets.kit import FeedKit
from shp_core.service_levels import Level, Levels


def observed(kit: FeedKit, levels: Levels) -> dg.AssetObservation:
    """What is told of a feed."""
    told = {**_numbers("on_time", levels.on_time), **_numbers("success", levels.success), "targets_met": levels.met}
    return dg.AssetObservation(asset_key=kit.key("warehouse"), description="Service levels of the last 30 days", metadata=told)


def _numbers(name: str, level: Level) -> dict[str, float]:
    """A level's numbers; none where nothing counts yet."""
    if level.share is None:
        return {}
    return {f"{name}_share": round(level.share, 4), f"{name}_target": level.target, f"{name}_budget_left": round(level.budget_left, 4)}
