"""A week of a daily feed under a clock that the test moves, looked at each morning: states, labels, sums.

Tuesday's file is late, Wednesday's never comes, Thursday's comes twice, Friday's is corrected three days later, Saturday's
lands while the platform is down.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shp_core.clock import ManualClock
from shp_ops import healing
from tests.support.healing import Ward
from tests.support.platforms import COUNTS, DAYS, Platform

DAILY = COUNTS.replace("key: [Item]\n", "").replace(
    "start: 2026-01-01", "start: 2026-03-02, due: '07:00', placeholder_days: 2"
)  # Asia/Kolkata: seven is 01:30 in UTC
SHOWN = "from: counts\ngroup_by: [Item]\nsum: [Count]\n"
MON, TUE, WED, THU, FRI, SAT, SUN, NEXT = (f"2026-03-{day:02}" for day in range(2, 10))


class Week:
    """The platform during that week."""

    def __init__(self, platform: Platform) -> None:
        platform.feed_file(DAYS, DAILY)
        platform.feed_file("filled", f"mart: filled\n{SHOWN}placeholders: true\n", folder="marts")
        platform.feed_file("strict", f"mart: strict\n{SHOWN}on_incomplete: hold\n", folder="marts")
        self.platform = platform
        self.ward = Ward(platform, ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC)))
        self.labels: dict[str, Mapping[str, Any]] = {}

    def turn_to(self, day: str, time: str) -> None:
        """Let the clock show an instant, in UTC."""
        self.ward.clock.advance(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC) - self.ward.clock.now())

    def drop(self, day: str, count: int) -> None:
        """Put a day's file into the drop folder."""
        self.platform.drop_count(f"counts {day}.xlsx", [("nut", count)])

    def look(self) -> list[Any]:
        """Let the sensors look, and run what they ask for; returns the runs of the feed."""
        self.ward.tick("lateness")
        results = self.ward.look("arrivals")
        self.ward.tick("lateness")
        for result in self.ward.look("marts"):
            self.labels[str(result.dagster_run.tags["shp/mart"])] = self.platform.metadata(result, "mart")
        return results

    def morning(self, day: str, count: int | None) -> None:
        """A day: its file comes at one in UTC, if it does; people look half an hour after it was due."""
        self.turn_to(day, "01:00")
        if count is not None:
            self.drop(day, count)
        self.look()
        self.turn_to(day, "02:00")
        self.look()

    def state(self, day: str) -> str:
        """Where a day stands."""
        return self.platform.state(day, DAYS)[0]

    def sums(self) -> tuple[Any, Any]:
        """What the mart with placeholders and the one without gaps show."""
        return self._sum("filled"), self._sum("strict")

    def _sum(self, mart: str) -> Any:
        ((total,),) = self.platform.sql(f"select sum(count)::int from mart.{mart}")
        return total

    def label(self) -> tuple[bool, list[str], dict[str, str]]:
        """What the mart with placeholders says of itself."""
        told = self.labels["filled"]
        return told["complete"], told["missing"], told["placeholders"]

    def late(self) -> list[str]:
        """The days that people are told are late."""
        return [member.partition for item in self.ward.incidents() if item.cause == "late/counts" for member in item.held]


@pytest.fixture
def week(platform: Platform) -> Week:
    """The evening before the first day."""
    return Week(platform)


def test_a_week(week: Week) -> None:
    """A report would be wrong on some morning of an ordinary week, and nobody could say which."""
    week.morning(MON, 10)
    assert (week.state(MON), week.sums(), week.label()) == ("published", (10, 10), (True, [], {}))

    week.morning(TUE, None)
    assert (week.state(TUE), week.late()) == ("late", [TUE])
    assert (week.sums(), week.label()) == ((20, 10), (False, [TUE], {TUE: MON})), "Monday stands in, or the last whole result stays"
    assert week.platform.sql("select count(*) from warehouse.counts") == [(1,)], "no row is stored for it"
    week.turn_to(TUE, "03:30")
    week.drop(TUE, 20)
    (result,) = week.look()
    assert (week.state(TUE), week.sums(), week.label(), week.late()) == ("published", (30, 30), (True, [], {}), [])
    assert week.platform.metadata(result, "warehouse")["reconciled"] == {
        "placeholder_of": MON,
        "rows": {"placeholder": 1, "delivered": 1},
        "sums": {"count": {"placeholder": "10", "delivered": "20"}},
    }
    assert week.platform.record(TUE, DAYS).flags == {"reconciled_at": "2026-03-03T03:30:00+00:00"}

    week.morning(WED, None)
    assert (week.state(WED), week.sums(), week.label()) == ("late", (50, 30), (False, [WED], {WED: TUE}))

    week.morning(THU, 40)
    touched = week.platform.landing(DAYS) / f"counts {THU}.xlsx"
    os.utime(touched, (1_772_700_000, 1_772_700_000))
    week.look()
    assert len([event for event in week.platform.outside.ledger.history(DAYS, THU) if event["what"] == "arrival"]) == 2
    assert (week.state(THU), week.sums()) == ("published", (90, 30)), "the same file twice counts once; Wednesday is stood in for"

    week.morning(FRI, 50)
    assert (week.sums(), week.label()) == ((140, 30), (False, [WED], {WED: TUE}))

    week.turn_to(SAT, "00:30")
    week.drop(SAT, 60)  # while the platform is down
    week.turn_to(SAT, "04:30")
    week.look()
    assert (week.state(SAT), week.late(), week.sums()) == ("published", [WED], (200, 30)), "it lay there: it was never late"
    healing.waive(week.platform.settings, DAYS, WED, "the shop was closed")
    week.look()
    assert (week.state(WED), week.late()) == ("waived", [])
    assert (week.sums(), week.label()) == ((180, 180), (True, [], {})), "nothing stands in for what will never come"

    week.morning(SUN, 70)
    week.morning(NEXT, 80)
    week.drop(FRI, 500)
    week.look()
    assert (week.state(FRI), week.sums()) == ("published", (780, 780))
    assert {week.state(day) for day in (MON, TUE, THU, FRI, SAT, SUN, NEXT)} == {"published"}
    assert [item for item in week.ward.incidents() if item.closed_at is None] == []


def test_a_refused_late_file_is_stood_in_for_until_a_good_one_comes(week: Week) -> None:
    """A broken file would take the report's stand-in away and give nothing."""
    week.morning(MON, 10)
    week.morning(TUE, None)
    week.turn_to(TUE, "03:00")
    week.platform.drop_count(f"counts {TUE}.xlsx", [("nut", "many")])  # type: ignore[list-item]
    week.look()
    assert (week.state(TUE), week.sums(), week.label()) == ("quarantined", (20, 10), (False, [TUE], {TUE: MON}))
    week.drop(TUE, 20)
    week.look()
    assert (week.state(TUE), week.sums(), week.label()) == ("published", (30, 30), (True, [], {}))


def test_nothing_stands_in_that_is_too_old(week: Week) -> None:
    """A report would show last month's numbers as today's."""
    week.morning(MON, 10)
    for day in (TUE, WED, THU):
        week.morning(day, None)
    assert week.label() == (False, [TUE, WED, THU], {TUE: MON, WED: MON})
    assert week.sums()[0] == 30
    filled = week.platform.sql("select _partition, count, _is_placeholder from warehouse.counts_filled order by 1")
    assert filled == [(MON, 10, False), (TUE, 10, True), (WED, 10, True)]
