"""The process beside the embedded server: when nobody holds the server any more, it ends the server.

It is the server's parent and waits, without polling, for two things: the end of the server, and the exclusive lock on
the file that all holders lock shared. So the server ends with its last holder, however that one died. It is started by
file name with nothing but the standard library, to stay small; it must import nothing else.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

FAST_SHUTDOWN, IMMEDIATE_SHUTDOWN = signal.SIGINT, signal.SIGQUIT
_PATIENCE = 30.0  # seconds for a fast shutdown; beyond, the server recovers at its next start
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def main(order: dict[str, Any]) -> int:
    """Start the server and stay until it has ended.

    Args:
        order: `command` and `popen` (how to start it), `lock` (the holders' file), `address` (removed at the end).

    Returns:
        The server's exit status.
    """
    server = subprocess.Popen(order["command"], preexec_fn=_end_with_keeper, **order["popen"])
    threading.Thread(target=_end_when_released, args=(Path(order["lock"]), server), daemon=True).start()
    status = server.wait()
    Path(order["address"]).unlink(missing_ok=True)
    return status


def _end_with_keeper() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(FAST_SHUTDOWN))


def _end_when_released(lock: Path, server: subprocess.Popen[bytes]) -> None:
    descriptor = os.open(lock, os.O_RDWR)  # never closed: a newcomer waits until this process has gone
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    server.send_signal(FAST_SHUTDOWN)
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.send_signal(IMMEDIATE_SHUTDOWN)


if __name__ == "__main__":
    os._exit(main(json.loads(sys.argv[1])) & 0xFF)
