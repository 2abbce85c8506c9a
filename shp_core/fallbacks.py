"""When a fallback is asked for a partition: by verdict, never for what the source itself delivered.

Must not live here: looking at sources, and which file is of which partition.
"""

from __future__ import annotations

from shp_core.codes import Code
from shp_core.healing.cause import is_source
from shp_core.states import State

FALLBACK = "fallback"
"""Who brought an arrival that came from a fallback; and the flag of a partition whose publication did, with the address."""

SNAPSHOT = "snapshot"
"""Who brought an arrival that is the partition's own last good delivery; and what the flag then says."""

GIVES_WAY = frozenset({Code.SOURCE_MISSING, Code.SOURCE_UNREACHABLE, Code.SOURCE_REFUSED, Code.BREAKER_OPEN})
"""Verdicts about a source that let its fallbacks be asked; a passing failure is tried again first."""

_HELD = frozenset({State.WAITING, State.PARKED, State.EXHAUSTED})


def gives_way(code: Code | None) -> bool:
    """Whether a look at the source ended so that its fallbacks are asked; None: it did not fail."""
    return code in GIVES_WAY


def needs_fallback(state: State | None, code: str | None, cause: str | None, source_failed: bool) -> bool:
    """Whether a partition's file may come from a fallback.

    Args:
        state: its state, None where nothing is known of it.
        code: why it is held.
        cause: what holds it.
        source_failed: whether the source could not be looked at, for a reason that gives way.
    """
    if state is None or state is State.EXPECTED:
        return source_failed
    if state is State.LATE:
        return True
    return state in _HELD and _for_its_source(state, code, cause or "")


def _for_its_source(state: State, code: str | None, cause: str) -> bool:
    if code in (Code.SOURCE_MISSING, Code.SOURCE_UNREACHABLE, Code.SOURCE_REFUSED):
        return True
    tried_enough = code == Code.BREAKER_OPEN or (code == Code.TRANSIENT and state is not State.WAITING)
    return tried_enough and is_source(cause.removeprefix("transient/"))
