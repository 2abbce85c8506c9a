"""The lake and what maps its rows, as a run reaches them: every call behind its system's breaker, tried again in passing.

A call is one small thing that is whole or not done (a file, a rename, a job), so that little is repeated.
Must not live here: what a failure means, when a breaker opens (`calls`, `shp_core.healing`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from shp_assets.steps import called
from shp_assets.work import Work
from shp_core.lake.place import Entry, Place
from shp_resources.lake.engine import MapJob, MapResult, RememberingEngine
from shp_resources.lake.settings import HDFS, YARN
from shp_resources.warehouse import Held, Target

T = TypeVar("T")
FOLDER = "lake"


@dataclass
class CalledPlace:
    """The lake of a run's installation.

    Args:
        work: on whose behalf.
        place: the lake itself.
    """

    work: Work
    place: Place

    def __post_init__(self) -> None:
        self.label, self.stands_in = self.place.label, self.place.stands_in

    def put(self, source: Path, path: str) -> None:
        """Publish a file under a path."""
        self._call(partial(self.place.put, source, path))

    def read(self, path: str) -> bytes | None:
        """The content of a small file, None when there is none."""
        return self._call(partial(self.place.read, path))

    def fetch(self, path: str, target: Path) -> str:
        """Copy a file out of the place; returns the SHA-256 of what came."""
        return self._call(partial(self.place.fetch, path, target))

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, by name."""
        return self._call(partial(self.place.entries, folder))

    def move_folder(self, source: str, target: str) -> None:
        """Rename a folder into a name that is free."""
        self._call(partial(self.place.move_folder, source, target))

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all it holds."""
        self._call(partial(self.place.remove, path))

    def _call(self, do: Callable[[], T]) -> T:
        return called(self.work, FOLDER if self.stands_in else HDFS, do)


@dataclass(frozen=True)
class CalledYarn:
    """YARN, which runs the mapper.

    Args:
        work: on whose behalf.
        engine: the engine itself.
    """

    work: Work
    engine: RememberingEngine

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Run one pass to its end, and those beside it."""
        return called(self.work, YARN, partial(self.engine.run, job, scratch))

    def found(self, job: MapJob) -> MapResult | None:
        """The job of an earlier request for the same work."""
        return called(self.work, YARN, partial(self.engine.found, job))

    def knows(self, tags: Collection[str]) -> set[str]:
        """Which of these tags a job has."""
        return called(self.work, YARN, partial(self.engine.knows, tags))


@dataclass(frozen=True)
class CalledWarehouse:
    """The warehouse, to be read.

    Args:
        work: on whose behalf.
    """

    work: Work

    def read_back(self, target: Target, partition: str) -> Held:
        """What stands there of a partition."""
        return called(self.work, "warehouse", partial(self.work.outside.warehouse.read_back, target, partition))

    def row_digests(self, target: Target, partition: str) -> dict[int, bytes]:
        """The row hashes of a partition, by sheet row."""
        return called(self.work, "warehouse", partial(self.work.outside.warehouse.row_digests, target, partition))


def place_of(work: Work) -> CalledPlace:
    """The lake, as a run reaches it."""
    return CalledPlace(work, work.outside.lake)
