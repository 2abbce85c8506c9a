"""One command, measured from outside: wall time, CPU time, peak memory of its whole process tree.

Must not live here: which commands, and what their numbers mean.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import launch
from shp_resources.processes import proportional_size

_SAMPLE_SECONDS = 0.05
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Usage:
    """What a command used.

    Args:
        exit_code: how it ended; negative: the signal.
        wall: seconds from start to end.
        cpu: user and system seconds of the process and of all descendants it waited for.
        peak_pss: highest sum of the tree's proportional set sizes that a sample saw, MiB; shared pages count once.
        max_rss: highest resident set of any single process of the tree, MiB, as the kernel kept it.
        output: standard output.
    """

    exit_code: int
    wall: float
    cpu: float
    peak_pss: float
    max_rss: float
    output: str


def run(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Usage:
    """Run a command to its end and measure it.

    Args:
        command: program and arguments.
        environ: its whole environment.
        folder: its working directory; standard output and error are kept there as `stdout` and `stderr`.
    """
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(folder / "usage.json"), *command]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(launcher, env=dict(environ), cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        sampler = _Sampler(process.pid)
        sampler.start()
        process.wait()
        peak = sampler.finish()
    used = json.loads((folder / "usage.json").read_text(encoding="ascii"))
    return Usage(**used, peak_pss=peak / _MIB, output=(folder / "stdout").read_text(encoding="utf-8", errors="replace"))


class _Sampler(threading.Thread):
    """Looks at the descendants of a process until it is told to finish."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._tree: set[psutil.Process] = set()
        self._root = psutil.Process(pid)
        self._peak = 0

    def run(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._tree |= _children(self._root)
            self._peak = max(self._peak, sum(proportional_size(process.pid) for process in self._tree if process.is_running()))

    def finish(self) -> int:
        """End the sampling; the peak in bytes."""
        self._done.set()
        self.join()
        return self._peak


def _children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()
