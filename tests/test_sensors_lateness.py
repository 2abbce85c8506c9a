"""The sensor `lateness`: a file that does not come is noticed, told once, and over when it is there."""

from __future__ import annotations

import dagster as dg
import pytest

from shp_core.clock import ManualClock
from shp_core.states import State
from shp_resources.ledger import Incident
from tests.support.healing import Ward
from tests.support.moments import at
from tests.support.platforms import COUNTS, DAYS, ORDERS, Platform

DUE = COUNTS.replace("start: 2026-01-01", "start: 2026-03-02, due: '07:00'")  # Asia/Kolkata: 01:30 in UTC; a Monday
WORKDAYS = DUE.replace("due:", "calendar: {days: [mon, tue, wed, thu, fri], holidays: [2026-03-04]}, due:")


@pytest.fixture
def ward(platform: Platform) -> Ward:
    """A platform on the evening before the feed's first day, with a feed that is due at seven."""
    platform.feed_file(DAYS, DUE)
    return Ward(platform, ManualClock(at("01T12:00")))


def turn_to(ward: Ward, text: str) -> None:
    """Let the clock show an instant, and the sensor look."""
    ward.clock.advance(at(text) - ward.clock.now())
    ward.tick("lateness")


def states(ward: Ward) -> dict[str, str]:
    """The state of every partition of the feed by day."""
    return {record.partition: str(record.state) for record in ward.platform.outside.ledger.partitions.list(DAYS)}


def deliver(ward: Ward, day: str, count: int = 1) -> None:
    """A day's file comes now, by the ward's clock, and is run."""
    ward.platform.drop_count(f"counts {day}.xlsx", [(f"nut of {day}", count)])
    ward.look("arrivals")
    ward.platform.sql("update shp.arrivals set at = %s where partition = %s", ward.clock.now(), day)


def late(ward: Ward, cause: str = "late/counts") -> list[Incident]:
    """The incidents of lateness, open ones first."""
    return [found for found in ward.incidents() if found.cause == cause]


def test_a_day_is_expected_then_late_then_published(ward: Ward) -> None:
    """Nobody would notice the file that did not come."""
    turn_to(ward, "01T18:29")
    assert states(ward) == {}
    turn_to(ward, "01T18:30")  # midnight in Kolkata
    assert states(ward) == {"2026-03-02": "expected"}
    assert ward.platform.record("2026-03-02", DAYS).due_at == at("02T01:30")
    turn_to(ward, "02T01:29")
    assert states(ward) == {"2026-03-02": "expected"} and late(ward) == []
    turn_to(ward, "02T01:30")
    assert ward.platform.state("2026-03-02", DAYS) == ("late", "late")
    (incident,) = late(ward)
    assert (incident.severity, incident.code) == ("warning", "late")
    assert incident.message == "No file came for counts/2026-03-02, due 2026-03-02 07:00 Asia/Kolkata."
    deliver(ward, "2026-03-02")
    assert states(ward)["2026-03-02"] == "published"
    ward.tick("lateness")
    (incident,) = late(ward)
    assert incident.closed_at is not None and incident.proof == "1 files came."


def test_a_backfill_of_an_old_day_never_makes_today_green(ward: Ward) -> None:
    """Yesterday's file at noon would hide that today's never came."""
    turn_to(ward, "03T01:30")
    assert states(ward) == {"2026-03-02": "late", "2026-03-03": "late"}
    deliver(ward, "2026-03-02")
    ward.tick("lateness")
    assert states(ward) == {"2026-03-02": "published", "2026-03-03": "late"}
    (incident,) = late(ward)
    assert {member.partition: member.outcome for member in incident.members} == {"2026-03-02": "came", "2026-03-03": None}
    assert incident.closed_at is None


def test_a_feed_that_never_delivered_is_late_not_unknown(ward: Ward) -> None:
    """A feed that was never fed would look like one that needs nothing."""
    turn_to(ward, "31T12:00")
    assert set(states(ward).values()) == {"late"} and len(states(ward)) == 30
    (incident,) = late(ward)
    assert len(incident.members) == 30, "one incident, however many days"


def test_a_second_look_changes_nothing(ward: Ward) -> None:
    """Every thirty seconds the same people would be told the same."""
    turn_to(ward, "05T12:00")
    before = ward.platform.sql("select partition, version from shp.partitions order by 1")
    told = ward.incidents()
    ward.tick("lateness")
    ward.later(600)
    ward.tick("lateness")
    assert ward.platform.sql("select partition, version from shp.partitions order by 1") == before
    assert ward.incidents() == told


def test_days_off_are_not_late(ward: Ward) -> None:
    """Every weekend would be an alarm."""
    ward.platform.feed_file(DAYS, WORKDAYS)
    turn_to(ward, "08T23:00")
    assert sorted(states(ward)) == ["2026-03-02", "2026-03-03", "2026-03-05", "2026-03-06", "2026-03-09"]
    deliver(ward, "2026-03-07")
    assert states(ward)["2026-03-07"] == "published", "a file for a Saturday is taken all the same"
    assert ward.platform.record("2026-03-07", DAYS).due_at is None


def test_an_edited_calendar_is_followed(ward: Ward) -> None:
    """A holiday that was forgotten in the feed file would stay late for ever."""
    turn_to(ward, "04T02:00")
    ward.platform.feed_file(DAYS, WORKDAYS)
    ward.tick("lateness")
    assert states(ward)["2026-03-04"] == "waived"
    (incident,) = late(ward)
    assert {member.partition for member in incident.held} == {"2026-03-02", "2026-03-03"}
    ward.platform.feed_file(DAYS, DUE)
    ward.tick("lateness")
    assert states(ward)["2026-03-04"] == "late", "and expected again when the edit is taken back"
    ward.platform.feed_file(DAYS, COUNTS)
    ward.tick("lateness")
    assert set(states(ward).values()) == {"waived"}, "without a due time nothing is awaited"
    assert late(ward)[0].closed_at is not None


def test_a_due_time_that_is_moved_moves_the_state(ward: Ward) -> None:
    """A correction of the due time would leave a false alarm standing."""
    turn_to(ward, "02T02:00")
    ward.platform.feed_file(DAYS, DUE.replace("07:00", "09:00"))
    ward.tick("lateness")
    assert states(ward) == {"2026-03-02": "expected"}
    assert late(ward)[0].closed_at is not None
    turn_to(ward, "02T03:30")
    assert states(ward) == {"2026-03-02": "late"}


def test_after_a_stop_a_file_that_lies_there_is_not_late(ward: Ward) -> None:
    """Each start after a night's stop would call people for files that are there."""
    ward.platform.drop_count("counts 2026-03-02.xlsx", [("nut", 1)])
    turn_to(ward, "03T02:00")
    assert states(ward) == {"2026-03-02": "expected", "2026-03-03": "late"}
    ward.look("arrivals")
    ward.tick("lateness")
    assert states(ward) == {"2026-03-02": "published", "2026-03-03": "late"}


def test_files_that_a_feed_names_are_expected(ward: Ward) -> None:
    """A shop that never sends its file would be missed by nobody."""
    named = ORDERS.replace("{by: file}", "{by: file, expects: [n1, n2], start: 2026-03-02, due: '07:00'}")
    ward.platform.feed_file("orders", named)
    ward.tick("lateness")
    assert ward.states() == {"n1": "expected", "n2": "expected"}
    for name, keys in ward.tick("lateness").keys.items():
        ward.platform.instance.add_dynamic_partitions(name, keys)
    assert set(ward.platform.instance.get_dynamic_partitions("orders_files")) == {"n1", "n2"}
    ward.drop("n1", "extra")
    ward.look("arrivals")
    turn_to(ward, "02T07:00")
    assert ward.states() == {"extra": "published", "n1": "published", "n2": "late"}


def test_the_usual_time_warns_before_the_due_time(ward: Ward) -> None:
    """The owner would hear of a missing file only when it is too late to send it."""
    for day in range(2, 9):
        turn_to(ward, f"{day:02}T00:00")
        ward.platform.sql("update shp.partitions set state = 'published' where partition = %s", f"2026-03-{day:02}")
        ward.platform.sql(
            "insert into shp.arrivals (feed, partition, via, at) values ('counts', %s, 'sensor', %s)",
            f"2026-03-{day:02}",
            at(f"{day:02}T00:20"),
        )
        ward.platform.sql("update shp.partitions set arrival = 1 where partition = %s", f"2026-03-{day:02}")
    turn_to(ward, "09T00:34")
    assert late(ward, "unusually_late/counts") == []
    turn_to(ward, "09T00:36")  # 00:20 and a quarter of an hour
    (incident,) = late(ward, "unusually_late/counts")
    assert (incident.severity, [member.partition for member in incident.held]) == ("info", ["2026-03-09"])
    assert states(ward)["2026-03-09"] == "expected", "it is not late"
    turn_to(ward, "09T01:30")
    (incident,) = late(ward, "unusually_late/counts")
    assert incident.closed_at is not None, "now it is late, and that is what is told"
    assert [member.partition for member in late(ward)[0].held] == ["2026-03-09"]


def test_the_check_says_when_a_partition_was_on_time(ward: Ward) -> None:
    """Dagster would show nothing of a partition that is not there."""
    turn_to(ward, "02T01:00")
    deliver(ward, "2026-03-02")
    ward.clock.advance(at("03T01:30") - ward.clock.now())
    (event,) = ward.events("lateness")
    assert (event.asset_key, event.check_name, event.partition, event.passed) == (
        dg.AssetKey(["raw", DAYS]),
        "on_time",
        "2026-03-03",
        False,
    )
    ward.platform.drop_count("counts 2026-03-03.xlsx", [("bolt", 1)])
    (result,) = ward.look("arrivals")
    on_time = ward.platform.checks(result)["on_time"]
    assert on_time.passed is False, "seen today, months after it was due"
    assert on_time.severity is dg.AssetCheckSeverity.WARN
    ward.platform.sql("update shp.arrivals set at = %s where partition = '2026-03-03'", at("03T01:00"))
    again = ward.platform.run("2026-03-03", feed=DAYS)
    assert ward.platform.checks(again)["on_time"].passed is True


def test_a_mart_does_not_miss_what_is_not_due(ward: Ward) -> None:
    """Every morning the report would be called incomplete before anything could have come."""
    from shp_assets.mart_assets import completeness

    turn_to(ward, "02T00:00")
    label = completeness(ward.platform.outside.ledger.partitions.list(DAYS))
    assert (label["complete"], label["missing"], label["expected"]) == (True, [], 1)
    turn_to(ward, "02T02:00")
    label = completeness(ward.platform.outside.ledger.partitions.list(DAYS))
    assert (label["complete"], label["missing"], label["expected"]) == (False, ["2026-03-02"], 0)


def test_one_feed_never_stops_the_others(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged feed would silence the alarms of all."""
    from shp_core.codes import Code
    from shp_core.errors import Fault
    from shp_core.healing.faults import Evidence
    from shp_sensors import lateness

    plain = lateness.look_for_late

    def half(outside: object, kit: object) -> object:
        if kit.name == "orders":  # type: ignore[attr-defined]
            raise Fault(Code.TRANSIENT, "away", Evidence("ledger"))
        return plain(outside, kit)  # type: ignore[arg-type]

    monkeypatch.setattr(lateness, "look_for_late", half)
    turn_to(ward, "02T02:00")
    assert states(ward) == {"2026-03-02": "late"}


def test_ten_thousand_partitions_are_looked_at_in_two_seconds(ward: Ward) -> None:
    """A feed by hour that is a year old would keep the daemon busy for nothing else."""
    import time

    hourly = DUE.replace("by: day", "by: hour").replace("2026-03-02", "2025-01-01").replace("07:00", "00:10")
    ward.platform.feed_file(DAYS, hourly)
    turn_to(ward, "01T12:00")
    assert len(states(ward)) > 10_000
    ward.later(3600)
    begun = time.process_time()
    ward.tick("lateness")
    assert time.process_time() - begun < 2.0
    assert states(ward)["2026-03-01T11Z"] == "late"


@pytest.mark.parametrize("state", [State.ARRIVED, State.QUARANTINED, State.PUBLISHED])
def test_what_came_is_never_late(ward: Ward, state: State) -> None:
    """A file that is being worked on, or was refused, would be asked for again."""
    turn_to(ward, "02T00:00")
    ward.platform.sql("update shp.partitions set state = %s, arrival = 1", str(state))
    turn_to(ward, "02T02:00")
    assert states(ward) == {"2026-03-02": str(state)}
    assert late(ward) == []
