"""A small process that starts a command, waits for it and writes down what it used.

    python -I -S launch.py REPORT PROGRAM ARGUMENT…

The kernel counts the memory of whoever starts a program as that program's own peak (exec keeps the high-water mark), so a large
harness must not start what it measures. Standard library only; must not live here: sampling, see `measure`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def launch(report: str, command: list[str]) -> None:
    """Run a command to its end.

    Args:
        report: file that gets `{"exit_code", "wall", "cpu", "max_rss"}`: seconds and MiB.
        command: program and arguments; environment, folder and streams are this process's own.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    with open(report, "w", encoding="ascii") as stream:  # noqa: PTH123  (pathlib would double this process)
        json.dump({"exit_code": process.returncode, "wall": wall, "cpu": cpu, "max_rss": used.ru_maxrss / 1024}, stream)


if __name__ == "__main__":
    launch(sys.argv[1], sys.argv[2:])
