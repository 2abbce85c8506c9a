"""When a period is due, in the feed's time zone.

Where clocks are turned, a time of day may not exist, or exist twice; due is then the later reading, so that nobody is
told too early: 02:30 in a night without it is 03:30, and in a night with two it is the second.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shp_core.expectations.periods import HOUR, following
from shp_core.feeds.partition import Partition


def due_at(spec: Partition, begin: date | datetime) -> datetime | None:
    """The instant at which a period's file is due, in UTC; None where the feed names no due time.

    Args:
        spec: of a feed by period.
        begin: the period's first day, or by hour its first instant.
    """
    if spec.due is None:
        return None
    clock = time.fromisoformat(spec.due)
    if isinstance(begin, datetime):
        return begin + HOUR + timedelta(hours=clock.hour, minutes=clock.minute)
    day = begin if spec.by == "day" else following(spec.by, begin)
    return instant(day + timedelta(days=spec.due_days or 0), clock, spec.zone)


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a clock on the wall shows a time of day; the later one where there are two readings."""
    wall = datetime.combine(day, clock, zone)
    return max(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
