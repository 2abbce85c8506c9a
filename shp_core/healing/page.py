"""The page docs/healing.md, made from the tables that decide: states by fault kind, moves, codes.

Lives here: one sentence per fault kind, and the tables. Must not live here: decisions; the text between (`page_text`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shp_core.code_table import TABLE as CODES
from shp_core.codes import Code, Scope
from shp_core.healing import breaker
from shp_core.healing.backoff import POLICIES
from shp_core.healing.decide import (
    BY_CODE,
    DEATHS,
    PAUSES,
    REDRIVES_A_DAY,
    TABLE,
    Action,
    Arming,
    Telling,
    Treatment,
    treatment_of,
)
from shp_core.healing.faults import FaultKind
from shp_core.healing.inventory import HEALED_OFTEN, SILENT_FOR, WITHIN
from shp_core.healing.page_text import AFTER_CODES, AFTER_KINDS, HEAD
from shp_core.states import ANY_STATE, TRANSITIONS, Moves, State


@dataclass(frozen=True)
class Numbers:
    """Numbers that other packages decide about.

    Args:
        lease_seconds: how long a lease is valid unless it is renewed.
        renew_seconds: how often a worker renews its lease.
        runs_a_tick: how many re-drives of a feed are queued or under way at most.
    """

    lease_seconds: float
    renew_seconds: float
    runs_a_tick: int


MEANINGS: dict[FaultKind, str] = {
    FaultKind.TRANSIENT: "Something outside failed in passing: a timeout, a reset, a deadlock, a moving file.",
    FaultKind.SOURCE_MISSING: "The file went away before it was copied, or nothing ever came.",
    FaultKind.SOURCE_DOWN: "A remote source (HTTP, S3, SFTP, HDFS) does not answer, or lets nobody in.",
    FaultKind.SINK_DOWN: "A database, HDFS or YARN does not answer or is read-only.",
    FaultKind.SINK_REFUSED: "A database, the lake or the store's disk refuses: rights, disk or quota full.",
    FaultKind.DATA_BREACH: "The delivery breaks a rule about whole deliveries.",
    FaultKind.SCHEMA_DRIFT: "The sheet, its header or the file's name is not as agreed.",
    FaultKind.CORRUPT_INPUT: "The file is no workbook that can be read safely.",
    FaultKind.WORKER_LOST: "The process that did the work died without a word.",
    FaultKind.INTERRUPTED: "The work was stopped from outside, or gave way to a newer arrival.",
    FaultKind.CODE_BUG: "Something nobody named went wrong, a table does not fit its feed, or the sinks differ.",
}

_ACTIONS: dict[Action, str] = {
    Action.AT_ONCE: "it is taken up again at the next look",
    Action.REDRIVE: "a [re-drive](#re-drives)",
    Action.WAIT: "it waits for its source",
    Action.PARK: "it waits for the [breaker](#breakers)",
    Action.QUARANTINE: "it is held, with its bytes and rejects",
    Action.EXHAUSTED: "no further run",
}

_ARMINGS: dict[Arming, str] = {
    Arming.SOURCE: "the source being there",
    Arming.BREAKER: "the breaker closing",
    Arming.DAY: "once a day when exhausted",
    Arming.CONTRACT: "an edited feed file",
    Arming.CONVERTER: "a new converter version",
    Arming.LIMITS: "changed limits",
}
"""What arms a partition beside a new arrival and a person, who always do."""

_SCOPES = (Scope.FILE, Scope.PLATFORM)
"""Codes of these scopes can hold a partition."""


def healing_page(numbers: Numbers) -> str:
    """The page, as Markdown.

    Args:
        numbers: what other packages decide about.
    """
    after_codes = AFTER_CODES.format(count=len(State))
    return "".join((HEAD, *_kinds(), _after_kinds(numbers), *_codes(), after_codes, *_moves()))


def _after_kinds(numbers: Numbers) -> str:
    patience = POLICIES["standard"]
    return AFTER_KINDS.format(
        tries=patience.tries,
        seconds=patience.seconds,
        first=patience.backoff.first,
        cap=patience.backoff.cap,
        silent=int(SILENT_FOR.total_seconds() // 3600),
        often=HEALED_OFTEN,
        within=WITHIN.days,
        patient=POLICIES["patient"].seconds,
        pause=PAUSES.first,
        factor=PAUSES.factor,
        budget=REDRIVES_A_DAY,
        row=breaker.FAILURES_IN_A_ROW,
        probe_first=breaker.PAUSES.first,
        probe_cap=breaker.PAUSES.cap,
        deaths=DEATHS,
        lease=numbers.lease_seconds,
        renew=numbers.renew_seconds,
        runs=numbers.runs_a_tick,
        **_names(),
    )


def _names() -> dict[str, str]:
    """Codes and states that the text names."""
    return {
        "busy": Code.PARTITION_BUSY,
        "superseded": Code.SUPERSEDED,
        "open": Code.BREAKER_OPEN,
        "lost": Code.WORKER_LOST,
        "crashed": Code.READER_CRASHED,
        "timeout": Code.READER_TIMEOUT,
        "memory": Code.READER_OUT_OF_MEMORY,
        "interrupted": Code.INTERRUPTED,
        "terminated": Code.TERMINATED,
        "too_many": Code.TOO_MANY_REJECTS,
        "arrived": State.ARRIVED,
        "exhausted": State.EXHAUSTED,
        "parked": treatment_of(Code.SINK_UNREACHABLE).state,
        "quarantined": treatment_of(Code.NOT_A_WORKBOOK).state,
        "terminated_state": treatment_of(Code.TERMINATED).state,
    }


def _kinds() -> Iterator[str]:
    yield "\n| fault kind | what happened | the partition is then | what happens next | people are told | armed again by |\n"
    yield "|---|---|---|---|---|---|\n"
    for kind in FaultKind:
        row = TABLE[kind]
        cells = (f"`{kind}`", MEANINGS[kind], _held(kind), _next(kind, row), _told(kind, row), _armed(row))
        yield f"| {' | '.join(cells)} |\n"


def _held(kind: FaultKind) -> str:
    row = TABLE[kind]
    if kind is FaultKind.WORKER_LOST:
        return f"`{row.state}` or `{State.QUARANTINED}`"
    special = [f"; `{other.state}` after `{code}`" for code, other in _special(kind) if other.state is not row.state]
    return f"`{row.state}`" + "".join(special)


def _special(kind: FaultKind) -> list[tuple[Code, Treatment]]:
    return [(code, row) for code, row in BY_CODE.items() if code.info.kind is kind]


def _next(kind: FaultKind, row: Treatment) -> str:
    if kind is FaultKind.WORKER_LOST:
        return f"{_ACTIONS[row.action]}; the {_ordinal(DEATHS)} time in one step on the same bytes {_ACTIONS[Action.QUARANTINE]}"
    special = [f"after `{code}` {_ACTIONS[other.action]}" for code, other in _special(kind)]
    budget = [f"at most {REDRIVES_A_DAY} re-drives a day"] if row.budgeted else []
    return "; ".join([_ACTIONS[row.action], *budget, *special])


def _told(kind: FaultKind, row: Treatment) -> str:
    at_last = "when it is held" if kind is FaultKind.WORKER_LOST else "when it is exhausted"
    return {Telling.NEVER: "no", Telling.AT_ONCE: f"at once ({row.severity})", Telling.AT_LAST: f"{at_last} ({row.severity})"}[row.telling]


def _armed(row: Treatment) -> str:
    return "; ".join(words for arming, words in _ARMINGS.items() if arming in row.armed_by) or "-"


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _codes() -> Iterator[str]:
    yield "\n| fault kind | codes |\n|---|---|\n"
    for kind in FaultKind:
        yield f"| `{kind}` | {_listed([code for code, info in CODES.items() if info.kind is kind and info.scope in _SCOPES])} |\n"


def _moves() -> Iterator[str]:
    for moves in TRANSITIONS:
        if not _changes_nothing(moves):
            yield f"| {_states(moves.old)} | {_states(moves.new)} | {moves.reason} |\n"


def _changes_nothing(moves: Moves) -> bool:
    return moves.old == moves.new and len(moves.old) == 1


def _states(states: frozenset[State | None] | frozenset[State]) -> str:
    if None in states:
        return "nothing"
    return "any" if states == ANY_STATE else _listed([state for state in State if state in states])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
