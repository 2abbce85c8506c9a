"""Five hundred partitions wait behind a breaker that closes: they come down one feedful at a time, oldest first."""

from __future__ import annotations

from datetime import timedelta

from shp_core.healing.breaker import PAUSES, Phase
from shp_core.states import State
from shp_sensors.redrives import REDRIVES_AT_ONCE
from tests.support.healing import Ward
from tests.support.platforms import FEED, NOBODY, order

WAITING = 500


def test_five_hundred_that_wait_do_not_come_down_at_once(ward: Ward) -> None:
    """A database that has just come up would be knocked down again by everything that waited for it; or five hundred alerts be sent."""
    platform = ward.platform
    platform.turn_to(NOBODY)
    ward.drop("first")
    ward.look("arrivals")
    assert platform.state("first") == ("parked", "sink_unreachable")
    _held_with_it(ward)
    (incident,) = ward.incidents()
    assert (incident.cause, len(incident.members)) == ("warehouse", WAITING)
    ward.later(PAUSES.first)
    assert ward.look("recovery", "redrives") == [], "it is away still: one small call, no run"

    platform.turn_to(None)
    ward.later(PAUSES.longest(ward.breaker().trips))
    probe = ward.tick("recovery")
    assert probe.partitions == ["first"], "one probe, the oldest"
    assert ward.tick("redrives").requests == [], "nobody else before it got through"
    assert [result.success for result in platform.fulfil(probe, "recovery")] == [True]
    assert ward.phase() is Phase.CLOSED

    asked: list[str | None] = []
    queued = []
    for _ in range(4):
        tick = ward.tick("redrives")
        asked += tick.partitions
        queued += [platform.queue(request) for request in tick.requests]
    assert asked == [f"p{number:03}" for number in range(REDRIVES_AT_ONCE)], "ten at once, the oldest first, and no more while they run"
    for run in queued[:3]:
        platform.instance.report_run_failed(run, "it made room")
    assert len(ward.tick("redrives").requests) == 3
    (still,) = ward.incidents()
    assert (still.closed_at, len(still.held)) == (None, WAITING), "one incident, however many it holds"
    assert ward.states()["p498"] == "parked"


def _held_with_it(ward: Ward) -> None:
    """Others that came during the outage: as their runs would leave them, without half a thousand runs."""
    ledger, at = ward.platform.outside.ledger, ward.clock.now() + timedelta(seconds=1)
    path = ward.platform.drop("template.xlsx", [order(1)])
    path.unlink()
    names = [f"p{number:03}" for number in range(WAITING - 1)]
    for name in names:
        with ledger.transaction():
            ledger.arrivals.record(FEED, name, None, "ingest")
            record = ledger.partitions.get(FEED, name)
            assert record is not None
            ledger.partitions.move(FEED, name, State.PARKED, expect_version=record.version, code="breaker_open", cause="warehouse")
    told = {"severity": "critical", "code": "sink_unreachable", "message": "away"}
    ledger.incidents.join_all("warehouse", FEED, names, at=at, **told)
