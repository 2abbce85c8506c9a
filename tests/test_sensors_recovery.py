"""Breakers in a running platform: no call while one is open, one probe at a time, and a drain without a stampede."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shp_assets.calls import Asked, call
from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.healing.breaker import FAILURES_IN_A_ROW, PAUSES, Breaker, Phase, probing
from shp_core.healing.faults import Evidence
from shp_core.states import State
from shp_resources.ledger import Kept
from shp_sensors.redrives import REDRIVES_AT_ONCE
from tests.support.healing import Ward, calls_counted
from tests.support.platforms import FEED, NOBODY

RESET = Fault(Code.TRANSIENT, "reset", Evidence("warehouse", sqlstate="08006"))
AWAY = Fault(Code.SINK_UNREACHABLE, "away", Evidence("warehouse", sqlstate="08001"))

WAYS = ("shp_resources.warehouse.warehouse.publish", "shp_resources.warehouse.warehouse.publish_beside")
"""What publishes rows."""


@pytest.fixture
def cut_off(ward: Ward) -> Ward:
    """A platform whose warehouse went away under its first partition, `a`."""
    ward.platform.turn_to(NOBODY)
    ward.drop("a")
    ward.look("arrivals")
    return ward


def test_a_warehouse_that_is_away_opens_its_breaker_and_one_incident(cut_off: Ward) -> None:
    """Every arrival would knock at a dead database, and each would be told of."""
    assert cut_off.phase() is Phase.OPEN
    record = cut_off.platform.record("a")
    assert (record.state, record.code, record.cause, record.next_attempt_at) == (State.PARKED, "sink_unreachable", "warehouse", None)
    (incident,) = cut_off.incidents()
    assert (incident.cause, incident.severity) == ("warehouse", "critical")


def test_no_call_is_made_while_a_breaker_is_open(cut_off: Ward) -> None:
    """A database that is coming up would be knocked down again by everybody who waits for it."""
    with calls_counted() as calls:
        cut_off.drop("b", "c")
        results = cut_off.look()
        assert [cut_off.platform.reached(result)[-1] for result in results] == ["quarantine", "quarantine"], "kept and validated"
        assert cut_off.look() == []
    assert calls == []
    assert {name: cut_off.platform.state(name) for name in ("b", "c")} == {
        "b": ("parked", "breaker_open"),
        "c": ("parked", "breaker_open"),
    }
    (incident,) = cut_off.incidents()
    assert {member.partition for member in incident.members} == {"a", "b", "c"}


def test_a_mart_does_not_knock_either(cut_off: Ward) -> None:
    """Marts would be asked for every few seconds while their database is away."""
    with calls_counted() as calls:
        assert cut_off.tick("marts").skip == "The warehouse is not asked until a probe gets through."
        assert cut_off.platform.failure(cut_off.platform.mart())["shp/code"] == "breaker_open"
    assert calls == []


def test_a_probe_in_vain_costs_one_call_and_no_run(cut_off: Ward) -> None:
    """A database that is away for a day would fill the record of runs."""
    cut_off.later(PAUSES.first)
    with calls_counted() as calls:
        assert cut_off.look() == []
    assert len(calls) == 1
    breaker = cut_off.breaker()
    assert (breaker.phase, breaker.trips) == (Phase.OPEN, 2)
    assert breaker.probe_at == cut_off.clock.now() + timedelta(seconds=PAUSES.first * 2 * 0.75)


def test_a_warehouse_that_is_back_gets_one_run_and_then_the_others(cut_off: Ward) -> None:
    """Fifty workers would fall upon a database that has just come up."""
    cut_off.drop("b", "c")
    cut_off.look()
    cut_off.platform.turn_to(None)
    cut_off.later(PAUSES.first)
    tick = cut_off.tick("recovery")
    assert tick.partitions == ["a"], "the oldest is the probe"
    assert cut_off.tick("redrives").requests == []
    assert [result.success for result in cut_off.platform.fulfil(tick, "recovery")] == [True]
    assert cut_off.phase() is Phase.CLOSED
    assert cut_off.tick("redrives").partitions == ["b", "c"]
    assert [cut_off.platform.reached(result) for result in cut_off.look("redrives")] == [["warehouse"], ["warehouse"]]
    assert set(cut_off.states().values()) == {"published"}
    cut_off.look("recovery")
    (incident,) = cut_off.incidents()
    assert incident.closed_at is not None
    assert {member.outcome for member in incident.members} == {"healed"}


def test_a_probe_run_that_fails_opens_the_breaker_again(cut_off: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts connections and refuses every row would drain all that waits into failure."""
    cut_off.drop("b")
    cut_off.look()
    cut_off.platform.turn_to(None)
    for way in WAYS:
        monkeypatch.setattr(way, _full)
    cut_off.later(PAUSES.first)
    assert [result.success for result in cut_off.look("recovery")] == [False]
    assert (cut_off.phase(), cut_off.breaker().trips, cut_off.breaker().code) == (Phase.OPEN, 2, "sink_refused")
    assert cut_off.look("redrives") == []


def _full(*_: object) -> None:
    raise Fault(Code.SINK_REFUSED, "disk full", Evidence("warehouse", sqlstate="53100"))


def test_a_fresh_arrival_may_be_the_probe(cut_off: Ward) -> None:
    """The platform would wait for an old file although a new one would have told it that all is well."""
    cut_off.platform.turn_to(None)
    cut_off.later(PAUSES.first)
    cut_off.drop("b")
    cut_off.look("arrivals")
    assert cut_off.states() == {"a": "parked", "b": "published"}
    assert cut_off.phase() is Phase.CLOSED
    cut_off.look("redrives")
    assert cut_off.states()["a"] == "published"


def test_a_breaker_behind_which_nothing_waits_closes_by_the_small_call(cut_off: Ward) -> None:
    """A breaker would stay open, and the status red, because its only partition was waived."""
    record = cut_off.platform.record("a")
    cut_off.platform.outside.ledger.partitions.move(FEED, "a", State.WAIVED, expect_version=record.version)
    cut_off.platform.turn_to(None)
    cut_off.later(PAUSES.first)
    assert cut_off.look("recovery") == []
    assert cut_off.phase() is Phase.CLOSED


def test_a_run_that_a_person_starts_is_a_probe(cut_off: Ward) -> None:
    """Whoever mended the database and presses Materialize would be told to wait."""
    cut_off.platform.turn_to(None)
    assert cut_off.platform.run("a", ["warehouse"]).success
    assert cut_off.phase() is Phase.CLOSED


def test_who_waits_for_a_call_sees_how_a_probe_ends(ward: Ward) -> None:
    """A second file of `shp ingest` would be held because the first one was just being tried."""
    breakers = ward.platform.outside.ledger.breakers
    breakers.change("warehouse", lambda found: probing(replace(found, trips=1), ward.clock.now()))

    def close(seconds: float) -> None:
        breakers.change("warehouse", lambda found: Breaker("warehouse"))

    ward.platform.change(sleep=close)
    assert call(ward.platform.outside, "warehouse", FEED, lambda: "done", asked=Asked.COMMAND) == "done"


def test_a_command_does_not_make_a_probe_of_every_file(cut_off: Ward) -> None:
    """A hundred files of `shp ingest` would knock at a database that is away."""
    cut_off.drop("b")
    with calls_counted() as calls:
        assert cut_off.platform.ingest(cut_off.platform.landing() / "b.xlsx").code == "breaker_open"
    assert calls == []


def test_a_database_that_refuses_one_feed_keeps_no_other_back(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """One missing right would stop every feed."""
    with monkeypatch.context() as patched:
        for way in WAYS:
            patched.setattr(way, _denied)
        ward.drop("a")
        ward.look("arrivals")
    assert ward.phase("warehouse/orders") is Phase.OPEN
    assert ward.phase("warehouse") is Phase.CLOSED
    ward.platform.drop_count("count 2026-03-01.xlsx", [("nut", 1)])
    ward.look("arrivals")
    assert ward.platform.state("2026-03-01", "counts") == ("published", None)
    ward.until(lambda: ward.states() == {"a": "published"})


def _denied(*_: object) -> None:
    raise Fault(Code.SINK_REFUSED, "permission denied", Evidence("warehouse", sqlstate="42501"))


def test_a_full_disk_of_the_store_is_probed_too(ward: Ward, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files that came while the disk was full would wait for a person."""
    with monkeypatch.context() as patched:
        patched.setattr("shp_assets.steps.private_copy", _no_room)
        ward.drop("a")
        ward.look("arrivals")
        assert ward.phase("store") is Phase.OPEN
        assert ward.platform.state("a") == ("parked", "store_refused")
    ward.until(lambda: ward.states() == {"a": "published"})


def _no_room(*_: object) -> None:
    raise Fault(Code.STORE_REFUSED, "no space", Evidence("store", errno=28))


def test_passing_failures_are_tried_again_within_the_call(ward: Ward) -> None:
    """A reset connection would cost a run, and half a minute."""
    tried: list[int] = []

    def work() -> str:
        tried.append(1)
        if len(tried) < 4:
            raise RESET
        return "done"

    assert call(ward.platform.outside, "warehouse", FEED, work) == "done"
    assert ward.slept == [0.25, 0.5, 1.0], "half of 0.5, 1 and 2 s: full jitter with a draw of one half"
    assert ward.breaker() == Breaker("warehouse"), "what got through in the end is no failure"


@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        Fault(Code.SUPERSEDED, "newer", Evidence("warehouse")),
        Fault(Code.CODE_BUG, "bug", Evidence("warehouse")),
        Refusal(Code.DUPLICATE_DELIVERY, "twice"),
        KeyError("nobody named it"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_else_is_tried_again(ward: Ward, error: Exception) -> None:
    """A missing column would be retried like a time-out."""
    tried: list[int] = []

    def work() -> None:
        tried.append(1)
        raise error

    with pytest.raises(type(error)):
        call(ward.platform.outside, "warehouse", FEED, work)
    assert (tried, ward.slept) == ([1], [])


def test_calls_that_fail_in_a_row_open_the_breaker(ward: Ward) -> None:
    """A sick database would be tried four times by everybody for ever."""

    def work() -> None:
        raise RESET

    for _ in range(FAILURES_IN_A_ROW):
        assert ward.phase() is Phase.CLOSED
        with pytest.raises(Fault, match="reset"):
            call(ward.platform.outside, "warehouse", FEED, work)
    with pytest.raises(Fault, match="not asked until a probe gets through") as raised:
        call(ward.platform.outside, "warehouse", FEED, work)
    assert raised.value.code is Code.BREAKER_OPEN


def test_an_answer_that_is_not_the_systems_fault_closes_its_breaker(ward: Ward) -> None:
    """A probe that met a refused file would count as a dead database."""
    breakers = ward.platform.outside.ledger.breakers
    breakers.change("warehouse", lambda found: replace(found, phase=Phase.OPEN, trips=1, probe_at=ward.clock.now()))

    def refuse() -> None:
        raise Refusal(Code.DUPLICATE_DELIVERY, "twice")

    with pytest.raises(Refusal):
        call(ward.platform.outside, "warehouse", FEED, refuse)
    assert ward.phase() is Phase.CLOSED


def test_of_two_processes_one_begins_the_probe(ward: Ward) -> None:
    """Two workers would both be the one probe."""
    breakers = ward.platform.outside.ledger.breakers
    now = ward.clock.now()
    breakers.change("warehouse", lambda found: replace(found, phase=Phase.OPEN, trips=1, probe_at=now))
    (seen,) = breakers.read(["warehouse"])
    assert breakers.replace(seen, probing(seen.breaker, now))
    assert not breakers.replace(seen, probing(seen.breaker, now))
    assert not breakers.replace(Kept(Breaker("warehouse"), 0), Breaker("warehouse")), "nor is it made a second time"


def test_what_does_not_fail_writes_nothing_about_breakers(ward: Ward) -> None:
    """Every call of every run would cost a write that nobody needs."""
    ward.drop("a")
    ward.look("arrivals")
    assert ward.platform.sql("select count(*) from shp.breakers") == [(0,)]
    assert ward.platform.sql("select count(*) from shp.incidents") == [(0,)]


def test_five_hundred_waiting_partitions_do_not_come_down_at_once(ward: Ward) -> None:
    """A database that has just come up would be knocked down by what waited for it."""
    ward.drop("a")
    ward.look("arrivals")
    ward.platform.sql(
        "insert into shp.partitions (feed, partition, state, version, arrival, code, cause)"
        " select 'orders', 'p' || n, 'parked', 1, 1000 + n, 'sink_unreachable', 'warehouse' from generate_series(1, 500) n"
    )
    now, breakers = ward.clock.now(), ward.platform.outside.ledger.breakers
    breakers.change("warehouse", lambda found: replace(found, phase=Phase.OPEN, trips=1, probe_at=now))
    assert ward.tick("redrives").requests == []
    assert ward.tick("recovery").partitions == ["p1"]
    breakers.change("warehouse", lambda found: Breaker("warehouse", closed_at=now))
    asked = ward.tick("redrives")
    assert asked.partitions == [f"p{number}" for number in range(1, REDRIVES_AT_ONCE + 1)], "in order, and only so many"
    for request in asked.requests[:4]:
        ward.platform.queue(request)
    assert ward.tick("redrives").partitions == [f"p{number}" for number in range(5, REDRIVES_AT_ONCE + 1)], "no more than may be under way"


def test_the_count_of_open_breakers_is_told(cut_off: Ward) -> None:
    """Whoever looks at the sensor in the UI would see nothing of an outage."""
    assert cut_off.tick("recovery").skip == "1 breakers are open, 0 incidents were closed."
