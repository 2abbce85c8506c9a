"""What a process that read a file was started with, and what its end means: a refusal or a fault with a code.

Lives here: what all reading processes have in common as their parents see them. Must not live here: pipes, sockets and
waiting, which each kind of parent has of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.healing.faults import Evidence

_LOST_CHARS = 300


def reader_environment() -> dict[str, str]:
    """Where the process finds its modules, and an Arrow whose memory the limits see; nothing else of ours."""
    return {
        "PYTHONPATH": os.pathsep.join(str(Path(place).absolute()) for place in sys.path if place),
        "PYTHONHASHSEED": "0",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def error_of(verdict: dict[str, Any]) -> ShpError | None:
    """The error that a verdict means.

    Args:
        verdict: what the process said last (`shp_core.reading.bounds.verdict_of`); one that was taken over may say
            anything.

    Returns:
        A refusal, a fault (`artefact_damaged`: the private copy cannot be read), or None: it names neither.
    """
    if "refused" in verdict:
        return _refusal(verdict["refused"])
    if "lost" in verdict:
        lost = str(verdict["lost"])[:_LOST_CHARS]
        return Fault(Code.ARTEFACT_DAMAGED, f"the private copy of the workbook cannot be read: {lost}", Evidence("reader", text=lost))
    return None


def died(status: int, verdict: dict[str, Any]) -> Refusal:
    """The refusal of a file whose reader ended without a good verdict.

    Args:
        status: the process's exit status, negative for a signal.
        verdict: what it said last, maybe nothing.
    """
    if status == -signal.SIGXCPU:
        # Not a busy machine's fault, as waiting may be: the file needs more of a processor than it may have.
        return Refusal(Code.LIMIT_REACHED, "the reading process used up child_cpu_seconds", {"limit": "child_cpu_seconds"})
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return Refusal(Code.READER_CRASHED, f"the reading process {verdict.get('crashed', '') or how}", {"exit_code": status})


def crashed(what: str) -> Refusal:
    """The refusal of a file whose reader did what it never does.

    Args:
        what: goes on after "the reading process ".
    """
    return Refusal(Code.READER_CRASHED, f"the reading process {what}")


def kept_waiting(seconds: float) -> Refusal:
    """The refusal of a file whose reader did not answer within `child_wait_seconds`."""
    message = f"the reading process kept its reader waiting for child_wait_seconds = {seconds}"
    return Refusal(Code.READER_TIMEOUT, message, {"limit": "child_wait_seconds", "value": seconds})


def _refusal(refused: Any) -> Refusal:
    try:
        return Refusal(Code(refused["code"]), str(refused["message"]), dict(refused["details"]))
    except (KeyError, TypeError, ValueError):
        return crashed("gave a refusal that cannot be understood")
