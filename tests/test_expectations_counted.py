"""A number of files a day: which days there are, what came of them, and what later files make up for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shp_core.expectations.counted import REMEMBERED, Day, days_of, tallies
from shp_core.feeds.partition import Partition
from tests.support.moments import at


def counting(**keys: Any) -> Partition:
    """Three files a day, due at six in the evening in Kolkata (12:30 in UTC)."""
    return Partition.model_validate({"expects": 3, "start": "2026-03-02", "due": "18:00", "timezone": "Asia/Kolkata", **keys})


def came(spec: Partition, now: str, *firsts: str) -> list[tuple[str, int, int, str]]:
    """Day, files on time, files that came and state of each day."""
    found = tallies(spec, days_of(spec, at(now)), [at(first) for first in firsts])
    return [(tally.day.key[-2:], tally.on_time, tally.came, str(tally.state(at(now)))) for tally in found]


def test_a_day_begins_and_is_due_in_the_feeds_time_zone() -> None:
    """A shop in India would be judged by the clock of Greenwich."""
    spec = counting()
    assert days_of(spec, at("01T18:29")) == []
    assert days_of(spec, at("01T18:30")) == [Day(date(2026, 3, 2), 3, at("02T12:30"))]
    assert came(spec, "02T12:29", "01T18:30", "02T12:29") == [("02", 2, 2, "expected")]
    assert came(spec, "02T12:30", "01T18:30", "02T12:29") == [("02", 2, 2, "late")]


def test_a_file_after_the_due_time_completes_the_day_and_was_not_on_time() -> None:
    """The service level would be met by files that came at night."""
    assert came(counting(), "02T18:00", "02T08:00", "02T09:00", "02T13:00") == [("02", 2, 3, "arrived")]


def test_files_to_spare_make_up_for_earlier_days_the_oldest_first() -> None:
    """A file that comes the next morning would leave its day late for ever, or today's count would hide that it is missing."""
    short = ("02T08:00", "03T08:00", "03T08:01")  # two lack on the second, one on the third
    four = ("04T08:00", "04T08:01", "04T08:02", "04T08:03")
    assert came(counting(), "04T12:30", *short, *four) == [("02", 1, 2, "late"), ("03", 2, 2, "late"), ("04", 3, 3, "arrived")]
    assert came(counting(), "04T12:30", *short, *four, "04T09:00", "04T09:01")[:2] == [("02", 1, 3, "arrived"), ("03", 2, 3, "arrived")]
    assert came(counting(), "03T12:30", "02T08:00", "02T08:01", "02T08:02", "02T08:03")[1] == ("03", 0, 0, "late"), "never for later ones"


def test_days_off_expect_nothing_and_their_files_make_up_for_earlier_ones() -> None:
    """Every weekend would be an alarm, and what was sent on Saturday would be counted nowhere."""
    spec = counting(calendar={"days": ["mon", "tue", "wed", "thu", "fri"], "holidays": ["2026-03-05"]})
    told = came(spec, "08T18:00", *(f"{day:02}T08:0{minute}" for day in (2, 3, 4) for minute in range(3)), "07T09:00")
    assert [(day, count) for day, _, count, _ in told] == [("02", 3), ("03", 3), ("04", 3), ("06", 1)]


def test_days_long_ago_are_not_looked_at() -> None:
    """A feed that is years old would be counted from its first day at every look."""
    assert len(days_of(counting(start="2020-01-01"), at("02T12:00"))) == REMEMBERED.days + 1
    assert days_of(Partition.model_validate({"expects": ["n1"], "start": "2026-03-02", "due": "18:00"}), at("02T12:00")) == []


@given(st.lists(st.integers(0, 24 * 60 * 6), max_size=40), st.integers(1, 5))
def test_no_file_counts_twice_and_none_that_is_needed_is_left_over(minutes: list[int], wanted: int) -> None:
    """Days would look complete by files that other days had already, or late while enough came since."""
    spec = counting(expects=wanted, timezone="UTC")
    firsts = [datetime(2026, 3, 2 + minute // 1440, minute // 60 % 24, minute % 60, tzinfo=UTC) for minute in minutes]
    found = tallies(spec, days_of(spec, at("08T00:00")), firsts)
    counts = {tally.day.day: 0 for tally in found}
    for first in sorted(firsts):  # file by file: the day's own, else the oldest earlier one that lacks some
        lacking = [day for day in (first.date(), *sorted(counts)) if day <= first.date() and counts[day] < wanted]
        if lacking:
            counts[lacking[0]] += 1
    assert {tally.day.day: tally.came for tally in found} == counts
    assert all(0 <= tally.on_time <= tally.came <= tally.day.wanted for tally in found)
