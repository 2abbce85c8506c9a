"""What Dagster's UI shows of time: a freshness policy on every asset, and service levels beside each table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._vendored.croniter import croniter

from shp_assets.freshness import deadline
from shp_assets.lateness import look_for_late
from shp_core.clock import ManualClock
from shp_core.expectations.expected import expected
from shp_core.feeds.model import Partition
from tests.support.platforms import Platform


@pytest.mark.parametrize(
    "keys",
    [
        {"by": "day"},
        {"by": "day", "due_days": 2, "calendar": {"days": ["mon", "tue", "wed", "thu", "fri"]}},
        {"by": "week"},
        {"by": "week", "due_days": 6},
        {"by": "month", "due_days": 4},
        {"by": "hour", "due": "00:20", "timezone": "UTC"},
    ],
)
def test_the_ui_is_told_the_feeds_own_due_times(keys: dict[str, Any]) -> None:
    """The UI would call a table stale that is not due, or fresh when its file is missing."""
    spec = Partition.model_validate({"start": "2026-01-01", "due": "07:30", "timezone": "Asia/Kolkata", **keys})
    now = datetime(2026, 3, 1, tzinfo=spec.zone)
    dues = [item.due_at for item in expected(spec, now) if item.due_at is not None]
    cron = deadline(spec)
    assert cron is not None
    told = croniter(cron, (dues[0] - timedelta(seconds=1)).astimezone(spec.zone))
    assert [told.get_next(datetime) for _ in dues] == dues


def test_a_month_that_has_no_such_day_is_not_told_as_a_deadline() -> None:
    """The 31st of February would never come, and the table be fresh for ever."""
    assert deadline(Partition.model_validate({"by": "month", "start": "2026-01-01", "due": "07:30", "due_days": 30})) is None


def test_every_asset_that_is_made_has_a_policy(platform: Platform) -> None:
    """An asset without one is not among those that the UI calls stale."""
    graph = platform.definitions.resolve_asset_graph()
    without = {key.to_user_string() for key in graph.materializable_asset_keys if graph.get(key).freshness_policy is None}
    assert without == set()


def test_service_levels_stand_beside_the_table(platform: Platform) -> None:
    """Who looks at a table in the UI would not see how well its feed keeps its promises."""
    due = (platform.base / "feeds" / "counts.yaml").read_text().replace("start: 2026-01-01", 'start: 2026-02-01, due: "07:00"')
    platform.feed_file("counts", due)
    platform.change(clock=ManualClock(datetime(2026, 2, 3, 12, tzinfo=UTC)))
    look_for_late(platform.outside, platform.kits["counts"])
    (seen,) = [event for event in platform.tick("inventory").events if event.asset_key == dg.AssetKey(["warehouse", "counts"])]
    told = {name: value.value for name, value in seen.metadata.items()}
    assert (told["on_time_share"], told["on_time_target"], told["targets_met"]) == (0.0, 0.95, False)
    assert told["on_time_budget_left"] == -19.0
