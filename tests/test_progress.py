"""How far history is caught up: counted in the ledger, shown in `shp status` and on the asset."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shp_core.progress import Progress
from shp_ops.healing import health_view
from tests.support.platforms import Platform, order


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 500, "░░░░░░░░░░░░░░░░░░░░ 0 of 500"),
        (25, 100, "█████░░░░░░░░░░░░░░░ 25 of 100"),
        (1499, 1500, "███████████████████░ 1,499 of 1,500"),
        (3, 3, "████████████████████ 3 of 3"),
    ],
)
def test_a_bar_is_full_only_when_all_is_done(done: int, total: int, text: str) -> None:
    """Somebody would switch the machine off before the last file is loaded."""
    assert str(Progress(done, total)) == text


def old(path: Path) -> None:
    """Let a file have been written an hour ago."""
    then = time.time() - 3600
    os.utime(path, (then, then))


def shown(platform: Platform) -> object:
    """What `shp status` tells of it."""
    return health_view(platform.settings)["catch_up"]


def test_catching_up_is_shown_in_status_and_on_the_asset(platform: Platform) -> None:
    """After a weekend's stop nobody could tell whether the platform gets on, or when it is through."""
    assert shown(platform) == []
    for number in range(3):
        old(platform.drop(f"f{number}.xlsx", [order(number + 1)]))
    platform.drop("live.xlsx", [order(9)])
    tick = platform.tick()
    live, *history = tick.requests
    tick.requests = [live]
    platform.fulfil(tick)
    assert shown(platform) == [{"feed": "orders", "done": 0, "total": 3}], "what came just now is no history"
    seen = []
    for request in history:
        tick.requests = [request]
        (run,) = platform.fulfil(tick)
        seen.append((platform.metadata(run, "warehouse")["catch_up"], shown(platform)))
    assert seen == [
        ("██████░░░░░░░░░░░░░░ 1 of 3", [{"feed": "orders", "done": 1, "total": 3}]),
        ("█████████████░░░░░░░ 2 of 3", [{"feed": "orders", "done": 2, "total": 3}]),
        ("████████████████████ 3 of 3", []),
    ]


def test_what_was_caught_up_last_week_does_not_count(platform: Platform) -> None:
    """The bar would begin at nine tenths, and tell nothing."""
    old(platform.drop("a.xlsx", [order(1)]))
    platform.fulfil(platform.tick())
    platform.sql("update shp.arrivals set at = at - interval '7 days', mtime_ns = mtime_ns - 7 * 86400 * 1000000000::bigint returning 1")
    for name in ("b", "c"):
        old(platform.drop(f"{name}.xlsx", [order(ord(name))]))
    platform.tick()
    assert shown(platform) == [{"feed": "orders", "done": 0, "total": 2}]
