"""Days of a feed that expects a number of files each day: which days there are, when they are due, how many of their files came.

A file counts for the day of the feed's time zone on which it first came. Files beyond a day's number, and those of a day on
which none is expected, make up for earlier days that lack some, the oldest first. Must not live here: what came (the ledger).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from shp_core.expectations.due import instant
from shp_core.feeds.partition import Partition
from shp_core.states import State

REMEMBERED = timedelta(days=31)
"""So far back days are looked at; service levels look back thirty."""


@dataclass(frozen=True)
class Day:
    """A day of which files are expected.

    Args:
        day: the day, in the feed's time zone.
        wanted: how many files are expected.
        due_at: by when, in UTC.
        waived: why nobody waits for the rest; None: it is waited for.
    """

    day: date
    wanted: int
    due_at: datetime
    waived: str | None = None

    @property
    def key(self) -> str:
        """The day as people write it."""
        return self.day.isoformat()


@dataclass(frozen=True)
class Tally:
    """What came of a day's files.

    Args:
        day: the day.
        on_time: how many came by its due time.
        came: how many came until now, with those that made up for it later.
    """

    day: Day
    on_time: int
    came: int

    def state(self, now: datetime) -> State:
        """Where the day stands, in the words of partitions; `arrived`: all of its files came."""
        if self.came >= self.day.wanted:
            return State.ARRIVED
        if self.day.waived is not None:
            return State.WAIVED
        return State.LATE if self.day.due_at <= now else State.EXPECTED


def days_of(spec: Partition, now: datetime) -> list[Day]:
    """The days that have begun, as the feed file has them now; none of a feed that expects no number of files.

    Args:
        spec: the feed's partitions.
        now: the present instant.
    """
    if spec.a_day is None or spec.start is None or spec.due is None:
        return []
    clock, wanted = time.fromisoformat(spec.due), spec.a_day
    today = now.astimezone(spec.zone).date()
    return [Day(day, wanted, instant(day, clock, spec.zone)) for day in _since(max(spec.start, today - REMEMBERED), today, spec)]


def tallies(spec: Partition, days: Iterable[Day], firsts: Sequence[datetime]) -> list[Tally]:
    """What came of each day's files, in order of days.

    Args:
        spec: the feed's partitions.
        days: the days that are looked at.
        firsts: when each file first came, from the first of the days on.
    """
    known = sorted(days, key=lambda day: day.day)
    by_day: dict[date, list[datetime]] = {}
    for first in firsts:
        by_day.setdefault(first.astimezone(spec.zone).date(), []).append(first)
    came = _made_up(known, {day: len(found) for day, found in by_day.items()})
    return [Tally(day, _on_time(day, by_day.get(day.day, ())), came[day.day]) for day in known]


def _made_up(days: Sequence[Day], came: Mapping[date, int]) -> dict[date, int]:
    """How many files each day has, after those to spare of later days made up for what it lacked."""
    counts = {day.day: min(day.wanted, came.get(day.day, 0)) for day in days}
    for later in sorted(came):
        spare = came[later] - counts.get(later, 0)
        for day in (day for day in days if day.day < later):
            taken = min(spare, day.wanted - counts[day.day])
            counts[day.day], spare = counts[day.day] + taken, spare - taken
    return counts


def _on_time(day: Day, firsts: Iterable[datetime]) -> int:
    return min(day.wanted, sum(first <= day.due_at for first in firsts))


def _since(first: date, last: date, spec: Partition) -> Iterator[date]:
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if spec.calendar is None or spec.calendar.expects(day):
            yield day
