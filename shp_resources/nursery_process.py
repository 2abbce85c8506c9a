"""The process that forks reading processes: `python -m shp_resources.nursery_process PARENT`, its standard input a socket.

Starting Python, Arrow and the fast reader's kernels costs as much as reading a workbook of 50,000 rows. So this process
does it once and forks for every job; it never opens a workbook itself. Each fork reads one workbook under limits of its
own and ends (`shp_core.reading.child`), so nothing that one file does can reach the next one.

A job is one packet, its text and two writing ends of pipes, for the rows and for the verdict; this process answers
`{"pid": …}` at once and `{"status": …}` at the fork's end, and leaves when nobody has asked for a while.
Must not live here: reading, and decisions about how it ended.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
from typing import Any

from shp_core.reading import child
from shp_core.reading.bounds import stay_with

JOB_BYTES = 1 << 16
"""No job is longer; a path has at most 4,096 bytes."""

IDLE_SECONDS = 60.0
"""After that long without a job the process ends; it holds some 60 MB."""

_STDIN, _STDOUT = 0, 1


def main(parent: int, idle: float) -> None:
    """Fork for one job after the other, until the parent closes the socket or has nothing to read for a while."""
    stay_with(parent)
    child.import_all()
    child.import_scan()
    gc.freeze()
    with socket.socket(fileno=_STDIN) as channel:
        while select.select([channel], [], [], idle)[0]:
            packet, descriptors, _, _ = socket.recv_fds(channel, JOB_BYTES, 2)
            if not packet:
                return
            _serve(channel, {**json.loads(packet), "warm": True}, *descriptors)


def _serve(channel: socket.socket, job: dict[str, Any], rows: int, verdict: int) -> None:
    child.kernels(job)  # before the fork, so that the next one has them, too
    ours = os.getpid()
    pid = os.fork()
    if not pid:
        stay_with(ours)
        channel.close()
        os.dup2(os.open(os.devnull, os.O_RDONLY), _STDIN)
        os.dup2(rows, _STDOUT)
        os.close(rows)
        child.work({**job, "verdict": verdict})
    os.close(rows)
    os.close(verdict)
    channel.send(json.dumps({"pid": pid}).encode())
    channel.send(json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
