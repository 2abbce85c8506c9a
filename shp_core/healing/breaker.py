"""The breaker of an outside system, as a pure state machine: closed, open, half-open by itself, one probe at a time.

    closed ──▶ open        a system is away or refuses, or passing failures come in a row
    open ──▶ half-open     its pause is over and somebody begins the one probe
    half-open ──▶ closed   the probe got through
    half-open ──▶ open     it did not: the next pause is twice as long, up to five minutes

Must not live here: where breakers are kept (the ledger) and the calls they stand before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shp_core.healing.backoff import Backoff, Strategy

FAILURES_IN_A_ROW = 5
"""So many passing failures, each after the tries within its call, open a breaker."""

PAUSES = Backoff(Strategy.EXPONENTIAL, first=5.0, cap=300.0)
PROBE_SECONDS = 120.0
"""How long a probe may take; then it is lost, and another may begin."""


class Phase(StrEnum):
    """What a breaker does with a call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(StrEnum):
    """Whether a call may be made now."""

    PASS = "pass"
    PROBE = "probe"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Breaker:
    """The breaker of an outside system, or of one feed's place in it.

    Args:
        name: `warehouse`, `warehouse/sales`.
        phase: what it does with calls.
        failures: passing failures in a row while it is closed.
        trips: how often it was opened since it was last closed; the pause grows with it.
        opened_at: when it was opened.
        probe_at: from when on a probe may begin.
        probe_until: until when the probe under way may take.
        closed_at: when a probe last closed it.
        code: why it was opened.
        message: why it was opened, for people.
    """

    name: str
    phase: Phase = Phase.CLOSED
    failures: int = 0
    trips: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    probe_until: datetime | None = None
    closed_at: datetime | None = None
    code: str | None = None
    message: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are kept back; a probe may be under way."""
        return self.phase is not Phase.CLOSED


def admission(breaker: Breaker, now: datetime) -> Admission:
    """Whether a call may be made.

    Args:
        breaker: before it.
        now: the present instant.
    """
    if breaker.phase is Phase.CLOSED:
        return Admission.PASS
    free_at = breaker.probe_at if breaker.phase is Phase.OPEN else breaker.probe_until
    return Admission.PROBE if free_at is None or free_at <= now else Admission.REFUSE


def probing(breaker: Breaker, now: datetime) -> Breaker:
    """The one probe begins; the caller was admitted for it."""
    return replace(breaker, phase=Phase.HALF_OPEN, probe_at=None, probe_until=now + timedelta(seconds=PROBE_SECONDS))


def answered(breaker: Breaker, now: datetime) -> Breaker:
    """The system answers, which does not prove yet that it works: the next call is the probe that decides."""
    if breaker.phase is not Phase.HALF_OPEN:
        return breaker
    return replace(breaker, phase=Phase.OPEN, probe_at=now, probe_until=None)


def asked_for(breaker: Breaker, now: datetime) -> Breaker:
    """A person asks for work behind it: the next probe is due now; one that is under way goes on."""
    return replace(breaker, probe_at=now) if breaker.phase is Phase.OPEN else breaker


def succeeded(breaker: Breaker, now: datetime) -> Breaker:
    """A call got through; one that began before the breaker opened proves nothing."""
    if breaker.phase is Phase.CLOSED:
        return replace(breaker, failures=0)
    if breaker.phase is Phase.OPEN:
        return breaker
    return Breaker(breaker.name, closed_at=now)


def failed(breaker: Breaker, now: datetime, draw: float, *, at_once: bool, code: str, message: str) -> Breaker:
    """A call failed.

    Args:
        breaker: before it.
        now: the present instant.
        draw: a random number from 0 up to 1, which spreads the pause.
        at_once: the system is away or refuses; otherwise the failure counts among others in a row.
        code: what went wrong.
        message: what went wrong, for people.
    """
    if breaker.phase is Phase.OPEN:
        return breaker
    failures = breaker.failures + 1
    if breaker.phase is Phase.CLOSED and not at_once and failures < FAILURES_IN_A_ROW:
        return replace(breaker, failures=failures)
    trips = breaker.trips + 1
    probe_at = now + timedelta(seconds=PAUSES.longest(trips) * (1 + draw) / 2)
    opened_at = breaker.opened_at or now
    return Breaker(breaker.name, Phase.OPEN, 0, trips, opened_at, probe_at, None, breaker.closed_at, code, message)
