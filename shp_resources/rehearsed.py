"""What rehearsed faults look like: the evidence that the real ones leave, and the codes of those that our own checks find.

Must not live here: when they happen (`rehearsal`), and what the platform does about them.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from dataclasses import replace

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.healing.cause import SOURCES, is_source
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.reader_ends import died, kept_waiting

_REHEARSED = "rehearsed by SHP_FAULTS"
_SQLSTATES = {"reset": "08006", "timeout": "57014", "down": "08001", "refused": "42501", "full": "53100", "memory": "53200"}
_DISK = {"reset": errno.EIO, "timeout": errno.ETIMEDOUT, "refused": errno.EACCES, "full": errno.ENOSPC, "memory": errno.ENOMEM}
_NETWORK = {"reset": errno.ECONNRESET, "timeout": errno.ETIMEDOUT, "down": errno.ECONNREFUSED, "memory": errno.ENOMEM}
_FORBIDDEN = 403

_EVIDENCE: dict[str, dict[str, Evidence]] = {
    "warehouse": {what: Evidence("warehouse", sqlstate=state, text=_REHEARSED) for what, state in _SQLSTATES.items()},
    **{system: {what: Evidence(system, errno=number, text=_REHEARSED) for what, number in _DISK.items()} for system in ("store", "lake")},
    **{system: {what: Evidence(system, errno=number, text=_REHEARSED) for what, number in _NETWORK.items()} for system in ("hdfs", "yarn")},
}
for _system in ("hdfs", "yarn"):
    _EVIDENCE[_system]["refused"] = Evidence(_system, http_status=_FORBIDDEN, text=_REHEARSED)
_EVIDENCE["hdfs"]["full"] = Evidence("hdfs", errno=errno.EDQUOT, text=_REHEARSED)

_LIMITED, _GONE = 429, 404
_AT_SOURCE = {
    **{what: Evidence("", errno=number, text=_REHEARSED) for what, number in _NETWORK.items() if what != "memory"},
    "refused": Evidence("", http_status=_FORBIDDEN, text=_REHEARSED),
    "missing": Evidence("", http_status=_GONE, text=_REHEARSED),
    "limited": Evidence("", http_status=_LIMITED, text=_REHEARSED),
}
"""What remote sources are hit by; the system is that of the place that was called."""

ANY_SOURCE = "source"
"""The target that is every remote source; a target may also be a kind (`s3`), or a place (`s3@bucket`)."""

_CORRUPTION = {"warehouse": Code.SINK_DISAGREES, "store": Code.ARTEFACT_DAMAGED, "lake": Code.SINK_DISAGREES, "hdfs": Code.SINK_DISAGREES}
"""What a damaged artefact, or rows that are not those that were sent, are called by who checks them."""

_READER: dict[str, Callable[[], ShpError]] = {
    "killed": lambda: died(-signal.SIGKILL, {}),
    "timeout": lambda: kept_waiting(0.0),
    "memory": lambda: Refusal(Code.READER_OUT_OF_MEMORY, _REHEARSED),
    "corruption": lambda: Fault(Code.ARTEFACT_DAMAGED, _REHEARSED, Evidence("reader", text=_REHEARSED)),
}

LAYERS = ("raw", "validated", "curated")
"""Assets that can be hit at their beginning; those of the sinks are hit by their calls."""

KINDS: dict[str, tuple[str, ...]] = {
    **{system: (*kinds, *(["corruption"] if system in _CORRUPTION else []), "crash", "lost_answer") for system, kinds in _EVIDENCE.items()},
    "reader": tuple(_READER),
    **dict.fromkeys(LAYERS, ("crash", "memory")),
    **dict.fromkeys((ANY_SOURCE, *sorted(SOURCES)), (*_AT_SOURCE, "corruption", "crash", "lost_answer")),
}
"""By target, what can happen to it. A `crash` kills the process, a `lost_answer` comes after the work was done."""


def failure(system: str, what: str) -> ShpError | MemoryError:
    """The error that a rehearsed fault raises; the same that the real one does.

    Args:
        system: a target of `KINDS`; of remote sources the system that was called.
        what: what happens to it; no `crash`.
    """
    if is_source(system):
        return _failed_source(system, what)
    if system in LAYERS:
        return MemoryError(_REHEARSED)
    if system == "reader":
        return _READER[what]()
    said = f"{system}: {what}, {_REHEARSED}."
    if what == "corruption":
        return Fault(_CORRUPTION[system], said, Evidence(system, text=_REHEARSED))
    evidence = _EVIDENCE[system]["reset" if what == "lost_answer" else what]
    return Fault(classify(evidence), said, evidence)


def _failed_source(system: str, what: str) -> Fault:
    said = f"{system}: {what}, {_REHEARSED}."
    if what == "corruption":
        return Fault(Code.STILL_MOVING, said, Evidence(system, text=_REHEARSED))
    evidence = replace(_AT_SOURCE["reset" if what == "lost_answer" else what], system=system)
    return Fault(classify(evidence), said, evidence)
