"""What is due to be told to one destination: an incident once when it opens, reminders while it lasts, once when it is over.

A storm is folded into one: a destination gets at most `BURST` messages within `WINDOW`, and what does not fit one by one,
or had to wait for that, goes as one message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shp_core.alerts.concern import Concern

BURST, WINDOW = 3, timedelta(minutes=5)
"""So many messages a destination gets within so long, whatever happens."""

RECENT = timedelta(hours=1)
"""What was over before anybody was told of it is told of only for so long: a new destination does not hear of the past."""


class Kind(StrEnum):
    """What is told of an incident."""

    OPENED = "opened"
    REMINDER = "reminder"
    CLOSED = "closed"


@dataclass(frozen=True)
class Told:
    """What a destination was told before.

    Args:
        incident: of which incident.
        kind: what.
        at: when.
        message: number of the message that it stood in; several stand in one after a storm.
    """

    incident: int
    kind: Kind
    at: datetime
    message: int


@dataclass(frozen=True)
class Notice:
    """One thing to tell.

    Args:
        concern: the incident.
        kind: what of it.
        number: counts reminders from 1; 0 otherwise. With incident and kind it names the notice: none is told twice.
    """

    concern: Concern
    kind: Kind
    number: int = 0


def due(concerns: Iterable[Concern], told: Collection[Told], now: datetime, remind: timedelta) -> list[tuple[Notice, ...]]:
    """The messages that are due to a destination, each with what stands in it.

    Args:
        concerns: the incidents that the destination is told of, open ones and closed ones.
        told: all that it was told of them, and whatever it was told within `WINDOW`.
        now: the present instant.
        remind: how often it is reminded of what lasts.
    """
    by_incident: dict[int, list[Told]] = {}
    for one in told:
        by_incident.setdefault(one.incident, []).append(one)
    ordered = sorted(concerns, key=lambda concern: concern.id)
    found = [notice for one in ordered if (notice := _notice(one, by_incident.get(one.id, []), now, remind))]
    room = BURST - len({one.message for one in told if one.at > now - WINDOW})
    if not found or room <= 0:
        return []
    return [(notice,) for notice in found] if len(found) <= room else [tuple(found)]


def _notice(concern: Concern, told: Collection[Told], now: datetime, remind: timedelta) -> Notice | None:
    counts = Counter(one.kind for one in told)
    if counts[Kind.CLOSED]:
        return None
    if concern.closed_at is not None:
        return Notice(concern, Kind.CLOSED) if told or now - concern.closed_at <= RECENT else None
    if not told:
        return Notice(concern, Kind.OPENED)
    last = max(one.at for one in told)
    return Notice(concern, Kind.REMINDER, counts[Kind.REMINDER] + 1) if now - last >= remind else None
