"""What is done about a failure: the one table of the platform, as data, and the one function that reads it.

    fault ──▶ decide ──▶ verdict: what happens next, where the partition waits, when it is due, who is told

Lives here: treatments by fault kind (and by code where a code says more), budgets, what arms a held partition again.
Must not live here: what failures are called (`classify`), where verdicts are written (the ledger), the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shp_core.clock import Clock
from shp_core.codes import Code
from shp_core.healing.backoff import Backoff, Strategy
from shp_core.healing.cause import cause_of
from shp_core.healing.faults import Evidence, FaultKind
from shp_core.states import State

REDRIVES_A_DAY = 5
"""How many re-drives one cause may cost one partition within `DAY`."""

DAY = timedelta(hours=24)
DEATHS = 2
"""So many workers lost in one step on the same bytes hold the partition: the bytes may be what kills."""

PAUSES = Backoff(Strategy.EXPONENTIAL, first=30.0, cap=3600.0, factor=4.0)
"""Before the first re-drive, the second and so on; each with full jitter."""


class Action(StrEnum):
    """What happens next."""

    AT_ONCE = "at_once"
    REDRIVE = "redrive"
    WAIT = "wait"
    PARK = "park"
    QUARANTINE = "quarantine"
    EXHAUSTED = "exhausted"


class Arming(StrEnum):
    """What lets a held partition run again."""

    ARRIVAL = "arrival"
    SOURCE = "source"
    BREAKER = "breaker"
    DAY = "day"
    CONTRACT = "contract"
    CONVERTER = "converter"
    LIMITS = "limits"
    PERSON = "person"


class Effect(StrEnum):
    """What a failure does to the breaker of its system."""

    NONE = "none"
    COUNTS = "counts"
    OPENS = "opens"


class Telling(StrEnum):
    """When people are told, by an incident."""

    NEVER = "never"
    AT_ONCE = "at_once"
    AT_LAST = "at_last"


class Severity(StrEnum):
    """How bad an incident is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Treatment:
    """A row of the table.

    Args:
        action: what happens next.
        state: where the partition waits.
        armed_by: what lets it run again; a new arrival and a person always do.
        breaker: what the failure does to its system's breaker.
        budgeted: whether re-drives are counted, and end in `exhausted`.
        telling: when an incident opens.
        severity: of the incident.
    """

    action: Action
    state: State
    armed_by: frozenset[Arming]
    breaker: Effect = Effect.NONE
    budgeted: bool = False
    telling: Telling = Telling.NEVER
    severity: Severity = Severity.WARNING


_ALWAYS = frozenset({Arming.ARRIVAL, Arming.PERSON})
_RULES = _ALWAYS | {Arming.CONTRACT, Arming.CONVERTER}
_PASSING = Treatment(
    Action.REDRIVE, State.WAITING, _ALWAYS | {Arming.BREAKER, Arming.DAY}, Effect.COUNTS, budgeted=True, telling=Telling.AT_LAST
)
_SOURCE = Treatment(Action.WAIT, State.WAITING, _ALWAYS | {Arming.SOURCE})
_SINK = Treatment(
    Action.PARK,
    State.PARKED,
    _ALWAYS | {Arming.BREAKER, Arming.DAY},
    Effect.OPENS,
    budgeted=True,
    telling=Telling.AT_ONCE,
    severity=Severity.CRITICAL,
)
_REFUSED = Treatment(Action.QUARANTINE, State.QUARANTINED, _RULES, telling=Telling.AT_ONCE)
_UNREADABLE = Treatment(Action.QUARANTINE, State.QUARANTINED, _ALWAYS | {Arming.CONVERTER, Arming.LIMITS}, telling=Telling.AT_ONCE)
_POISON = Treatment(Action.AT_ONCE, State.ARRIVED, _ALWAYS | {Arming.CONVERTER}, telling=Telling.AT_LAST)

TABLE: dict[FaultKind, Treatment] = {
    FaultKind.TRANSIENT: _PASSING,
    FaultKind.SOURCE_MISSING: _SOURCE,
    FaultKind.SOURCE_DOWN: replace(_SINK, severity=Severity.WARNING),
    FaultKind.SINK_DOWN: _SINK,
    FaultKind.SINK_REFUSED: _SINK,
    FaultKind.DATA_BREACH: _REFUSED,
    FaultKind.SCHEMA_DRIFT: _REFUSED,
    FaultKind.CORRUPT_INPUT: _UNREADABLE,
    FaultKind.WORKER_LOST: _POISON,
    FaultKind.INTERRUPTED: Treatment(Action.AT_ONCE, State.ARRIVED, _ALWAYS),
    FaultKind.CODE_BUG: Treatment(Action.EXHAUSTED, State.EXHAUSTED, _RULES, telling=Telling.AT_ONCE, severity=Severity.CRITICAL),
}
"""By fault kind: what is done."""

READER_ENDS = frozenset({Code.READER_CRASHED, Code.READER_TIMEOUT})
"""Ends of the reading process that the machine may be to blame for, and not the bytes: it is tried once more."""

_READER_END = Treatment(Action.AT_ONCE, State.ARRIVED, _ALWAYS | {Arming.CONVERTER, Arming.LIMITS}, telling=Telling.AT_LAST)

BY_CODE: dict[Code, Treatment] = {
    **dict.fromkeys(sorted(READER_ENDS), _READER_END),
    Code.STILL_MOVING: _SOURCE,
    Code.SOURCE_REFUSED: replace(_PASSING, breaker=Effect.NONE, telling=Telling.AT_ONCE),
    Code.TERMINATED: Treatment(Action.EXHAUSTED, State.EXHAUSTED, _ALWAYS),
    Code.SINKS_DIFFER: Treatment(
        Action.REDRIVE,
        State.PARKED,
        _ALWAYS | {Arming.DAY},
        budgeted=True,
        telling=Telling.AT_ONCE,
        severity=Severity.CRITICAL,
    ),
}
"""Codes that are treated otherwise than their kind.

A moving file is waited for, and a source that lets nobody in is asked again; what a person stopped stays stopped; sinks
that differ are rebuilt.
"""


@dataclass(frozen=True)
class FaultSeen:
    """A failure of a run.

    Args:
        code: what it is called.
        feed: whose run.
        evidence: what was seen, if it came from outside.
    """

    code: Code
    feed: str
    evidence: Evidence | None = None

    @property
    def cause(self) -> str:
        """What it is counted under."""
        return cause_of(self.code, self.feed, self.evidence)


@dataclass(frozen=True)
class History:
    """What went before, of this partition and this cause.

    Args:
        redrives: re-drives within `DAY` that ended in the same cause, on the newest arrival, since a person last released it.
        deaths: earlier workers lost in the same step on the same bytes, or earlier ends of their reader.
    """

    redrives: int = 0
    deaths: int = 0


@dataclass(frozen=True)
class Verdict:
    """What was decided about a failure.

    Args:
        action: what happens next.
        state: where the partition waits.
        cause: what it is counted under; of a parked partition, the breaker it waits for.
        due: when the next run is due; None where something else arms the partition.
        severity: of the incident that people are told by; None: nobody is told.
    """

    action: Action
    state: State
    cause: str
    due: datetime | None = None
    severity: Severity | None = None


def treatment_of(code: Code) -> Treatment:
    """The row of the table for a code."""
    return BY_CODE.get(code, TABLE[code.info.kind])


def decide(fault: FaultSeen, history: History, waits_for: str | None, clock: Clock, draw: float) -> Verdict:
    """Decide about a failure.

    Args:
        fault: what failed.
        history: what went before.
        waits_for: the breaker before the system that failed, if it is open now.
        clock: tells the present.
        draw: a random number from 0 up to 1, which spreads due times.
    """
    treatment = treatment_of(fault.code)
    now = clock.now()
    if treatment.budgeted and history.redrives >= REDRIVES_A_DAY:
        due = now + DAY if Arming.DAY in treatment.armed_by else None
        return Verdict(Action.EXHAUSTED, State.EXHAUSTED, fault.cause, due, treatment.severity)
    if fault.code in {Code.WORKER_LOST, *READER_ENDS} and history.deaths + 1 >= DEATHS:
        return Verdict(Action.QUARANTINE, State.QUARANTINED, fault.cause, None, treatment.severity)
    if waits_for is not None and treatment.breaker is not Effect.NONE:
        return Verdict(Action.PARK, State.PARKED, waits_for, None, Severity.CRITICAL)
    pause = max(PAUSES.pause(history.redrives + 1, draw), _asked_to_wait(fault))
    due = now + timedelta(seconds=pause) if treatment.budgeted else None
    told = treatment.severity if treatment.telling is Telling.AT_ONCE else None
    return Verdict(treatment.action, treatment.state, fault.cause, due, told)


def _asked_to_wait(fault: FaultSeen) -> float:
    """How long the system asked to be left alone, in seconds; nobody may ask for more than the longest pause."""
    return min((fault.evidence.retry_after or 0.0) if fault.evidence else 0.0, PAUSES.cap)


def codes_armed_by(arming: Arming) -> frozenset[Code]:
    """The codes of held partitions that such a change lets run again."""
    return frozenset(code for code in Code if arming in treatment_of(code).armed_by)
