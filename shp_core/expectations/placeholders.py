"""Which partition stands in for a late one: the newest good one before it, if it is not too old."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime

from shp_core.expectations.periods import begin_of_key, local_day
from shp_core.feeds.partition import Partition


def stand_ins(spec: Partition, late: Iterable[str], good: Collection[str]) -> dict[str, str]:
    """The partition that stands in for each late one; a late one that none may stand in for is left out.

    Args:
        spec: of a feed by period.
        late: keys of the late partitions.
        good: keys of the published ones.
    """
    if spec.placeholder_days is None:
        return {}
    published = sorted(((begin, key) for key in good if (begin := _begin(spec, key)) is not None), key=lambda item: item[0].timestamp())
    found = {key: _newest_before(spec, key, published) for key in late}
    return {key: source for key, source in found.items() if source is not None}


def _newest_before(spec: Partition, key: str, published: list[tuple[datetime, str]]) -> str | None:
    begin = _begin(spec, key)
    if begin is None or spec.placeholder_days is None:
        return None
    before = [(found, source) for found, source in published if found < begin]
    if not before or (begin - before[-1][0]).days > spec.placeholder_days:
        return None
    return before[-1][1]


def _begin(spec: Partition, key: str) -> datetime | None:
    """A period's beginning as a moment on the wall, which days are counted by."""
    begin = begin_of_key(spec, key)
    return None if begin is None else _midnight(begin if isinstance(begin, datetime) else local_day(spec, begin))


def _midnight(begin: date | datetime) -> datetime:
    return begin if isinstance(begin, datetime) else datetime(begin.year, begin.month, begin.day, tzinfo=UTC)
