"""Times of a clock as cron writes them (`*/15 * * * *`): what such a text means, and which moment comes next.

Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday; names such as `mon`, `jan` count). Where
both days are restricted, either will do, as in every cron. Where clocks are turned, a moment that is skipped comes as much later,
and one that comes twice counts once, the second time; of a text that names every hour, both times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shp_core.expectations.due import instant

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {"month": {name: 1 + place for place, name in enumerate(_MONTHS)}, "weekday": {name: n for n, name in enumerate(_WEEKDAYS)}}
_MOST_DAYS = 366 * 8 + 1
"""So far apart are two 29th of February at most."""


@dataclass(frozen=True)
class Cron:
    """Moments of a clock on the wall.

    Args:
        minutes: 0 to 59.
        hours: 0 to 23.
        days: of the month, None: any.
        months: 1 to 12.
        weekdays: 0 (Sunday) to 6, None: any.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    def has(self, day: date) -> bool:
        """Whether it names anything on a day."""
        by_month = self.days is None or day.day in self.days
        by_week = self.weekdays is None or day.isoweekday() % 7 in self.weekdays
        either = self.days is not None and self.weekdays is not None
        return day.month in self.months and (by_month or by_week if either else by_month and by_week)


def parse(text: str) -> Cron:
    """What a text means.

    Args:
        text: five fields, such as `0 6 * * mon-fri`.

    Raises:
        ValueError: it is none, or names no moment that ever comes.
    """
    words = text.lower().split()
    if len(words) != len(_FIELDS):
        raise ValueError(f'must have five fields (minute, hour, day, month, weekday), such as "*/15 * * * *", not {len(words)}')
    minutes, hours, days, months, weekdays = (_field(word, *field) for word, field in zip(words, _FIELDS, strict=True))
    some_days = None if words[2].startswith("*") and len(days) == 31 else days
    some_weekdays = None if words[4].startswith("*") and len({day % 7 for day in weekdays}) == 7 else frozenset(day % 7 for day in weekdays)
    cron = Cron(minutes, hours, some_days, months, some_weekdays)
    if next_after(cron, datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC")) is None:
        raise ValueError("names a day that never comes")
    return cron


def next_after(cron: Cron, moment: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment after another one, in UTC; None: there is none.

    Args:
        cron: the moments.
        moment: an instant.
        zone: where the clock hangs.
    """
    first = moment.astimezone(zone).date() - timedelta(days=1)  # a skipped moment may come on the day after
    for day in (first + timedelta(days=number) for number in range(_MOST_DAYS)):
        later = [at for at in _of_day(cron, day, zone) if at > moment] if cron.has(day) else []
        if later:
            return min(later)
    return None


def _of_day(cron: Cron, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    twice = len(cron.hours) == 24
    for hour in cron.hours:
        for minute in cron.minutes:
            yield instant(day, time(hour, minute), zone)
            if twice:
                yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def _field(word: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, _, step = part.partition("/")
        if "/" in part and (not step.isdecimal() or int(step) == 0):
            raise ValueError(f"{name} {part!r}: after `/` comes a number from 1, as in */15")
        begin, end = _span(span, name, low, high, open_end="/" in part)
        found.update(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _span(span: str, name: str, low: int, high: int, *, open_end: bool) -> tuple[int, int]:
    if span == "*":
        return low, high if name != "weekday" else 6
    first, dash, last = span.partition("-")
    begin = _number(first, name, low, high)
    end = _number(last, name, low, high) if dash else high if open_end else begin
    if end < begin:
        raise ValueError(f"{name} {span!r} ends before it begins")
    return begin, end


def _number(word: str, name: str, low: int, high: int) -> int:
    number = _NAMES.get(name, {}).get(word, int(word) if word.isdecimal() and word.isascii() else -1)
    if not low <= number <= high:
        raise ValueError(f"{name} {word!r} is none: write {low} to {high}")
    return number
