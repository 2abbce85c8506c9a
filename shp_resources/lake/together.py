"""Clean rows of many partitions by one job: a job costs ten seconds, whatever it maps.

Each file of text rows is one split, so each part of the output belongs to one partition; which one is seen by what the part
holds, its row count and its partition hash. Parts that hold the same are the same, whoever's they are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from shp_core.codes import Code
from shp_core.contract.contract import Contract
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.mapper import CLEAN
from shp_resources.lake.curated import Curator, Waiting
from shp_resources.lake.engine import MapJob, MapResult
from shp_resources.lake.publish import Partition, Published
from shp_resources.lake.readback import ReadBack, read_back
from shp_resources.lake.strays import ATTEMPT
from shp_resources.store import Validated

PART = "part-00000"


@dataclass(frozen=True)
class Delivered:
    """A delivery whose text rows are in the lake.

    Args:
        partition: which partition, and on whose behalf.
        contract: its contract.
        artefacts: its artefacts under this contract.
    """

    partition: Partition
    contract: Contract
    artefacts: Validated


def publish_together(curator: Curator, deliveries: Sequence[Delivered], scratch: Path) -> list[Published]:
    """Make the lake hold the clean rows of many deliveries, by one job.

    Args:
        curator: knows the lake and runs the mapper.
        deliveries: one for each partition, of whatever feeds.
        scratch: a folder of this run's own.

    Returns:
        What stands of each, in their order.

    Raises:
        Fault: the lake or the job failed, or a part is not what a delivery's clean rows are; partitions whose parts are right
            are published all the same.
    """
    found: dict[str, Published | Waiting] = {
        one.partition.curated: curator.standing_or_waiting(one.partition, one.contract, one.artefacts) for one in deliveries
    }
    waiting = [one for one in found.values() if isinstance(one, Waiting)]
    if waiting:
        found |= _by_one_job(curator, waiting, scratch)
    return [done for done in found.values() if isinstance(done, Published)]


def _by_one_job(curator: Curator, waiting: Sequence[Waiting], scratch: Path) -> dict[str, Published]:
    made = curator.engine.run(_job(waiting), scratch)
    parts = _parts(curator, made, scratch)
    published, missing = {}, []
    for one in waiting:
        fitting = parts.get((one.summary.clean, one.summary.hash))
        if not fitting:
            missing.append(one.partition.curated)
            continue
        name, written = fitting.pop()
        published[one.partition.curated] = curator.accept(one, made, f"{made.target}/{name}", PART, _renamed(written), scratch)
    if missing:
        text = f"{made.target} holds no part with the clean rows of {', '.join(missing)}"
        raise Fault(Code.SINK_DISAGREES, f"{text} (made by {made.made_by}).", Evidence("lake", text=text[:300]))
    curator.place.remove(made.target)
    return published


def _parts(curator: Curator, made: MapResult, scratch: Path) -> dict[tuple[int, str], list[tuple[str, ReadBack]]]:
    """The parts of a job's output, by what they hold."""
    found: dict[tuple[int, str], list[tuple[str, ReadBack]]] = {}
    for entry in curator.place.entries(made.target):
        if entry.name.startswith("part-"):
            written = read_back(curator.place, made.target, scratch, [entry.name])
            found.setdefault((written.rows, written.hash), []).append((entry.name, written))
    return found


def _renamed(written: ReadBack) -> ReadBack:
    return written.with_names([PART])


def _job(waiting: Sequence[Waiting]) -> MapJob:
    jobs = [one.job(CLEAN) for one in waiting]
    work = sha256("\n".join(sorted(job.tag for job in jobs)).encode()).hexdigest()[:32]
    attempt = sha256("\n".join(sorted(job.target for job in jobs)).encode()).hexdigest()[:16]
    return MapJob(
        name=f"shp {len(jobs)} partitions, {jobs[0].name.removeprefix('shp ')} and others",
        tag=f"shp-{work}",
        source=jobs[0].source,
        target=f"curated/{ATTEMPT}{attempt}",
        shipment=jobs[0].shipment,
        mode=CLEAN,
        beside=tuple((job.source, job.shipment) for job in jobs[1:]),
    )
