"""Where a partition waits after a run that did not publish it, by fault kind."""

from __future__ import annotations

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


def held_state(kind: FaultKind) -> State:
    """The state of a partition whose run ended in a fault or refusal of this kind."""
    return _HOLD[kind]
