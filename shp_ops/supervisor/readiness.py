"""Waiting for a service that was started: what is told meanwhile, and when it is given up.

Must not live here: whether it is ready (each service is asked in its own way), and what is done when it dies later.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_ops.supervisor.parts import ServiceProcess

READY_SECONDS = 180.0
TELL_SECONDS = 15.0
"""A HiveServer2 on a busy machine takes a minute; nobody should have to wonder for so long."""


def await_ready(
    part: ServiceProcess,
    since: float,
    tell: Callable[[str], None],
    pause: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until a service is ready; says every 15 seconds for what.

    Args:
        part: the service.
        since: when it was started (seconds since 1970).
        tell: told what is waited for.
        pause: called between two looks; raises when nobody wants it any more.
        clock: seconds that never run backwards.

    Raises:
        ShpError: it has died, or is not ready after `READY_SECONDS`.
    """
    begun = clock()
    told = begun
    while (why := part.why_not_ready(since)) is not None:
        pause()
        now = clock()
        if now - begun > READY_SECONDS:
            raise ShpError(Code.SERVICE_FAILED, f"{part.name} is not ready after {READY_SECONDS:g} s: {why}\n{part.last_words()}")
        if now - told >= TELL_SECONDS:
            told = now
            tell(f"waiting for {part.name} ({now - begun:.0f} s of at most {READY_SECONDS:g}): {why}")
