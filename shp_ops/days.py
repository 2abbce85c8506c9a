"""What commands show of the days of a feed that expects a number of files each day, and how a person gives one up.

Must not live here: partitions (`views`, `healing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shp_core.errors import UsageError
from shp_core.expectations.counted import Tally
from shp_core.feeds.model import Feed
from shp_core.states import State
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock


@dataclass(frozen=True)
class DayView:
    """Where a day stands, as `shp waive` tells it of partitions too.

    Args:
        state: `expected`, `late`, `waived`; `arrived`: its files came.
        message: why it was waived.
        due_at: when its files are due.
    """

    state: State
    message: str | None
    due_at: datetime


def day_view(settings: Settings, feed: str) -> list[dict[str, Any]]:
    """The last days of a feed that expects a number of files, the oldest first; none of other feeds.

    Raises:
        UsageError: there is no such feed, or no installation.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    if model.partition.a_day is None:
        return []
    with looked_at(settings):
        now = SystemClock().now()
        return [_shown(tally, now) for tally in Ledger(settings.ledger_dsn).days.tallies(feed, model.partition, now)]


def waive_day(ledger: Ledger, model: Feed, day: str, why: str | None) -> DayView | None:
    """Wait no more for the rest of a day's files, or wait again; None where the feed has no such day.

    Args:
        ledger: the ledger.
        model: the feed.
        day: the day, such as 2026-11-20.
        why: what people are told; None takes the waiver back.

    Raises:
        UsageError: all files of the day came; or there is no waiver to take back.
    """
    now = SystemClock().now()
    found = next((tally for tally in ledger.days.tallies(model.feed, model.partition, now) if tally.day.key == day), None)
    if found is None:
        return None
    state = found.state(now)
    if state is State.ARRIVED and why is not None:
        raise UsageError(f"All files of {model.feed} came for {day}.", f"See what came: shp partitions {model.feed}")
    if why is None and found.day.waived is None:
        raise UsageError(f"{model.feed}/{day} is not waived.", f"See where it stands: shp partitions {model.feed}")
    ledger.days.waive(model.feed, found.day, why)
    left = State.LATE if found.day.due_at <= now else State.EXPECTED
    return DayView(State.WAIVED if why is not None else left, why, found.day.due_at)


def _shown(tally: Tally, now: datetime) -> dict[str, Any]:
    day = tally.day
    counts = {"expected": day.wanted, "on_time": tally.on_time, "came": tally.came}
    return {"day": day.key, "state": str(tally.state(now)), **counts, "due_at": day.due_at, "waived": day.waived}
