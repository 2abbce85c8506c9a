"""Gaps: where a sink does not hold what it is to hold; the comparison, as a pure function.

Must not live here: reading sinks, and asking for runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Why(StrEnum):
    """Why a partition is to be filled."""

    MISSING = "missing"
    OTHER = "other"
    ROWS = "rows"
    HASH = "hash"
    STALE = "stale"
    HELD = "held"


MEANINGS: dict[Why, str] = {
    Why.MISSING: "the sink holds nothing of it",
    Why.OTHER: "the sink holds another publication",
    Why.ROWS: "another number of rows stands there",
    Why.HASH: "rows that stand there were changed",
    Why.STALE: "it was published under another contract or converter",
    Why.HELD: "it is held, and has not reached its sinks",
}


@dataclass(frozen=True)
class Content:
    """What a sink holds, or is to hold, of a partition.

    Args:
        publication: (delivery, contract version, converter version).
        rows: rows, those that stand aside among them.
        hash: partition hash, as recorded or as computed from the rows.
    """

    publication: tuple[str, str, int]
    rows: int
    hash: str


def gap(intended: Content, held: Content | None, *, reread: tuple[int, str] | None = None) -> Why | None:
    """Why a sink does not hold what it is to hold; None if it does.

    Args:
        intended: what the ledger says.
        held: what the sink's own record says, with the rows that are counted there now; None: no record.
        reread: rows and hash as they were computed from the rows just now, where that was done.
    """
    if held is None:
        return Why.MISSING
    if held.rows != intended.rows:
        return Why.ROWS if held.rows else Why.MISSING
    if (held.publication, held.hash) != (intended.publication, intended.hash):
        return Why.OTHER
    return Why.HASH if reread is not None and reread != (intended.rows, intended.hash) else None


def in_turn(keys: list[str], after: str, count: int) -> list[str]:
    """The next keys whose rows are read again, round and round.

    Args:
        keys: all keys, sorted.
        after: the key that was the last before.
        count: how many.
    """
    later = [key for key in keys if key > after]
    return (later + keys)[: min(count, len(keys))]
