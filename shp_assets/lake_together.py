"""A run's job on YARN makes clean rows for other partitions too: a job costs ten seconds, whatever it maps.

Each run stays its own partition's: it asks for its clean rows, and takes what a job with its tag makes or made. Nothing is
published for others, so no lease or fence of theirs is needed.
Must not live here: which others (`lake_others`), publishing, and what a job's failure means for a partition (`lake_work`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from shp_assets.lake_calls import CalledYarn
from shp_assets.lake_others import Others
from shp_assets.lake_work import LakeWork
from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.lake.mapper import CLEAN
from shp_core.lake.place import Place
from shp_resources.lake.engine import Engine, LocalEngine, MapJob, MapResult
from shp_resources.lake.settings import engine_of
from shp_resources.lake.together import note_parts, together
from shp_resources.ledger import process_alive

_GATHERING = "lake/together"
"""What the lease of a run that gathers others is on; a partition's own in the lake ends with a slash and `lake`."""

_GATHERING_SECONDS = 10.0
"""How long other runs of the feed wait for it: by then YARN knows whose work its job does."""

_PAUSE_SECONDS = 0.5


def mapper_of(work: LakeWork, place: Place) -> Engine:
    """What maps the lake's rows, as a run reaches it: a process of this machine, or jobs on YARN that runs share."""
    engine = engine_of(work.outside.settings, place)
    return engine if isinstance(engine, LocalEngine) else SharedJobs(work, place, CalledYarn(work, engine))


@dataclass(frozen=True)
class SharedJobs:
    """YARN as the runs of a feed share it.

    Args:
        work: the run that asks.
        place: the lake.
        yarn: runs jobs, and finds them by their tags.
    """

    work: LakeWork
    place: Place
    yarn: CalledYarn

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Run one pass to its end, alone or with others', or take what another run's job makes of it; see `Engine`."""
        shared = None if job.mode != CLEAN or job.anew else self._shared(job, scratch)
        return shared if shared is not None else self.yarn.run(job, scratch)

    def _shared(self, job: MapJob, scratch: Path) -> MapResult | None:
        """What another run's job makes of it, or one for many; None when a job for this pass alone is to be made."""
        until = time.monotonic() + 2 * _GATHERING_SECONDS
        while time.monotonic() < until:
            found = self.yarn.found(job)
            if found is not None:
                return found
            with self._gathering() as mine:
                if mine:
                    return self._for_many(job, scratch)
            time.sleep(_PAUSE_SECONDS)
        return None

    @contextmanager
    def _gathering(self) -> Iterator[bool]:
        """One run of a feed gathers at a time; its lease is not renewed, so a long job holds nobody up."""
        leases, key = self.work.outside.ledger.leases, (self.work.kit.name, _GATHERING)
        mine = leases.acquire(*key, self.work.holder, ttl_seconds=_GATHERING_SECONDS, alive=process_alive)
        try:
            yield mine
        finally:
            if mine:
                with suppress(Fault):  # the ledger is away: the lease ends by itself, and the job's own outcome must be seen
                    leases.release(*key, self.work.holder)

    def _for_many(self, job: MapJob, scratch: Path) -> MapResult | None:
        """One job for this pass and others; None when no other one waits, or when it failed at somebody's rows."""
        name = f"{self.work.kit.lake}/{job.target.rpartition('/')[2]}"
        others, made = Others(self.work, self.place, f"lake/{name}"), None
        passes = others.passes(job, self.yarn.knows, scratch)
        try:
            made = self._run(together(job, passes, f"curated/{name}"), scratch) if passes else None
        except Fault as fault:
            if fault.code is not Code.CODE_BUG:
                raise  # as far as is known the job goes on: it reads the copies, which go a day later
        others.clean_up()  # whose rows a mapper failed at is not known: each is asked about alone
        return made

    def _run(self, many: MapJob, scratch: Path) -> MapResult:
        note_parts(self.place, many, scratch)
        made = self.yarn.run(many, scratch)
        counters = {**made.counters, "partitions": len(many.passes)}  # what it counted is about all of them
        return replace(made, counters=counters, taken=True)
