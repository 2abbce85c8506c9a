"""Where a partition waits after a run that did not publish it: by fault kind, and by code where a code says more."""

from __future__ import annotations

from shp_core.codes import Code
from shp_core.healing.faults import FaultKind
from shp_core.states import State

_HOLD = {
    FaultKind.TRANSIENT: State.WAITING,
    FaultKind.SOURCE_MISSING: State.WAITING,
    FaultKind.SINK_DOWN: State.PARKED,
    FaultKind.SINK_REFUSED: State.PARKED,
    FaultKind.DATA_BREACH: State.QUARANTINED,
    FaultKind.SCHEMA_DRIFT: State.QUARANTINED,
    FaultKind.CORRUPT_INPUT: State.QUARANTINED,
    FaultKind.WORKER_LOST: State.WAITING,
    FaultKind.INTERRUPTED: State.ARRIVED,
    FaultKind.CODE_BUG: State.EXHAUSTED,
}

_HOLD_BY_CODE = {Code.TERMINATED: State.EXHAUSTED}
"""What a person stopped is not taken up again by itself."""


def held_state(kind: FaultKind, code: Code | None = None) -> State:
    """The state of a partition whose run ended in a fault or refusal.

    Args:
        kind: the fault's kind.
        code: its code, which decides where it has a rule of its own.
    """
    return _HOLD_BY_CODE.get(code, _HOLD[kind]) if code else _HOLD[kind]
