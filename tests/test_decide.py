"""The decision table: what each failure leads to, whatever went before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.clock import ManualClock
from shp_core.codes import Code, Scope
from shp_core.healing.cause import GUARDED, breaker_name, breaker_names, cause_of
from shp_core.healing.decide import (
    DAY,
    DEATHS,
    PAUSES,
    READER_ENDS,
    REDRIVES_A_DAY,
    TABLE,
    Action,
    Arming,
    Effect,
    FaultSeen,
    History,
    Severity,
    Telling,
    Verdict,
    codes_armed_by,
    decide,
    treatment_of,
)
from shp_core.healing.faults import Evidence, FaultKind
from shp_core.states import HELD_STATES, State, check_transition

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOLDING = sorted(code for code in Code if code.info.scope in (Scope.FILE, Scope.PLATFORM))
DETERMINISTIC = [code for code in HOLDING if code.info.kind in (FaultKind.DATA_BREACH, FaultKind.SCHEMA_DRIFT, FaultKind.CORRUPT_INPUT)]
codes = st.sampled_from(HOLDING)
draws = st.floats(0, 1, exclude_max=True)
evidences = st.none() | st.builds(
    Evidence,
    system=st.sampled_from(["warehouse", "store", "ledger", "landing", "worker"]),
    sqlstate=st.sampled_from([None, "08006", "08001", "42501", "53100"]),
    text=st.sampled_from(["warehouse", "store"]),
)


def decided(
    code: Code, *, evidence: Evidence | None = None, history: History | None = None, waits_for: str | None = None, draw: float = 0.5
) -> Verdict:
    """The verdict at noon on a failure of the feed `sales`."""
    return decide(FaultSeen(code, "sales", evidence), history or History(), waits_for, ManualClock(NOON), draw)


def test_every_fault_kind_has_a_treatment() -> None:
    """A failure of a kind that the table lacks would crash the place that decides."""
    assert set(TABLE) == set(FaultKind)


@given(codes, evidences, st.integers(0, 30), st.integers(0, 5), st.none() | st.just("warehouse"), draws)
def test_whatever_fails_the_verdict_is_one_that_can_be_carried_out(
    code: Code, evidence: Evidence | None, redrives: int, deaths: int, waits_for: str | None, draw: float
) -> None:
    """A run would die of its own verdict, or a partition would be held with nothing that ever arms it."""
    verdict = decided(code, evidence=evidence, history=History(redrives, deaths), waits_for=waits_for, draw=draw)
    check_transition(State.RUNNING, verdict.state)
    assert verdict.cause
    assert verdict.due is None or NOON <= verdict.due <= NOON + DAY
    assert verdict.state in HELD_STATES or (verdict.due is None and verdict.severity is None)
    if verdict.state is State.PARKED:
        assert verdict.due is not None or verdict.cause == waits_for, "either its time comes or its breaker closes"


@given(codes, evidences, st.none() | st.just("warehouse"), draws)
def test_no_cause_costs_more_than_its_budget(code: Code, evidence: Evidence | None, waits_for: str | None, draw: float) -> None:
    """One missing object would burn runs for ever, as it did on a public platform."""
    spent = History(redrives=REDRIVES_A_DAY)
    verdict = decided(code, evidence=evidence, history=spent, waits_for=waits_for, draw=draw)
    budgeted = treatment_of(code).budgeted
    assert (verdict.action is Action.EXHAUSTED and verdict.due == NOON + DAY and verdict.severity is not None) or not budgeted
    assert verdict.action is not Action.REDRIVE


@pytest.mark.parametrize("code", [code for code in DETERMINISTIC if code not in READER_ENDS])
def test_what_the_bytes_decide_is_never_tried_again_by_itself(code: Code) -> None:
    """A missing column would be retried like a timeout."""
    verdict = decided(code)
    assert (verdict.action, verdict.state, verdict.due) == (Action.QUARANTINE, State.QUARANTINED, None)
    assert (verdict.cause, verdict.severity) == (f"{code}/sales", Severity.WARNING)


def test_a_bug_is_run_once_and_told_at_once() -> None:
    """Our own bugs would be retried, or nobody would hear of them."""
    verdict = decided(Code.CODE_BUG, evidence=Evidence("worker", text="KeyError"))
    assert verdict == Verdict(Action.EXHAUSTED, State.EXHAUSTED, "code_bug/sales", None, Severity.CRITICAL)


@pytest.mark.parametrize("redrives", range(REDRIVES_A_DAY))
def test_pauses_grow_and_are_spread(redrives: int) -> None:
    """Two hundred partitions that failed together would come back together."""
    reset = Evidence("warehouse", sqlstate="08006")
    history = History(redrives)
    longest = min(PAUSES.cap, PAUSES.first * PAUSES.factor**redrives)
    due = [decided(Code.TRANSIENT, evidence=reset, history=history, draw=draw).due for draw in (0.0, 0.25, 0.5)]
    assert due == [NOON + timedelta(seconds=share * longest) for share in (0.0, 0.25, 0.5)]


def test_a_passing_failure_waits_alone_until_its_breaker_opens() -> None:
    """A single reset would open an incident, or a row of them would go on hammering a sick database."""
    reset = Evidence("warehouse", sqlstate="08006")
    alone = decided(Code.TRANSIENT, evidence=reset)
    assert (alone.action, alone.state, alone.cause, alone.severity) == (Action.REDRIVE, State.WAITING, "transient/warehouse", None)
    behind = decided(Code.TRANSIENT, evidence=reset, waits_for="warehouse")
    assert behind == Verdict(Action.PARK, State.PARKED, "warehouse", None, Severity.CRITICAL)


def test_every_partition_behind_one_dead_database_has_one_cause() -> None:
    """Five hundred partitions would be five hundred alerts."""
    away = Evidence("warehouse", sqlstate="08001")
    kept_back = Evidence("warehouse", text="warehouse")
    causes = {
        decide(FaultSeen(code, feed, evidence), History(), "warehouse", ManualClock(NOON), 0.5).cause
        for feed in ("sales", "stock")
        for code, evidence in ((Code.SINK_UNREACHABLE, away), (Code.BREAKER_OPEN, kept_back), (Code.TRANSIENT, away))
    }
    assert causes == {"warehouse"}


def test_a_refusal_about_one_feeds_tables_keeps_no_other_feed_back() -> None:
    """One missing GRANT would stop every feed."""
    denied = Evidence("warehouse", sqlstate="42501")
    full = Evidence("warehouse", sqlstate="53100")
    assert breaker_name("warehouse", "sales", denied) == "warehouse/sales"
    assert breaker_name("warehouse", "sales", full) == "warehouse"
    assert breaker_names("warehouse", "stock") == ("warehouse", "warehouse/stock")


def test_a_system_without_a_breaker_is_come_back_to() -> None:
    """A partition whose ledger was away for a second would be parked behind a breaker that does not exist."""
    away = Evidence("ledger", sqlstate="08001")
    assert breaker_names("ledger", "sales") == ()
    verdict = decided(Code.LEDGER_UNREACHABLE, evidence=away)
    assert (verdict.state, verdict.cause) == (State.PARKED, "ledger")
    assert verdict.due is not None


@pytest.mark.parametrize("code", [Code.WORKER_LOST, *sorted(READER_ENDS)])
def test_a_second_death_on_the_same_bytes_is_poison(code: Code) -> None:
    """A file that kills its worker, or whoever reads it, would do so for ever; or a good one be held for what the machine did."""
    first, last = decided(code), decided(code, history=History(deaths=DEATHS - 1))
    assert (first.state, first.severity) == (State.ARRIVED, None)
    assert (last.state, last.severity) == (State.QUARANTINED, Severity.WARNING)


@pytest.mark.parametrize("code", [Code.STILL_MOVING, Code.SOURCE_MISSING])
def test_a_source_is_waited_for_without_a_budget(code: Code) -> None:
    """A file that is copied for an hour would use up its budget before it is there."""
    for redrives in (0, 99):
        verdict = decided(code, evidence=Evidence("landing"), history=History(redrives))
        assert (verdict.action, verdict.state, verdict.due, verdict.severity) == (Action.WAIT, State.WAITING, None, None)


def test_what_a_person_stopped_stays_stopped() -> None:
    """Whoever ends a run in the UI would see it come back."""
    verdict = decided(Code.TERMINATED, evidence=Evidence("worker"))
    assert (verdict.state, verdict.due, verdict.severity) == (State.EXHAUSTED, None, None)
    assert Code.TERMINATED not in codes_armed_by(Arming.CONTRACT)


def test_an_edited_feed_lifts_what_the_feed_decided_and_nothing_else() -> None:
    """An edited feed file would run damaged workbooks again, or leave refused ones in quarantine."""
    by_contract, by_converter = codes_armed_by(Arming.CONTRACT), codes_armed_by(Arming.CONVERTER)
    assert {Code.COLUMN_MISSING, Code.TOO_MANY_REJECTS, Code.CODE_BUG} <= by_contract
    assert by_contract.isdisjoint({Code.NOT_A_WORKBOOK, Code.WORKER_LOST, Code.SINK_UNREACHABLE, Code.TRANSIENT})
    assert {Code.COLUMN_MISSING, Code.WORKER_LOST, Code.NOT_A_WORKBOOK} <= by_converter


def test_a_new_arrival_and_a_person_arm_everything() -> None:
    """There would be a quarantine without a way out."""
    for row in [*TABLE.values(), treatment_of(Code.TERMINATED), treatment_of(Code.STILL_MOVING)]:
        assert {Arming.ARRIVAL, Arming.PERSON} <= row.armed_by
        assert (row.telling is Telling.NEVER) or row.state is not State.WAITING or row.budgeted


def test_only_systems_with_a_breaker_are_counted_against_one() -> None:
    """A breaker would open for a system that no call asks it about, and never close."""
    assert {"warehouse", "store", "hdfs", "yarn", "lake"} == GUARDED
    assert cause_of(Code.TOO_MANY_REJECTS, "sales", None) == "too_many_rejects/sales"
    assert all(row.breaker is Effect.NONE for row in TABLE.values() if not row.budgeted)
