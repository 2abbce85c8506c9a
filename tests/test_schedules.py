"""`schedule` of a feed: what its text means, and when the source is looked at, on a clock that is set by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._vendored.croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shp_core.clock import ManualClock
from shp_core.expectations.cron import next_after, parse
from shp_core.feeds.model import Feed
from tests.support.platforms import HEADER, ORDERS, Platform, order
from tests.support.workbooks import written

BERLIN = ZoneInfo("Europe/Berlin")
WORDS = st.tuples(
    st.sampled_from(["*", "*/15", "0", "5,35", "10-50/20", "59"]),
    st.sampled_from(["*", "6", "*/6", "8-18/2", "0,23"]),
    st.sampled_from(["*", "1", "31", "*/10", "28-31"]),
    st.sampled_from(["*", "2", "*/3", "nov-dec", "6"]),
    st.sampled_from(["*", "1-5", "sun", "7", "mon,thu", "6-7"]),
).map(" ".join)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(text=WORDS, moment=MOMENTS)
@settings(deadline=None, max_examples=60)
def test_a_text_means_what_it_means_to_cron(text: str, moment: datetime) -> None:
    """`0 6 * * 1-5` copied from a crontab would look at other times here."""
    _, _, day, month, _ = text.split()
    assume(not (day == "31" and month in ("2", "6")))  # never by day; by weekday the witness gives up
    assert next_after(parse(text), moment, ZoneInfo("UTC")) == croniter(text, moment).get_next(datetime)


def ticks(text: str, after: str, count: int) -> list[str]:
    """The next moments in Berlin, as a clock there shows them."""
    moment, found = datetime.fromisoformat(after).replace(tzinfo=BERLIN), []
    for _ in range(count):
        at = next_after(parse(text), moment.astimezone(UTC), BERLIN)
        assert at is not None
        moment = at.astimezone(BERLIN)
        found.append(f"{moment:%d %H:%M %z}")
    return found


@pytest.mark.parametrize(
    ("text", "after", "found"),
    [
        ("30 2 * * *", "2026-03-28T12:00", ["29 03:30 +0200", "30 02:30 +0200"]),
        ("30 2 * * *", "2026-10-24T12:00", ["25 02:30 +0100", "26 02:30 +0100"]),
        ("30 * * * *", "2026-10-25T01:00", ["25 01:30 +0200", "25 02:30 +0200", "25 02:30 +0100", "25 03:30 +0100"]),
        ("30 * * * *", "2026-03-29T01:00", ["29 01:30 +0100", "29 03:30 +0200", "29 04:30 +0200"]),
    ],
)
def test_turned_clocks_skip_no_look_and_double_none(text: str, after: str, found: list[str]) -> None:
    """In one night of the year a source would not be looked at, or twice."""
    assert ticks(text, after, len(found)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*/15 * * *", "five fields"),
        ("@hourly", "five fields"),
        ("60 * * * *", "minute '60' is none: write 0 to 59"),
        ("*/0 * * * *", "after `/` comes a number from 1"),
        ("0 0 30 2 *", "names a day that never comes"),
        ("0 18-8 * * *", "hour '18-8' ends before it begins"),
        ("x * * * *", "minute 'x' is none"),
    ],
)
def test_a_text_that_is_no_schedule_is_told_with_what_to_write(text: str, words: str) -> None:
    """A misspelled schedule would never look, and nobody be told."""
    with pytest.raises(ValueError, match=words.replace("*", r"\*")):
        parse(text)


def test_a_schedule_is_for_sources_elsewhere_and_instead_of_a_pace() -> None:
    """Who writes both would not know which counts; a drop folder would be thought to wait for the clock."""
    given = {"feed": "f", "owner": "team:t", "columns": {"A": {"type": "text"}}, "schedule": "*/15 * * * *"}
    with pytest.raises(ValueError, match="a drop folder is looked at all the time"):
        Feed.model_validate(given)
    with pytest.raises(ValueError, match="keep one"):
        Feed.model_validate({**given, "source": {"uri": "https://host/a.xlsx", "poll": "5m"}})


class Scheduled:
    """The feed by file, whose source is looked at when the clock says so."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.cursor = platform, ""
        self.folder = platform.base / "elsewhere"
        self.folder.mkdir()
        self.source(f"file://{self.folder}/")

    def source(self, uri: str, schedule: str = "*/15 * * * *") -> None:
        """Let the feed file say so."""
        said = f'{{uri: "{uri}"}}\nschedule: "{schedule}"'
        self.platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', said))

    def at(self, clock: str) -> None:
        """Set the clock."""
        self.platform.change(clock=ManualClock(datetime.fromisoformat(f"2026-11-20T{clock}").replace(tzinfo=UTC)))

    def tick(self, clock: str) -> bool:
        """Evaluate the sensor then; whether the source was looked at."""
        self.at(clock)
        definition = next(found for found in self.platform.definitions.sensors or () if found.name == "remotes")
        resources = {"outside": self.platform.outside}
        with dg.build_sensor_context(
            instance=self.platform.instance, definitions=self.platform.definitions, resources=resources, cursor=self.cursor
        ) as context:
            answer = definition(context)
        assert isinstance(answer, dg.SensorResult)
        assert answer.cursor is not None
        assert answer.skip_reason is not None
        self.cursor = answer.cursor
        return "1 sources were looked at" in str(answer.skip_reason.skip_message)

    def ticks(self, *clocks: str) -> list[bool]:
        """Evaluate the sensor at these times; at which the source was looked at."""
        return [self.tick(clock) for clock in clocks]


@pytest.fixture
def scheduled(platform: Platform) -> Scheduled:
    """Nothing was looked at yet."""
    return Scheduled(platform)


def test_a_source_is_looked_at_when_the_clock_says_so(scheduled: Scheduled) -> None:
    """A supplier's server that may be asked four times an hour would be asked every minute, or never."""
    written(scheduled.folder / "a.xlsx", [HEADER, order(1)])
    assert scheduled.ticks("09:01", "09:14:59", "09:15:02", "09:15:07", "09:29", "09:30") == [False, False, True, False, False, True]
    scheduled.platform.fulfil(scheduled.platform.tick())
    assert scheduled.platform.loaded("a") == [1]


def test_what_was_missed_while_the_platform_stood_still_is_caught_up_once(scheduled: Scheduled) -> None:
    """After a weekend a source would be asked two hundred times in a row, or only at the next tick."""
    assert scheduled.ticks("09:01", "09:15") == [False, True]
    assert scheduled.ticks("17:52", "17:52:05", "17:59", "18:00") == [True, False, False, True]


def test_a_look_that_failed_is_repeated_before_the_next_tick(scheduled: Scheduled) -> None:
    """A hiccup at six in the morning would cost a daily feed its day; a file that is not there yet, a call every minute."""
    scheduled.source("http://127.0.0.1:1/a.xlsx", "0 6 * * *")
    assert scheduled.ticks("05:59", "06:00", "06:00:30", "06:01") == [False, True, False, True]
    scheduled.source(f"file://{scheduled.folder}/none.xlsx", "0 6 * * *")
    scheduled.cursor = ""
    assert scheduled.ticks("05:59", "06:00", "06:01", "07:00") == [False, True, False, False]


def test_another_schedule_counts_at_once(scheduled: Scheduled) -> None:
    """Who mends a schedule of once a year would wait for the year to end."""
    scheduled.source(f"file://{scheduled.folder}/", "0 0 1 1 *")
    assert scheduled.ticks("09:01", "09:30") == [False, False]
    scheduled.source(f"file://{scheduled.folder}/", "*/15 * * * *")
    assert scheduled.ticks("09:31", "09:45") == [False, True]
    assert list(json.loads(scheduled.cursor)) == ["orders */15 * * * *"]
