"""The states of a partition and the moves between them, as data.

Lives here: the eleven states, the legal moves with a reason for each group, and the one function that refuses others.
Must not live here: where states are stored (the ledger) and who decides to move (verdicts).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shp_core.codes import Code
from shp_core.errors import ShpError


class State(StrEnum):
    """What the platform knows of a partition."""

    EXPECTED = "expected"
    LATE = "late"
    WAIVED = "waived"
    ARRIVED = "arrived"
    RUNNING = "running"
    WAITING = "waiting"
    PARKED = "parked"
    QUARANTINED = "quarantined"
    EXHAUSTED = "exhausted"
    PUBLISHED = "published"
    PUBLISHED_WITH_REJECTS = "published_with_rejects"

    @property
    def is_published(self) -> bool:
        """Whether every sink of the feed holds the intended publication."""
        return self in PUBLISHED_STATES


ANY_STATE = frozenset(State)
PUBLISHED_STATES = frozenset({State.PUBLISHED, State.PUBLISHED_WITH_REJECTS})
HELD_STATES = frozenset({State.WAITING, State.PARKED, State.QUARANTINED, State.EXHAUSTED})


class IllegalTransition(ShpError):
    """A move between states that the table does not know; always a bug of the caller.

    Args:
        old: the state before, None where there is no partition yet.
        new: the state asked for.
    """

    def __init__(self, old: State | None, new: State) -> None:
        super().__init__(Code.CODE_BUG, f"A partition cannot go from {old or 'nothing'} to {new}.")
        self.old, self.new = old, new


@dataclass(frozen=True)
class Moves:
    """A group of legal moves: every state of `old` may become every state of `new`, for one reason."""

    reason: str
    old: frozenset[State | None]
    new: frozenset[State]


def _moves(reason: str, old: set[State | None] | frozenset[State], new: set[State] | frozenset[State]) -> Moves:
    return Moves(reason, frozenset(old), frozenset(new))


TRANSITIONS: tuple[Moves, ...] = (
    _moves("A period is planned before its source comes.", {None}, {State.EXPECTED}),
    _moves("A source came that nobody had to expect.", {None}, {State.ARRIVED}),
    _moves("The ledger is rebuilt from what the sinks hold.", {None}, PUBLISHED_STATES),
    _moves("The due time passed and the source is not there, or went away.", {State.EXPECTED, State.WAITING}, {State.LATE}),
    _moves("The due time was moved.", {State.LATE}, {State.EXPECTED}),
    _moves(
        "A person says that it will never come, never be mended, or must be empty.",
        {State.EXPECTED, State.LATE, State.ARRIVED, *HELD_STATES, *PUBLISHED_STATES},
        {State.WAIVED},
    ),
    _moves("A person takes the waiver back.", {State.WAIVED}, {State.EXPECTED}),
    _moves("A newer arrival; held and armed again; or given back by a run that was interrupted or overtaken.", ANY_STATE, {State.ARRIVED}),
    _moves(
        "A run starts: on an arrival, on what is armed again, or once more on what is published (by hand, stale, a gap).",
        {State.ARRIVED, *HELD_STATES, *PUBLISHED_STATES},
        {State.RUNNING},
    ),
    _moves("A run reached its end.", {State.RUNNING}, PUBLISHED_STATES),
    _moves("A run ended in a fault or a refusal and a verdict holds the partition.", {State.RUNNING}, HELD_STATES),
    _moves("Held before a run began: a breaker is open, the source went away, or the file is refused.", {State.ARRIVED}, HELD_STATES),
    _moves(
        "Another cause holds it now, or its budget is used up.",
        {State.WAITING, State.PARKED},
        {State.WAITING, State.PARKED, State.QUARANTINED, State.EXHAUSTED},
    ),
    _moves("A sink was read again and does not hold the intended publication.", PUBLISHED_STATES, {State.PARKED}),
    _moves(
        "The sinks were read again and hold the intended publication: the bytes are the same, or only the answer was lost.",
        {State.ARRIVED, State.WAITING, State.PARKED},
        PUBLISHED_STATES,
    ),
    *(_moves("Only what stands beside the state changes.", {state}, {state}) for state in State),
)

_LEGAL = frozenset((old, new) for moves in TRANSITIONS for old in moves.old for new in moves.new)


def check_transition(old: State | None, new: State) -> None:
    """Refuse a move that the table does not know.

    Args:
        old: the state before, None where there is no partition yet.
        new: the state asked for.

    Raises:
        IllegalTransition: the table has no such move.
    """
    if (old, new) not in _LEGAL:
        raise IllegalTransition(old, new)
