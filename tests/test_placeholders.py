"""Which partition stands in for a late one, and what the feed and mart files may say of it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.expectations.placeholders import stand_ins
from shp_core.feeds.model import Partition
from tests.support.platforms import COUNTS, DAYS, MART, Platform
from tests.test_feeds_model import HEAD, A, problems

START = date(2026, 1, 1)


def spec(days: int | None, by: str = "day") -> Partition:
    """Partitions of a feed that lets something stand in for so many days."""
    return Partition.model_validate({"by": by, "start": START.isoformat(), "due": "07:00", "placeholder_days": days})


@pytest.mark.parametrize(
    ("days", "late", "good", "found"),
    [
        (3, ["2026-01-05"], ["2026-01-02", "2026-01-04"], {"2026-01-05": "2026-01-04"}),
        (3, ["2026-01-05"], ["2026-01-02"], {"2026-01-05": "2026-01-02"}),
        (3, ["2026-01-05"], ["2026-01-01"], {}),
        (3, ["2026-01-05"], ["2026-01-06"], {}),
        (3, ["2026-01-05"], [], {}),
        (3, ["unplaced~12345678"], ["2026-01-01"], {}),
        (None, ["2026-01-05"], ["2026-01-04"], {}),
    ],
)
def test_the_newest_good_partition_before_a_late_one_stands_in(
    days: int | None, late: list[str], good: list[str], found: dict[str, str]
) -> None:
    """A report would show numbers of another time than it says."""
    assert stand_ins(spec(days), late, good) == found


def test_other_periods_are_counted_in_days_too() -> None:
    """A weekly feed would need another unit."""
    assert stand_ins(spec(7, "week"), ["2026-01-12"], ["2026-01-05"]) == {"2026-01-12": "2026-01-05"}
    assert stand_ins(spec(1, "hour"), ["2026-01-02T03Z"], ["2026-01-02T01Z"]) == {"2026-01-02T03Z": "2026-01-02T01Z"}


@given(late=st.sets(st.integers(0, 40)), good=st.sets(st.integers(0, 40)), days=st.integers(1, 20))
def test_what_stands_in_is_older_good_and_the_newest_such(late: set[int], good: set[int], days: int) -> None:
    """Some late day would be stood in for by one that is late itself, or by one from the future."""

    def key(day: int) -> str:
        return (START + timedelta(days=day)).isoformat()

    late -= good
    found = stand_ins(spec(days), map(key, late), set(map(key, good)))
    for day in late:
        before = [other for other in good if day - days <= other < day]
        assert found.get(key(day)) == (key(max(before)) if before else None)


def test_what_a_file_may_say_of_it(tmp_path: Path) -> None:
    """A feed that is never late would promise to stand in for itself."""
    text = HEAD + A + "partition: {by: day, start: 2026-01-01, placeholder_days: 2}\n"
    assert problems(text, tmp_path) == ["partition: `placeholder_days` stands in for what is late; write `due` too, or remove it."]


def test_a_mart_asks_a_feed_that_allows_it(platform: Platform) -> None:
    """A mart that is told to show placeholders would never show one, and nobody would know why."""
    platform.feed_file("amounts", MART + "placeholders: true\n", folder="marts")
    (error,) = platform.catalogue.errors
    assert "placeholders: nothing stands in for late partitions of 'orders'; give it `placeholder_days`" in error


def test_a_column_that_is_widened_is_not_kept_by_our_view(platform: Platform) -> None:
    """A feed that outgrows its numbers would be held for a view that nobody made by hand."""
    feed = COUNTS.replace("start: 2026-01-01", "start: 2026-01-01, due: '07:00', placeholder_days: 2").replace("key: [Item]\n", "")
    platform.feed_file(DAYS, feed)
    platform.process(platform.drop_count("counts 2026-01-01.xlsx", [("nut", 1)]), DAYS)
    target: Any = platform.kits[DAYS].target
    platform.outside.warehouse.set_placeholders(target, {"2026-01-02": "2026-01-01"})
    filled = "select _partition, count, _is_placeholder from warehouse.counts_filled order by 1"
    assert platform.sql(filled) == [("2026-01-01", 1, False), ("2026-01-02", 1, True)]
    platform.feed_file(DAYS, feed.replace("type: integer, min: 0", "type: bigint, min: 0"))
    platform.process(platform.drop_count("counts 2026-01-03.xlsx", [("nut", 5_000_000_000)]), DAYS)
    platform.outside.warehouse.set_placeholders(platform.kits[DAYS].target, {"2026-01-02": "2026-01-01"})
    assert platform.sql(filled) == [("2026-01-01", 1, False), ("2026-01-02", 1, True), ("2026-01-03", 5_000_000_000, False)]
