"""When people are told that the platform itself is not ready: not at the first hiccup, once, again while it lasts, once when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shp_core.alerts.plan import Kind

PATIENCE = timedelta(minutes=1)
"""So long a service may be away before anybody is told; a restart takes seconds."""


@dataclass(frozen=True)
class Outage:
    """What is known of it.

    Args:
        since: since when something is not ready; None: everything is.
        told_at: when people were last told of it, None: not yet.
    """

    since: datetime | None = None
    told_at: datetime | None = None


def step(outage: Outage, away: bool, now: datetime, remind: timedelta) -> tuple[Outage, Kind | None]:
    """What it becomes with one more look, and what people are to be told then.

    Args:
        outage: what was known before.
        away: whether something is not ready now.
        now: the present instant.
        remind: how often people are reminded of what lasts.
    """
    if not away:
        return Outage(), Kind.CLOSED if outage.told_at else None
    since = outage.since or now
    if outage.told_at is None:
        due = Kind.OPENED if now - since >= PATIENCE else None
    else:
        due = Kind.REMINDER if now - outage.told_at >= remind else None
    return Outage(since, now if due else outage.told_at), due
