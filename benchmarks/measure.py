"""One command, measured from outside: wall time, CPU time, peak memory of its whole process tree.

Must not live here: which commands, and what their numbers mean.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from benchmarks import launch
from shp_resources.processes import proportional_size

_SAMPLE_SECONDS = 0.05
_MIB = 1024 * 1024

Part = Callable[[Sequence[str]], str]
"""The name of the part of a tree that a process belongs to, by its command line."""


@dataclass(frozen=True)
class Usage:
    """What a command used.

    Args:
        exit_code: how it ended; negative: the signal.
        wall: seconds from start to end.
        cpu: user and system seconds of the process and of all descendants it waited for.
        peak_pss: highest sum of the tree's proportional set sizes that a sample saw, MiB; shared pages count once; None when
            it was not weighed.
        max_rss: highest resident set of any single process of the tree, MiB, as the kernel kept it.
        output: standard output.
        peaks: as `peak_pss`, of each part of the tree alone.
    """

    exit_code: int
    wall: float
    cpu: float
    peak_pss: float | None
    max_rss: float
    output: str
    peaks: Mapping[str, float] = field(default_factory=dict)


def run(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, *, weigh: bool = False, part: Part = lambda command: "all"
) -> Usage:
    """Run a command to its end and measure it.

    The kernel walks all pages of a process for its proportional set size, and holds the process up meanwhile: a run that
    is weighed is slower than the same run alone, the more processes the slower.

    Args:
        command: program and arguments.
        environ: its whole environment.
        folder: its working directory; standard output and error are kept there as `stdout` and `stderr`.
        weigh: sample its memory; its wall time is not to be compared then.
        part: what parts of the tree are weighed apart.
    """
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(folder / "usage.json"), *command]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(launcher, env=dict(environ), cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        with _Sampler(process.pid, part) if weigh else nullcontext() as sampler:
            process.wait()
    used = json.loads((folder / "usage.json").read_text(encoding="ascii"))
    output = (folder / "stdout").read_text(encoding="utf-8", errors="replace")
    weighed = {"peak_pss": sampler.peak, "peaks": sampler.peaks} if sampler else {"peak_pss": None}
    return Usage(**used, **weighed, output=output)


class _Sampler(threading.Thread):
    """Looks at the descendants of a process while the block lasts; `peak` and `peaks` in MiB."""

    def __init__(self, pid: int, part: Part) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._part = part
        self._parts: dict[psutil.Process, str] = {}
        self._root = psutil.Process(pid)
        self.peak = 0.0
        self.peaks: dict[str, float] = {}

    def run(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._note_new()
            now: dict[str, float] = dict.fromkeys(self._parts.values(), 0.0)
            for process, part in self._parts.items():
                if process.is_running():
                    now[part] += proportional_size(process.pid) / _MIB
            self.peak = max(self.peak, sum(now.values()))
            self.peaks = {part: max(size, self.peaks.get(part, 0.0)) for part, size in (self.peaks | now).items()}

    def _note_new(self) -> None:
        for process in _children(self._root) - self._parts.keys():
            self._parts[process] = self._part(_command(process))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def _children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
