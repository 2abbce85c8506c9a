"""Periods: days, weeks from Monday, months and hours of a feed's time zone, with their partition keys.

A key names the period's first day (`2026-11-01` for a month too); an hour's is in UTC (`2026-10-25T00Z`), because in
autumn a local hour comes twice. Keys are those of Dagster's time windows; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from shp_core.feeds.partition import Partition

HOUR = timedelta(hours=1)
HOUR_KEY = "%Y-%m-%dT%HZ"


def begins(spec: Partition, until: datetime) -> Iterator[date | datetime]:
    """The periods that have begun, from the feed's start on: their first days, or by hour their first instants in UTC.

    Args:
        spec: of a feed by period.
        until: the present instant.
    """
    assert spec.start is not None, "the model requires a start for feeds by period"
    if spec.by == "hour":
        yield from _hours(spec, until)
        return
    today, day = until.astimezone(spec.zone).date(), first_begin(spec.by, spec.start)
    while day <= today:
        yield day
        day = following(spec.by, day)


def begin_of(by: str, day: date) -> date:
    """The first day of the period that a day lies in."""
    if by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if by == "month" else day


def first_begin(by: str, start: date) -> date:
    """The first day of the first period that begins at a feed's start or later."""
    begin = begin_of(by, start)
    return begin if begin == start else following(by, begin)


def following(by: str, begin: date) -> date:
    """The first day of the next period."""
    if by == "month":
        return (begin + timedelta(days=31)).replace(day=1)
    return begin + timedelta(days=7 if by == "week" else 1)


def spelled(spec: Partition, begin: date | datetime) -> str:
    """A period as a feed writes it in file names; an hour in the feed's time zone, or in UTC where it says the offset."""
    if isinstance(begin, datetime):
        begin = begin.astimezone(UTC if "%z" in spec.form else spec.zone)
    return begin.strftime(spec.form)


def key_of(begin: date | datetime) -> str:
    """The partition key of a period.

    Args:
        begin: its first day, or by hour its first instant.
    """
    return begin.astimezone(UTC).strftime(HOUR_KEY) if isinstance(begin, datetime) else begin.isoformat()


def local_day(spec: Partition, begin: date | datetime) -> date:
    """The day of the feed's time zone on which a period begins."""
    return begin.astimezone(spec.zone).date() if isinstance(begin, datetime) else begin


def begin_of_key(spec: Partition, key: str) -> date | datetime | None:
    """The period that a key names; None where it names none."""
    try:
        if spec.by == "hour":
            return datetime.strptime(key, HOUR_KEY).replace(tzinfo=UTC)
        return date.fromisoformat(key)
    except ValueError:
        return None


def first_hour(spec: Partition) -> datetime:
    """The first full UTC hour of a feed by hour: where its start begins in its time zone, rounded up."""
    assert spec.start is not None, "the model requires a start for feeds by period"
    begin = datetime.combine(spec.start, time(), spec.zone).astimezone(UTC)
    return begin if begin.minute == 0 else begin.replace(minute=0) + HOUR


def _hours(spec: Partition, until: datetime) -> Iterator[datetime]:
    begin = first_hour(spec)
    while begin <= until:
        yield begin
        begin += HOUR
