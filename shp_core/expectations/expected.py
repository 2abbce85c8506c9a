"""Which partitions a feed expects by now, and when each is due.

A feed expects something when it says so: by period with `due`, by file with `expects`. What a feed does not expect is
never late and never missing; it is taken all the same when it comes. Must not live here: files that are expected by number
alone, for no partition is (`counted`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

from shp_core.expectations.due import due_at, instant
from shp_core.expectations.periods import begin_of_key, begins, key_of, local_day
from shp_core.feeds.partition import Partition


@dataclass(frozen=True)
class Expected:
    """A partition that is expected.

    Args:
        partition: its key.
        due_at: when its file is due, in UTC; None: some time.
    """

    partition: str
    due_at: datetime | None


def awaits(spec: Partition) -> bool:
    """Whether a feed expects anything at all."""
    return spec.due is not None if spec.by_period else bool(spec.expects)


def expected(spec: Partition, now: datetime) -> list[Expected]:
    """What a feed expects by now, in order of time: periods that have begun, or the files it names.

    Args:
        spec: the feed's partitions.
        now: the present instant.
    """
    if not awaits(spec):
        return []
    return list(_periods(spec, now) if spec.by_period else _files(spec))


def due_of(spec: Partition, partition: str) -> datetime | None:
    """When a partition is due, None where it is not expected, or at no certain time.

    Args:
        spec: the feed's partitions.
        partition: a partition key of the feed.
    """
    if not spec.by_period:
        return next((item.due_at for item in _files(spec) if item.partition == partition), None)
    begin = begin_of_key(spec, partition)
    if begin is None or (spec.calendar and not spec.calendar.expects(local_day(spec, begin))):
        return None
    return due_at(spec, begin)


def is_expected(spec: Partition, partition: str, now: datetime) -> bool:
    """Whether a feed expects a partition by now."""
    return any(item.partition == partition for item in expected(spec, now))


def _periods(spec: Partition, now: datetime) -> Iterator[Expected]:
    for begin in begins(spec, now):
        if spec.calendar is None or spec.calendar.expects(local_day(spec, begin)):
            yield Expected(key_of(begin), due_at(spec, begin))


def _files(spec: Partition) -> Iterator[Expected]:
    dated = spec.start is not None and spec.due is not None
    due = instant(spec.start, time.fromisoformat(spec.due), spec.zone) if dated and spec.start and spec.due else None
    for key in spec.named:
        yield Expected(key, due)
