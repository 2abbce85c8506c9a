"""What a feed expects and when: periods, calendars, due times where clocks are turned, usual arrivals."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_assets.kit import FeedKit
from shp_core.errors import Refusal
from shp_core.expectations.due import due_at
from shp_core.expectations.expected import Expected, awaits, due_of, expected
from shp_core.expectations.usual import ENOUGH, GRACE, is_unusual, usual_lead
from shp_core.feeds.model import Feed, Partition
from shp_core.partitions import partition_key

ZONES = ["UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]


def by(kind: str = "day", **keys: Any) -> Partition:
    """Partitions of a feed by period, from 2026 on, due at seven."""
    return Partition.model_validate({"by": kind, "start": "2026-01-01", "due": "07:00", **keys})


def feed(kind: str, **keys: Any) -> Feed:
    """A feed of such partitions."""
    return Feed.model_validate(
        {"feed": "f", "owner": "team:t", "columns": {"A": {"type": "text"}}, "partition": by(kind, **keys).model_dump(by_alias=True)}
    )


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def keys(spec: Partition, now: str) -> list[str]:
    """The partitions expected by an instant."""
    return [item.partition for item in expected(spec, at(now))]


def test_a_day_is_expected_from_its_first_moment_in_the_feeds_time_zone() -> None:
    """Yesterday's report would be asked for today, or tomorrow's, wherever the feed is not in Greenwich."""
    kolkata = by(timezone="Asia/Kolkata")
    assert keys(kolkata, "2026-01-01T18:29") == ["2026-01-01"]
    assert keys(kolkata, "2026-01-01T18:30") == ["2026-01-01", "2026-01-02"]
    assert keys(kolkata, "2025-12-31T18:29") == []
    assert expected(kolkata, at("2026-01-01T00:00")) == [Expected("2026-01-01", at("2026-01-01T01:30"))]


@pytest.mark.parametrize(
    ("kind", "now", "wanted"),
    [
        ("week", "2026-01-19T00:00", ["2026-01-05", "2026-01-12", "2026-01-19"]),
        ("month", "2026-03-01T00:00", ["2026-01-01", "2026-02-01", "2026-03-01"]),
        ("hour", "2026-01-01T02:59", ["2026-01-01T00Z", "2026-01-01T01Z", "2026-01-01T02Z"]),
    ],
)
def test_longer_and_shorter_periods(kind: str, now: str, wanted: list[str]) -> None:
    """A weekly report would be late six days of seven."""
    assert keys(by(kind), now) == wanted


@pytest.mark.parametrize(
    ("spec", "begin", "due"),
    [
        (by(), date(2026, 3, 2), "2026-03-02T07:00"),
        (by(due_days=1), date(2026, 3, 2), "2026-03-03T07:00"),
        (by("week"), date(2026, 3, 2), "2026-03-09T07:00"),
        (by("week", due_days=2), date(2026, 3, 2), "2026-03-11T07:00"),
        (by("month"), date(2026, 2, 1), "2026-03-01T07:00"),
        (by("month", due_days=4), date(2026, 12, 1), "2027-01-05T07:00"),
        (by("hour", due="00:20"), at("2026-03-02T05:00"), "2026-03-02T06:20"),
    ],
)
def test_when_a_period_is_due(spec: Partition, begin: date, due: str) -> None:
    """A monthly report would be called late on the second day of its month."""
    assert due_at(spec, begin) == at(due)


@pytest.mark.parametrize(
    ("zone", "due", "day", "utc"),
    [
        ("Europe/Berlin", "02:30", date(2026, 3, 28), "2026-03-28T01:30"),
        ("Europe/Berlin", "02:30", date(2026, 3, 29), "2026-03-29T01:30"),  # there is no 02:30: 03:30
        ("Europe/Berlin", "02:30", date(2026, 10, 25), "2026-10-25T01:30"),  # there are two: the second
        ("Europe/Berlin", "03:00", date(2026, 3, 29), "2026-03-29T01:00"),
        ("America/New_York", "01:30", date(2026, 11, 1), "2026-11-01T06:30"),
        ("Australia/Lord_Howe", "02:15", date(2026, 10, 4), "2026-10-03T15:45"),  # half an hour is left out
        ("Asia/Kolkata", "07:00", date(2026, 3, 29), "2026-03-29T01:30"),
    ],
)
def test_a_due_time_that_does_not_exist_or_exists_twice(zone: str, due: str, day: date, utc: str) -> None:
    """Twice a year somebody would be called an hour too early."""
    assert due_at(by(due=due, timezone=zone), day) == at(utc)


def test_days_that_are_not_expected() -> None:
    """Every Sunday and every holiday would be an alarm."""
    spec = by(calendar={"days": ["mon", "tue", "wed", "thu", "fri"], "holidays": ["2026-01-06"]})
    assert keys(spec, "2026-01-12T00:00")[:4] == ["2026-01-01", "2026-01-02", "2026-01-05", "2026-01-07"]
    assert due_of(spec, "2026-01-03") is None, "a Saturday is never late"
    assert due_of(spec, "2026-01-06") is None
    assert due_of(spec, "2026-01-07") == at("2026-01-07T07:00")


def test_a_file_for_a_day_off_is_taken_all_the_same() -> None:
    """A count made on a Sunday would be refused."""
    spec = feed("day", calendar={"days": ["mon"]})
    assert partition_key(spec, "count 2026-01-04.xlsx") == "2026-01-04"


def test_a_feed_without_a_due_time_expects_nothing() -> None:
    """A feed that comes now and then would be late every day."""
    assert not awaits(by(due=None)) and keys(by(due=None), "2026-02-01T00:00") == []
    assert not awaits(Partition())


def test_a_feed_by_file_expects_the_files_it_names() -> None:
    """A shop that never sends its file would be missed by nobody."""
    spec = Partition.model_validate(
        {"by": "file", "expects": ["n1", "n2"], "start": "2026-01-10", "due": "09:00", "timezone": "Asia/Kolkata"}
    )
    assert expected(spec, at("2026-01-01T00:00")) == [Expected("n1", at("2026-01-10T03:30")), Expected("n2", at("2026-01-10T03:30"))]
    assert due_of(spec, "n2") == at("2026-01-10T03:30") and due_of(spec, "n3") is None
    assert expected(Partition.model_validate({"expects": ["n1"]}), at("2026-01-01T00:00")) == [Expected("n1", None)]


@pytest.mark.parametrize(
    ("kind", "keys", "name", "key"),
    [
        ("week", {}, "sales 2026-01-08.xlsx", "2026-01-05"),
        ("month", {}, "sales 2026-02.xlsx", "2026-02-01"),
        ("month", {}, "sales 2026-02-17.xlsx", "2026-02-01"),
        ("hour", {}, "till 2026-01-08T09.xlsx", "2026-01-08T09Z"),
        ("hour", {"timezone": "Europe/Berlin"}, "till 2026-01-08T09.xlsx", "2026-01-08T08Z"),
        (
            "hour",
            {"timezone": "Europe/Berlin", "from": r"(?P<date>\d{8}T\d{2}[+-]\d{4})", "format": "%Y%m%dT%H%z"},
            "20261025T02+0100.xlsx",
            "2026-10-25T01Z",
        ),
    ],
)
def test_the_period_in_a_name_is_the_partition(kind: str, keys: dict[str, Any], name: str, key: str) -> None:
    """A weekly file would make a partition of its own for the day on which it was written."""
    assert partition_key(feed(kind, **keys), name) == key


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("week", "sales 2026-01-02.xlsx", "2025-12-29 in the file's name lies before 2026-01-01"),
        ("month", "sales.xlsx", "holds no date"),
        ("hour", "till 2026-10-25T02.xlsx", "comes twice or never in Europe/Berlin"),
        ("hour", "till 2026-03-29T02.xlsx", "comes twice or never in Europe/Berlin"),
    ],
)
def test_a_name_without_a_certain_period_is_refused_with_words(kind: str, name: str, words: str) -> None:
    """In autumn the second hour would replace the first, and nobody would know."""
    with pytest.raises(Refusal) as caught:
        partition_key(feed(kind, timezone="Europe/Berlin"), name)
    assert caught.value.code == "no_partition" and words in caught.value.message


@given(
    kind=st.sampled_from(["day", "week", "month", "hour"]),
    zone=st.sampled_from(ZONES),
    start=st.dates(date(2024, 1, 1), date(2024, 12, 31)),
    hours=st.integers(24 * 33, 24 * 80),  # before a feed's first period Dagster has that one already
)
def test_what_is_expected_is_what_dagster_has(kind: str, zone: str, start: date, hours: int) -> None:
    """A partition that the UI does not know could never be run; one that we do not expect would be a gap for ever."""
    found = feed(kind, start=start.isoformat(), timezone=zone)
    now = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(hours=hours, minutes=7)
    windows = FeedKit(found).partitions.get_partition_keys(current_time=now)
    assert [item.partition for item in expected(found.partition, now)] == list(windows)


@given(
    zone=st.sampled_from(ZONES),
    due=st.times().map(lambda time: f"{time.hour:02}:{time.minute:02}"),
    kind=st.sampled_from(["day", "week", "month", "hour"]),
    start=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.integers(0, 70),
)
def test_due_times_go_forward_and_are_on_the_wall(zone: str, due: str, kind: str, start: date, days: int) -> None:
    """A later day would be due before an earlier one, or at a time that the clock on the wall never showed."""
    spec = by(kind, start=start.isoformat(), timezone=zone, due=due)
    now = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=days if kind != "hour" else 1, hours=12)
    found = expected(spec, now)
    moments = [item.due_at for item in found if item.due_at]
    assert len(moments) == len(found) and moments == sorted(set(moments))
    for item in found:
        assert due_of(spec, item.partition) == item.due_at
        shown = item.due_at.astimezone(spec.zone) if item.due_at else None
        if kind != "hour" and shown is not None and f"{shown:%H:%M}" != due:
            before = item.due_at - timedelta(hours=3) if item.due_at else now
            assert before.astimezone(spec.zone).utcoffset() != shown.utcoffset(), "only where the clock jumps"


@given(start=st.dates(date(2024, 1, 1), date(2026, 1, 1)), days=st.integers(0, 60), off=st.sets(st.integers(0, 60)), weekend=st.booleans())
def test_a_calendar_leaves_out_its_days_and_no_others(start: date, days: int, off: set[int], weekend: bool) -> None:
    """A working day would be forgotten with the holiday before it."""
    holidays = [(start + timedelta(days=day)).isoformat() for day in sorted(off)]
    week = ["mon", "tue", "wed", "thu", "fri"] if weekend else ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    spec = by(start=start.isoformat(), calendar={"days": week, "holidays": holidays})
    every = [start + timedelta(days=day) for day in range(days + 1)]
    wanted = [day for day in every if day.isoformat() not in holidays and (day.weekday() < 5 or not weekend)]
    now = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=days)
    assert [item.partition for item in expected(spec, now)] == [day.isoformat() for day in wanted]


def minutes(*values: int) -> list[timedelta]:
    """Leads in minutes."""
    return [timedelta(minutes=value) for value in values]


def test_the_usual_time_is_not_moved_by_one_odd_day() -> None:
    """One file at midnight would make every morning look usual until midnight."""
    usual = usual_lead(minutes(*range(-60, -50), 900))
    assert usual == timedelta(minutes=-51)
    assert usual_lead(minutes(*[-60] * (ENOUGH - 1))) is None


def test_an_early_warning_comes_between_the_usual_time_and_the_due_time() -> None:
    """The owner would hear of a missing file only when it is too late."""
    due, usual = at("2026-01-01T07:00"), timedelta(hours=-1)
    warned = [is_unusual(due, usual, due + lead) for lead in (usual, usual + GRACE, timedelta(minutes=-1), timedelta())]
    assert warned == [False, True, True, False]
    assert not is_unusual(due, None, due - timedelta(minutes=1))


@given(st.lists(st.integers(-10_000, 10_000), min_size=ENOUGH, max_size=30))
def test_most_files_are_there_by_the_usual_time(values: list[int]) -> None:
    """The warning would come on most days, and be read on none."""
    usual = usual_lead(minutes(*values))
    assert usual in minutes(*values)
    assert usual is not None and sum(lead <= usual for lead in minutes(*values)) >= 0.9 * len(values)
