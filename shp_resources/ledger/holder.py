"""Who holds a lease: a process of a machine on behalf of a run, and whether it is still there.

Must not live here: the lease itself.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil

_TOLERANCE = 2.0  # seconds; start times are told relative to the boot, whose own time moves when the clock is set


@dataclass(frozen=True)
class Holder:
    """A worker.

    Args:
        host: name of its machine.
        pid: its process.
        started: when that process started, seconds since 1970; tells it from a later one with the same pid.
        run_id: the run it works for.
    """

    host: str
    pid: int
    started: float
    run_id: str

    @classmethod
    def here(cls, run_id: str) -> Holder:
        """This process, on behalf of a run."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time(), run_id)

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """The holder that `str` told, None when the text is of another form."""
        try:
            host, pid, started, run_id = text.rsplit(":", 3)
            return cls(host, int(pid), float(started), run_id)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started:.2f}:{self.run_id}"


def process_alive(pid: int, started: float) -> bool:
    """Whether a process of this machine lives and is the one that started then.

    Args:
        pid: process; 0 and below are never alive.
        started: seconds since 1970.
    """
    if pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) <= _TOLERANCE and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
