"""What runs the mapper over a file of the lake: YARN (`shp_resources.yarn`), or a process of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.mapper import GROUP, STANDARD
from shp_core.lake.place import Place
from shp_core.lake.shipped import Shipment, to_cargo
from shp_resources.lake.archive import INPUT_FILE, TOO_OLD, write_archive

_COUNTER = f"reporter:counter:{GROUP},"
ARCHIVE, SHIPMENT = "mapper.zip", "shipment.json"
_NAME_IT = "SHP_MAPPER_PYTHON names the Python that maps rows; unset, it is the platform's own."


@dataclass(frozen=True)
class MapJob:
    """One pass of the mapper.

    Args:
        name: what people see of it.
        tag: the same for the same work, so that a job that runs already is found.
        source: the file of text rows, as a path of the lake.
        target: the directory to write into, as a path of the lake; must not exist.
        shipment: what the mapper must know.
        mode: `clean` or `rejects`.
        size: bytes of the source.
        beside: passes over further files that this job makes besides, for whoever asks for them next; each file makes one part.
        anew: whether what an earlier job made of the same work is not to be taken.
    """

    name: str
    tag: str
    source: str
    target: str
    shipment: Shipment
    mode: str
    size: int = 0
    beside: tuple[MapJob, ...] = ()
    anew: bool = False

    @property
    def passes(self) -> tuple[MapJob, ...]:
        """The passes of this job, in the order of their parts: Hadoop takes the longest file first, equal ones as they are given."""
        return tuple(sorted((self, *self.beside), key=lambda one: -one.size))

    @property
    def inputs(self) -> tuple[tuple[str, Shipment], ...]:
        """All files, each with what the mapper must know of it."""
        return tuple((one.source, one.shipment) for one in self.passes)

    @property
    def tags(self) -> tuple[str, ...]:
        """What the job is found by: the tags of all its passes."""
        return (self.tag, *(one.tag for one in self.beside))


@dataclass(frozen=True)
class MapResult:
    """What became of a job.

    Args:
        made_by: a YARN application's id, or `local process`.
        target: the directory that was written into; another one when the job was another request's.
        counters: the mapper's counters, as far as they are known.
        taken: whether the job was not for this request alone, or was another's: what is not right of it is made anew.
    """

    made_by: str
    target: str
    counters: dict[str, int] = field(default_factory=dict)
    taken: bool = False


class Engine(Protocol):
    """Runs the mapper."""

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Run one pass to its end, and those beside it.

        Raises:
            Fault: it failed; what it wrote does not count.
        """


class RememberingEngine(Engine, Protocol):
    """Runs the mapper, and finds by its tag what was made of the same work before."""

    def found(self, job: MapJob) -> MapResult | None:
        """The job of an earlier request for the same work: one that runs is waited for, of one that ended well the output is taken.

        Returns:
            None when there is none, or when it made the work of many and failed at somebody's.

        Raises:
            Fault: the engine does not answer, or the job that ran failed.
        """

    def knows(self, tags: Collection[str]) -> set[str]:
        """Which of these tags a job has, whatever became of it.

        Raises:
            Fault: the engine does not answer.
        """


class LocalEngine:
    """The mapper as a process of this machine, for installations without YARN.

    Args:
        place: the lake.
        seconds: how long a pass may take.
        python: what runs it.
        engine: `standard`, or `arrow` where that python has it.
    """

    def __init__(self, place: Place, seconds: float = 1800.0, python: str = sys.executable, engine: str = STANDARD) -> None:
        self._place, self._seconds, self._python, self._engine = place, seconds, python, engine

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Copy the lines here, map them, put the result into the lake."""
        write_cargo(job, scratch, self._engine)
        self._place.remove(job.target)
        counts: Counter[str] = Counter()
        for number, (source, _) in enumerate(job.inputs):
            self._place.fetch(source, scratch / "lines")
            counts.update(counters_of(self._map(job, source, scratch)))
            self._place.put(scratch / "mapped", f"{job.target}/part-{number:05}")
        return MapResult("local process", job.target, dict(counts))

    def _map(self, job: MapJob, source: str, scratch: Path) -> str:
        command = [self._python, "-I", str(scratch / ARCHIVE), str(scratch / SHIPMENT), job.mode, self._engine]
        environ = {**os.environ, INPUT_FILE: source}
        try:
            with (scratch / "lines").open("rb") as lines, (scratch / "mapped").open("wb") as mapped:
                done = subprocess.run(
                    command, stdin=lines, stdout=mapped, stderr=subprocess.PIPE, timeout=self._seconds, check=False, env=environ
                )
        except subprocess.TimeoutExpired as error:
            text = f"the mapper was stopped after {self._seconds:g} s"
            raise Fault(Code.TRANSIENT, f"{job.name}: {text}.", Evidence("lake", text=text)) from error
        except (FileNotFoundError, PermissionError) as error:
            text = f"{self._python} cannot be run: {error.strerror}"
            raise Fault(Code.SINK_REFUSED, f"{job.name}: {text}.", Evidence("lake", errno=error.errno, text=text), _NAME_IT) from error
        said = done.stderr.decode("utf-8", errors="replace")
        if done.returncode != 0:
            text = "\n".join(line for line in said.splitlines() if not line.startswith("reporter:"))[-300:]
            code = Code.SINK_REFUSED if TOO_OLD in said else Code.CODE_BUG
            raise Fault(code, f"{job.name}: the mapper failed: {text}", Evidence("lake", exit_code=done.returncode, text=text))
        return said


def write_cargo(job: MapJob, scratch: Path, engine: str) -> None:
    """Write what travels with a job: the mapper for an engine, and what it must know."""
    write_archive(scratch / ARCHIVE, engine)
    (scratch / SHIPMENT).write_text(to_cargo(job.inputs), encoding="utf-8")


def counters_of(said: str) -> dict[str, int]:
    """The sums of the counters that a mapper told on its standard error."""
    counts: Counter[str] = Counter()
    for line in said.splitlines():
        if line.startswith(_COUNTER):
            name, _, count = line.removeprefix(_COUNTER).rpartition(",")
            counts[name] += int(count)
    return dict(counts)
