"""What Dagster's UI shows as fresh, for every asset of a feed.

Dagster knows freshness for an asset, not for a partition, so a backfill of an old day turns it green: what is late is the
ledger's business (`lateness`). Must not live here: due times (`shp_core.expectations`).
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from shp_assets.kit import FeedKit
from shp_core.feeds.partition import WEEKDAYS, Partition

_DAY = timedelta(days=1)
_WINDOWS = {"file": 7, "hour": 1, "day": 2, "week": 9, "month": 33}
"""Days after which a feed without due times is called stale."""

_LAST_DAY_OF_ALL_MONTHS = 28


def freshness(kit: FeedKit) -> dg.FreshnessPolicy:
    """By when something of a feed is to be made again: at each due time, or at least once in a period."""
    spec = kit.feed.partition
    cron = deadline(spec)
    if cron is None:
        fail = _WINDOWS[spec.by] * _DAY
        return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=fail * 2 / 3)
    within = {"hour": timedelta(hours=1), "week": 7 * _DAY}.get(spec.by, _DAY)
    zone = "UTC" if spec.by == "hour" else spec.timezone  # hours are those of UTC
    return dg.FreshnessPolicy.cron(deadline_cron=cron, lower_bound_delta=within, timezone=zone)


def deadline(spec: Partition) -> str | None:
    """The due times of a feed as cron writes them; None where there are none, or cron has no words for them."""
    if not spec.by_period or spec.due is None:
        return None
    hour, minute = (int(part) for part in spec.due.split(":"))
    after = spec.due_days or 0
    if spec.by == "hour":
        return f"{minute} * * * *"
    if spec.by == "week":
        return f"{minute} {hour} * * {(1 + after) % 7}"
    if spec.by == "month":
        return f"{minute} {hour} {1 + after} * *" if after < _LAST_DAY_OF_ALL_MONTHS else None
    return f"{minute} {hour} * * {_days(spec, after)}"


def _days(spec: Partition, after: int) -> str:
    """The days of the week on which something is due."""
    if spec.calendar is None or len(set(spec.calendar.days)) == len(WEEKDAYS):
        return "*"
    return ",".join(sorted(str((WEEKDAYS.index(day) + 1 + after) % 7) for day in set(spec.calendar.days)))
