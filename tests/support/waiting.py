"""Waiting for what must happen, and time as the product spends it: a loaded machine is slow, not wrong.

Lives here: how long tests wait, and processor time. Must not live here: what is waited for; each test says so itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds in which whatever must happen has happened, on a machine that has ten times its work to do as well."""


def until(true: Callable[[], object], *, pause: float = 0.01) -> None:
    """Wait for what another thread or process brings about; fails if it never comes."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)


def worked() -> float:
    """Processor seconds of this process and of all its children whose end was seen, with theirs."""
    return sum(os.times()[:4])
