"""The sensor `lateness` over a feed that expects a number of files each day, under a clock that the tests move."""

from __future__ import annotations

import dagster as dg
import pytest

from shp_assets.counted import lacking_files
from shp_core.clock import ManualClock
from shp_core.expectations.counted import days_of
from tests.support.healing import Ward
from tests.support.moments import at
from tests.support.platforms import FEED, ORDERS, Platform, order

EXPECTS = "partition: {by: file, expects: 3, start: 2026-03-02, due: '18:00', timezone: Asia/Kolkata}"  # 12:30 in UTC
COUNTED = ORDERS.replace("partition: {by: file}", EXPECTS)


@pytest.fixture
def ward(platform: Platform) -> Ward:
    """A platform on the evening before the feed's first day, with a feed of three files a day."""
    platform.feed_file(FEED, COUNTED)
    return Ward(platform, ManualClock(at("01T12:00")))


def came(ward: Ward, text: str, *names: str) -> None:
    """Files are seen at an instant; nobody runs them."""
    for name in names:
        partition = ward.platform.arrive(ward.platform.drop(f"{name}.xlsx", [order(1)]))
        ward.platform.sql("update shp.arrivals set at = %s where partition = %s", at(text), partition)


def turn_to(ward: Ward, text: str) -> None:
    """Let the clock show an instant, and the sensor look."""
    ward.clock.advance(at(text) - ward.clock.now())
    ward.tick("lateness")


def told(ward: Ward) -> list[tuple[str, list[str], str | None]]:
    """Message, days that are held and proof of each incident of lateness."""
    found = [found for found in ward.incidents() if found.cause == f"late/{FEED}"]
    return [(incident.message, [member.partition for member in incident.held], incident.proof) for incident in found]


def test_a_day_of_too_few_files_is_told_once_and_over_when_the_rest_came(ward: Ward) -> None:
    """A shop that sends one file of three would be missed by nobody, because nobody can name the two others."""
    came(ward, "02T08:00", "a", "b")
    turn_to(ward, "02T12:29")
    assert told(ward) == []
    turn_to(ward, "02T12:30")
    told_then = [("2 of 3 files came for orders on 2026-03-02, due 2026-03-02 18:00 Asia/Kolkata.", ["2026-03-02"], None)]
    assert told(ward) == told_then
    assert lacking_files(ward.platform.outside, ward.platform.kits[FEED]) == 1, "marts say that a file is missing"
    turn_to(ward, "02T13:00")
    assert told(ward) == told_then
    came(ward, "02T14:00", "c")
    turn_to(ward, "02T14:00")
    assert told(ward) == [(told_then[0][0], [], "1 days' files came.")]
    assert lacking_files(ward.platform.outside, ward.platform.kits[FEED]) == 0
    assert ward.platform.outside.ledger.expectations.levels(ward.platform.kits[FEED].feed, ward.clock.now()).on_time.as_dict() == {
        "target": 0.95,
        "good": 2,
        "total": 3,
        "share": 2 / 3,
        "budget_left": pytest.approx(1 - 1 / 0.15, abs=1e-3),
        "met": False,
    }


def test_files_that_lie_there_after_a_stop_are_no_alarm(ward: Ward) -> None:
    """Every start after a night would call people for files that only nobody has looked at yet."""
    for name in "abc":
        ward.platform.drop(f"{name}.xlsx", [order(1)])
    turn_to(ward, "02T12:30")
    assert told(ward) == []


def test_a_day_is_judged_by_what_was_expected_then(ward: Ward) -> None:
    """A fourth shop from tomorrow on would make every past day late."""
    came(ward, "02T08:00", "a", "b", "c")
    turn_to(ward, "02T13:00")
    ward.platform.feed_file(FEED, COUNTED.replace("expects: 3", "expects: 4"))
    came(ward, "03T08:00", "d", "e", "f")
    turn_to(ward, "03T12:30")
    assert [held for _, held, _ in told(ward)] == [["2026-03-03"]]
    assert ward.platform.sql("select day::text, wanted from shp.expected_days order by 1") == [("2026-03-02", 3), ("2026-03-03", 4)]


def test_a_waived_day_is_waited_for_by_nobody_and_so_is_a_feed_that_counts_no_more(ward: Ward) -> None:
    """People would be reminded every day of what they have settled."""
    turn_to(ward, "03T12:30")
    assert [held for _, held, _ in told(ward)] == [["2026-03-02", "2026-03-03"]]
    spec, days = ward.platform.kits[FEED].feed.partition, ward.platform.outside.ledger.days
    days.waive(FEED, days_of(spec, ward.clock.now())[0], "closed")
    ward.tick("lateness")
    assert [held for _, held, _ in told(ward)] == [["2026-03-03"]]
    assert ward.platform.outside.ledger.expectations.levels(ward.platform.kits[FEED].feed, ward.clock.now()).on_time.total == 3
    ward.platform.feed_file(FEED, ORDERS)
    ward.tick("lateness")
    assert [(held, proof) for _, held, proof in told(ward)] == [([], "0 files came; 2 are not waited for any more.")]


def test_names_may_become_a_number(ward: Ward) -> None:
    """The files that were named once would be waited for, for ever."""
    ward.platform.feed_file(FEED, ORDERS.replace("{by: file}", "{by: file, expects: [a, b], start: 2026-03-02, due: '09:00'}"))
    turn_to(ward, "02T10:00")
    assert set(ward.states().values()) == {"late"}
    ward.platform.feed_file(FEED, COUNTED)
    turn_to(ward, "02T11:00")
    assert set(ward.states().values()) == {"waived"}
    turn_to(ward, "02T12:30")
    assert [(message[:6], held) for message, held, _ in told(ward)][:1] == [("0 of 3", ["2026-03-02"])]


def test_the_ui_is_told_of_the_day_and_of_each_file(ward: Ward) -> None:
    """Dagster would show green files and nothing of the day that lacks one."""
    came(ward, "02T08:00", "a")
    came(ward, "02T13:00", "b")
    passed = {key: ward.platform.checks(ward.platform.run(key))["on_time"] for key in ("a", "b")}
    assert {key: check.passed for key, check in passed.items()} == {"a": True, "b": True}, "before the first day begins nothing is due"
    ward.clock.advance(at("02T13:30") - ward.clock.now())
    (event,) = ward.events("lateness")
    assert (event.asset_key, event.metadata["day"].value, event.metadata["files_came"].value) == (
        dg.AssetKey(["raw", FEED]),
        "2026-03-02",
        2,
    )
    assert ward.events("lateness") == [], "once"
    again = {key: ward.platform.checks(ward.platform.run(key))["on_time"] for key in ("a", "b")}
    assert {key: check.passed for key, check in again.items()} == {"a": True, "b": False}
    told = {name: again["b"].metadata[name].value for name in ("day", "files_expected", "files_on_time", "files_came")}
    assert told == {"day": "2026-03-02", "files_expected": 3, "files_on_time": 1, "files_came": 2}
