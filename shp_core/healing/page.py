"""The page docs/healing.md, made from the tables that decide: states by fault kind, moves, codes.

Lives here: one sentence per fault kind and Markdown. Must not live here: decisions; a sentence that no table backs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shp_core.codes import TABLE, Code, Scope
from shp_core.healing.faults import FaultKind
from shp_core.healing.hold import held_state
from shp_core.states import ANY_STATE, TRANSITIONS, Moves, State


@dataclass(frozen=True)
class Words:
    """What people are told of a fault kind.

    Args:
        meaning: what happened.
        again: what takes the partition up again.
    """

    meaning: str
    again: str


@dataclass(frozen=True)
class Numbers:
    """Numbers that other packages decide about.

    Args:
        attempts: how many workers lost in one step on the same bytes hold the partition.
        lease_seconds: how long a lease is valid unless it is renewed.
        renew_seconds: how often a worker renews its lease.
    """

    attempts: int
    lease_seconds: float
    renew_seconds: float


_BY_HAND = "a person ([by hand](#by-hand)), or a new arrival"
_PASSING = "a file that was moving: by itself; else a person ([by hand](#by-hand)), or a new arrival"
_MENDED = "a new arrival: the mended file under the same name; after a change of the feed file, a person ([by hand](#by-hand))"
_PLACED = f"{_MENDED}; a file without a place, or one of two for a day: by itself, when that is settled"

WORDS: dict[FaultKind, Words] = {
    FaultKind.TRANSIENT: Words("Something outside failed in passing: a timeout, a reset, a deadlock, a moving file.", _PASSING),
    FaultKind.SOURCE_MISSING: Words(
        "The file went away before it was copied, or nothing ever came.", "by itself, when the file is there and can be read"
    ),
    FaultKind.SINK_DOWN: Words("A database does not answer or is read-only.", _BY_HAND),
    FaultKind.SINK_REFUSED: Words("A database or the store's disk refuses: rights, disk full.", _BY_HAND),
    FaultKind.DATA_BREACH: Words("The delivery breaks a rule about whole deliveries.", _MENDED),
    FaultKind.SCHEMA_DRIFT: Words("The sheet, its header or the file's name is not as agreed.", _PLACED),
    FaultKind.CORRUPT_INPUT: Words("The file is no workbook that can be read safely.", _MENDED),
    FaultKind.WORKER_LOST: Words("The process that did the work died without a word.", "by itself, see [lost workers](#lost-workers)"),
    FaultKind.INTERRUPTED: Words("The work was stopped from outside, or gave way to a newer arrival.", "by itself, at the next look"),
    FaultKind.CODE_BUG: Words("Something nobody named went wrong, or a table does not fit its feed.", _BY_HAND),
}

NOT_ENTERED = (State.EXPECTED, State.LATE)
"""States that the moves know and nothing enters yet."""

_SCOPES = (Scope.FILE, Scope.PLATFORM)
"""Codes of these scopes can hold a partition."""

_HEAD = """\
<!-- Written by `python -m shp_ops.pages` from shp_core/healing/page.py; edits here are lost. -->
# What happens when something fails

A failure is *evidence* (an SQLSTATE, an errno, an exit status). `shp_core/healing/classify.py` gives it a stable
[code](codes.md), the code has a *fault kind*, and the kind decides where the partition waits. That is the only path:
Dagster's step retries, run retries and automation are off. What readers of the tables see does not change: the last
good publication of the partition stays until a new one replaces it in one transaction.

A failure of one partition never touches another partition, and never another feed.

## By fault kind
"""

_AFTER_KINDS = """\

A run that finds the partition in another worker's hands (`{busy}`), or finds that a newer arrival was published
meanwhile (`{superseded}`), ends red and changes no state: the other worker answers for the partition.

### By hand

Three ways, all safe to repeat: `shp ingest FEED FILE` with the same file; *Materialize* (or a backfill) of the
partition in the UI; or touching the file in the landing folder, which is a new arrival. A re-run starts from the last
artefact that is whole: bytes that were kept are not copied again, rows that were validated are not validated again.

### Lost workers

A worker writes down its process and the step it is in before it begins, and renews its lease every {renew:g} s; a lease
that is not renewed ends after {lease:g} s. The sensor `lost_runs` (in a started platform) and the beginning of every
`shp ingest` look for attempts whose process is gone. Such an attempt gets the verdict `{lost}`, its run is ended in
Dagster, and the partition goes back to `{arrived}`, from where it is taken up again. When {attempts} workers were lost
in the same step on the same bytes, the partition becomes `{quarantined}` instead: the bytes may be what kills. A new
arrival arms it again. A worker that ended with all else (a reboot, `kill -9` of the platform or of `shp ingest`) counts
as `{interrupted}`, never as lost.

A process of another machine is never judged by its number; there the end of its Dagster run counts.

The reading process is a child of the worker. When only that child dies, nothing is lost: the file is refused with
`{crashed}`, `{timeout}` or `{memory}`.

### Interrupted runs

`shp down`, SIGTERM and Ctrl-C interrupt a run between two instructions. Open transactions are undone, the attempt is
closed with `{interrupted}`, the partition goes back to `{arrived}`, and the sensor `arrivals` asks for a run at its next
look. *Terminate* in the UI is a person's wish: the attempt is closed with `{terminated}`, the partition is
`{terminated_state}` and stays so until somebody asks for it ([by hand](#by-hand)) or a new arrival comes.

A run that ends without a verdict of its own (its worker never started, the ledger did not answer) is asked for again:
the first time at once, then after 20 s, 40 s and so on up to an hour.

## Codes by fault kind

Codes of single rows are not here: they make rejects and hold nothing, until their share is too large
(`{too_many}`). The sentences for senders and operators are in [codes.md](codes.md).
"""

_AFTER_CODES = """\

## States and moves

A partition is in one of {count} states. A move that is not in this table is refused (`shp_core/states.py`); a move is
stored with compare-and-set, so two workers never both make it. Nothing in this version enters {not_entered}.

| from | to | why |
|---|---|---|
"""


def healing_page(numbers: Numbers) -> str:
    """The page, as Markdown.

    Args:
        numbers: what other packages decide about.
    """
    after_codes = _AFTER_CODES.format(count=len(State), not_entered=_listed(NOT_ENTERED))
    return "".join((_HEAD, *_kinds(), _after_kinds(numbers), *_codes(), after_codes, *_moves()))


def _after_kinds(numbers: Numbers) -> str:
    return _AFTER_KINDS.format(
        busy=Code.PARTITION_BUSY,
        superseded=Code.SUPERSEDED,
        lost=Code.WORKER_LOST,
        arrived=State.ARRIVED,
        quarantined=held_state(FaultKind.CORRUPT_INPUT),
        crashed=Code.READER_CRASHED,
        timeout=Code.READER_TIMEOUT,
        memory=Code.READER_OUT_OF_MEMORY,
        interrupted=Code.INTERRUPTED,
        terminated=Code.TERMINATED,
        terminated_state=held_state(Code.TERMINATED.info.kind, Code.TERMINATED),
        too_many=Code.TOO_MANY_REJECTS,
        attempts=numbers.attempts,
        lease=numbers.lease_seconds,
        renew=numbers.renew_seconds,
    )


def _kinds() -> Iterator[str]:
    yield "\n| fault kind | what happened | the partition is then | taken up again by |\n|---|---|---|---|\n"
    for kind in FaultKind:
        yield f"| `{kind}` | {WORDS[kind].meaning} | {_held(kind)} | {WORDS[kind].again} |\n"


def _held(kind: FaultKind) -> str:
    if kind is FaultKind.WORKER_LOST:
        return f"`{State.ARRIVED}` or `{State.QUARANTINED}`"
    others = [(code, held_state(kind, code)) for code in Code if code.info.kind is kind]
    special = [f"; `{state}` after `{code}`" for code, state in others if state is not held_state(kind)]
    return f"`{held_state(kind)}`" + "".join(special)


def _codes() -> Iterator[str]:
    yield "\n| fault kind | codes |\n|---|---|\n"
    for kind in FaultKind:
        yield f"| `{kind}` | {_listed([code for code, info in TABLE.items() if info.kind is kind and info.scope in _SCOPES])} |\n"


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
