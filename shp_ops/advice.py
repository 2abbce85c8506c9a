"""What to do next, in one sentence per code, for the person at the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from shp_core.alerts.words import can_do
from shp_core.codes import Code, Scope

_AGAIN = "Then give the same command again; nothing is loaded twice."
_OF_PLATFORM = {
    Code.LEDGER_UNREACHABLE: f"Bring the ledger's database back (SHP_PG_DSN). {_AGAIN}",
    Code.LEDGER_REFUSED: f"Give the ledger's database the room or the rights it lacks. {_AGAIN}",
    Code.STORE_REFUSED: f"Make room, or make the store writable (SHP_STORE; if it is an address, that place). {_AGAIN}",
    Code.PARTITION_BUSY: "Another worker has the partition; wait for it. " + _AGAIN,
    Code.SINK_GAP: "Nothing to do: a started platform fills it from what it keeps. Ask who changes rows in the warehouse by hand.",
    Code.SUPERSEDED: "Nothing to do: a newer file of the same partition was published meanwhile.",
}
_SINKS = {
    "hdfs": ("HDFS", "SHP_HDFS_URL, or shp up --hadoop"),
    "yarn": ("YARN", "SHP_YARN_URL, or shp up --hadoop"),
    "lake": ("the lake's folder", "lake/ in SHP_HOME"),
}
_OF_SINKS = (Code.SINK_UNREACHABLE, Code.SINK_REFUSED)
_WAREHOUSE = ("the warehouse's database", "SHP_WAREHOUSE_DSN")
_INTERRUPTIONS = frozenset({Code.TRANSIENT, Code.INTERRUPTED, Code.WORKER_LOST, Code.ARTEFACT_DAMAGED, Code.STILL_MOVING})


def advice(code: str | None, cause: str | None = None) -> str:
    """The next step.

    Args:
        code: a stable code, None when nothing says why.
        cause: what the failure is counted under, which names the sink at fault.
    """
    known = Code(code) if code else Code.CODE_BUG
    if known in _INTERRUPTIONS:
        return "Give the same command again; nothing is loaded twice."
    if known.info.scope in (Scope.ROW, Scope.FILE):
        return known.info.sender
    if known in _OF_SINKS:
        return f"{_of_sink(known, cause)} {_AGAIN}"
    return _OF_PLATFORM.get(known, known.info.operator)


def remedy(code: Code, cause: str, members: Sequence[tuple[str, str]]) -> str:
    """What ends an incident; the runbook's words, with the first partition's name in their commands.

    Args:
        code: the incident's code.
        cause: what the incident is about, which names the sink at fault.
        members: feed and partition of each that it holds.
    """
    if code in _OF_SINKS:
        return f"{_of_sink(code, cause)} What waits for it follows by itself."
    words = can_do(code).replace("`", "")
    return words.replace("FEED PARTITION", " ".join(members[0])) if members else words


def _of_sink(code: Code, cause: str | None) -> str:
    sink, setting = _SINKS.get((cause or "").removeprefix("transient/").partition("/")[0], _WAREHOUSE)
    return f"Bring {sink} back ({setting})." if code is Code.SINK_UNREACHABLE else f"Give {sink} the room or the rights it lacks."
