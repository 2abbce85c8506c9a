"""What runs the mapper as a process of this machine and remembers its jobs by their tags, as YARN does.

`tests/test_lake_together.py` and `tests/test_hadoop_jobs.py` tell the same story with this one and with YARN.
Must not live here: expectations.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.place import Place
from shp_resources.lake.engine import LocalEngine, MapJob, MapResult


class Remembering:
    """An engine with a memory.

    Args:
        place: the lake.
        fails_at: part of a pass's name; a job that makes such a pass fails.
        fails_with: how it fails.
    """

    def __init__(self, place: Place, fails_at: str = "", fails_with: Code = Code.CODE_BUG) -> None:
        self.fails_at, self.fails_with, self._place = fails_at, fails_with, place
        self.jobs: list[MapJob] = []
        self._made: dict[str, MapResult | None] = {}

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Run a job, unless one with its tag ended well and its output lies there."""
        found = self.found(job)
        if found is not None:
            return found
        self.jobs.append(job)
        self._made.update(dict.fromkeys(job.tags))
        if self.fails_at and any(self.fails_at in one.name for one in job.passes):
            text = f"{job.name}: the mapper failed"
            raise Fault(self.fails_with, f"{text}.", Evidence("yarn", text=text))
        LocalEngine(self._place).run(job, scratch)
        made = MapResult(f"application_{len(self.jobs):04}", job.target)
        self._made.update(dict.fromkeys(job.tags, made))
        return made

    def found(self, job: MapJob) -> MapResult | None:
        """What a job with this tag made."""
        made = self._made.get(job.tag)
        if made is None or job.anew or not self._place.entries(made.target):
            return None
        return MapResult(made.made_by, made.target, taken=True)

    @property
    def counts(self) -> list[int]:
        """How many passes each job made so far."""
        return [len(job.passes) for job in self.jobs]

    def knows(self, tags: Collection[str]) -> set[str]:
        """Which of these tags a job had."""
        return self._made.keys() & set(tags)
