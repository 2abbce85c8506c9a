"""The breaker as a state machine: no call while it is open, one probe at a time, half-open by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shp_core.clock import ManualClock
from shp_core.healing.backoff import POLICIES, Backoff, Strategy
from shp_core.healing.breaker import (
    FAILURES_IN_A_ROW,
    PAUSES,
    PROBE_SECONDS,
    Admission,
    Breaker,
    Phase,
    admission,
    answered,
    asked_for,
    failed,
    probing,
    succeeded,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLD = {"code": "sink_unreachable", "message": "away"}


def opened(now: datetime = NOON, draw: float = 0.0, before: Breaker | None = None) -> Breaker:
    """A breaker that a dead system opened."""
    return failed(before or Breaker("warehouse"), now, draw, at_once=True, **TOLD)


def test_a_dead_system_opens_it_at_once() -> None:
    """Every waiting partition would knock at a database that is away."""
    breaker = opened()
    assert (breaker.phase, breaker.code, breaker.opened_at) == (Phase.OPEN, "sink_unreachable", NOON)
    assert admission(breaker, NOON) is Admission.REFUSE


def test_passing_failures_open_it_only_in_a_row() -> None:
    """A failure now and then over a week would count as an outage."""
    breaker = Breaker("warehouse")
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker = failed(breaker, NOON, 0.5, at_once=False, **TOLD)
    assert breaker.phase is Phase.CLOSED
    assert failed(succeeded(breaker, NOON), NOON, 0.5, at_once=False, **TOLD).phase is Phase.CLOSED
    assert failed(breaker, NOON, 0.5, at_once=False, **TOLD).phase is Phase.OPEN


def test_it_becomes_half_open_by_itself() -> None:
    """A breaker would stay open until a person comes."""
    breaker = opened()
    assert breaker.probe_at is not None
    assert admission(breaker, breaker.probe_at - timedelta(milliseconds=1)) is Admission.REFUSE
    assert admission(breaker, breaker.probe_at) is Admission.PROBE


def test_one_probe_at_a_time_and_a_lost_one_is_replaced() -> None:
    """Fifty workers would be fifty probes; or a prober that is killed would keep the breaker shut for ever."""
    begun = probing(opened(), NOON)
    assert admission(begun, NOON) is Admission.REFUSE
    assert admission(begun, NOON + timedelta(seconds=PROBE_SECONDS - 1)) is Admission.REFUSE
    assert admission(begun, NOON + timedelta(seconds=PROBE_SECONDS)) is Admission.PROBE


def test_a_probe_that_got_through_closes_it() -> None:
    """Nothing would ever drain."""
    closed = succeeded(probing(opened(), NOON), NOON)
    assert closed == Breaker("warehouse", closed_at=NOON)
    assert admission(closed, NOON) is Admission.PASS


def test_each_probe_in_vain_makes_the_next_pause_longer_up_to_a_limit() -> None:
    """A database that is away for a day would be asked every five seconds, or only after days."""
    breaker, pauses = opened(draw=1.0), []
    for _ in range(10):
        assert breaker.probe_at is not None
        pauses.append((breaker.probe_at - NOON).total_seconds())
        breaker = opened(draw=1.0, before=probing(breaker, NOON))
    assert pauses == [min(PAUSES.cap, PAUSES.first * 2**number) for number in range(10)]
    assert breaker.opened_at == NOON, "it is still the same outage"


def test_an_answer_alone_does_not_close_it() -> None:
    """A server that accepts connections and refuses every row would drain five hundred partitions into failure."""
    after = answered(probing(opened(), NOON), NOON)
    assert (after.phase, admission(after, NOON)) == (Phase.OPEN, Admission.PROBE)
    assert after.trips == opened().trips


def test_a_call_that_began_before_it_opened_changes_nothing() -> None:
    """A slow success would close the breaker of a system that has died since, a slow failure would lengthen its pause."""
    breaker = opened()
    assert succeeded(breaker, NOON) == breaker
    assert opened(now=NOON + timedelta(hours=1), before=breaker) == breaker


def test_a_person_makes_the_next_probe_due() -> None:
    """Whoever mended the database would wait five minutes for the platform to notice."""
    breaker = asked_for(opened(), NOON)
    assert admission(breaker, NOON) is Admission.PROBE
    begun = probing(breaker, NOON)
    assert asked_for(begun, NOON) == begun, "not a second probe"


class Outages(RuleBasedStateMachine):
    """A system that goes away and comes back, workers that call it, and the breaker between them."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOON)
        self.breaker = Breaker("warehouse")
        self.away = False
        self.probes = 0

    @rule(seconds=st.floats(0, 1000))
    def time_passes(self, seconds: float) -> None:
        """Time passes; a probe that takes too long is lost."""
        self.clock.advance(timedelta(seconds=seconds))
        if self.probes and self.breaker.probe_until is not None and self.breaker.probe_until <= self.clock.now():
            self.probes = 0

    @rule(away=st.booleans())
    def the_system_changes(self, away: bool) -> None:
        """It goes away, or comes back."""
        self.away = away

    @precondition(lambda self: admission(self.breaker, self.clock.now()) is Admission.PASS)
    @rule(at_once=st.booleans(), draw=st.floats(0, 1))
    def somebody_calls(self, at_once: bool, draw: float) -> None:
        """A call while it is closed."""
        self.end(at_once, draw)

    @precondition(lambda self: admission(self.breaker, self.clock.now()) is Admission.PROBE)
    @rule()
    def somebody_probes(self) -> None:
        """A probe begins."""
        self.breaker = probing(self.breaker, self.clock.now())
        self.probes += 1

    @precondition(lambda self: self.probes > 0)
    @rule(at_once=st.booleans(), draw=st.floats(0, 1))
    def the_probe_ends(self, at_once: bool, draw: float) -> None:
        """A probe ends as the system is."""
        self.probes -= 1
        self.end(at_once, draw)

    def end(self, at_once: bool, draw: float) -> None:
        """A call ends."""
        now = self.clock.now()
        self.breaker = failed(self.breaker, now, draw, at_once=at_once, **TOLD) if self.away else succeeded(self.breaker, now)

    @invariant()
    def one_probe_at_a_time(self) -> None:
        """Never two."""
        assert self.probes <= 1

    @invariant()
    def it_never_stays_shut(self) -> None:
        """Whatever happened, within some minutes a call may be made."""
        later = self.clock.now() + timedelta(seconds=max(PAUSES.cap, PROBE_SECONDS))
        assert admission(self.breaker, later) is not Admission.REFUSE

    @invariant()
    def it_is_open_only_for_a_reason(self) -> None:
        """An open breaker says why and since when."""
        if self.breaker.phase is not Phase.CLOSED:
            assert self.breaker.code
            assert self.breaker.opened_at is not None
            assert self.breaker.trips > 0


TestOutages = Outages.TestCase


@given(st.sampled_from(list(Strategy)), st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 100), st.floats(0, 3600))
def test_no_pause_is_longer_than_its_cap(strategy: Strategy, tries: int, draw: float, first: float, cap: float) -> None:
    """A pause that grows without end would look like a platform that has died."""
    backoff = Backoff(strategy, first, cap)
    assert 0 <= backoff.pause(tries, draw) <= backoff.longest(tries) <= cap


@pytest.mark.parametrize(
    ("strategy", "longest"),
    [
        (Strategy.IMMEDIATE, [0, 0, 0, 0]),
        (Strategy.FIXED, [2, 2, 2, 2]),
        (Strategy.LINEAR, [2, 4, 6, 7]),
        (Strategy.EXPONENTIAL, [2, 4, 7, 7]),
    ],
)
def test_each_strategy_grows_in_its_own_way(strategy: Strategy, longest: list[float]) -> None:
    """A policy would not do what its name says."""
    assert [Backoff(strategy, first=2, cap=7).longest(tries) for tries in range(1, 5)] == longest


def test_every_policy_is_bounded_twice() -> None:
    """A call would be tried without end, or would hold a lease for an hour."""
    assert set(POLICIES) == {"standard", "patient", "none"}
    assert all(policy.tries >= 1 and policy.seconds < 600 for policy in POLICIES.values())
    assert POLICIES["none"].tries == 1
