"""The other partitions of a feed whose clean rows a job can make on the way: due in the lake, and not known to YARN.

Must not live here: the job (`lake_together`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from shp_assets.lake_work import LakeWork
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.errors import Fault
from shp_core.lake.mapper import CLEAN
from shp_core.lake.place import Place
from shp_resources.lake.curated import job_of, shipment_of, tag_of
from shp_resources.lake.engine import MapJob
from shp_resources.lake.publish import Partition, text_file, text_rows, write_text
from shp_resources.lake.strays import sweep_attempts
from shp_resources.ledger import Behind, Publication
from shp_resources.store import Validated

MOST = 8
"""A job maps nine small files inside its application master, without a Java for each; ten tags are YARN's limit."""

MOST_BYTES = 128 << 20
"""How long all files are together, one block of HDFS: where there is more to map, a job's start is not what costs."""

_LOOKED_AT = 50


@dataclass(frozen=True)
class Others:
    """What a run can do for others.

    Args:
        work: the run.
        place: the lake.
        copies: a folder of the run's own in the lake, for text rows that do not lie there yet.
    """

    work: LakeWork
    place: Place
    copies: str

    def passes(self, own: MapJob, knows: Callable[[Collection[str]], set[str]], scratch: Path) -> list[MapJob]:
        """Passes over other partitions' text rows.

        What YARN knows is made already, or is being made; or it failed together with others, and is asked about alone.

        Args:
            own: the run's own pass.
            knows: tells which tags YARN knows.
            scratch: a folder of this run's own.
        """
        with ExitStack() as failed:
            failed.callback(self.clean_up)
            found = self._found(MOST_BYTES - own.size, knows, scratch)
            failed.pop_all()
        return found

    def _found(self, room: int, knows: Callable[[Collection[str]], set[str]], scratch: Path) -> list[MapJob]:
        """Passes over others, with so many bytes to map."""
        due = {self._tag(one): one for one in self._due()} if room > 0 else {}
        known = knows(due)
        found: list[MapJob] = []
        for one in islice(self._readable([one for tag, one in due.items() if tag not in known], scratch), MOST):
            room -= one.size
            if room < 0:
                break
            found.append(one)
        return found

    def clean_up(self) -> None:
        """Remove the copies, and what runs that were killed left a day ago."""
        folders = (self.copies.rpartition("/")[0], f"curated/{self.work.kit.lake}")
        now = self.work.outside.clock.now().timestamp()
        with suppress(Fault):  # what the lake refuses now goes the next time
            self.place.remove(self.copies)
            for folder in folders:
                sweep_attempts(self.place, folder, now)

    def _due(self) -> list[Behind]:
        """Partitions that the lake is to hold as this run would make them, and whose run has not failed."""
        outside, contract = self.work.outside, self.work.kit.contract
        due = outside.ledger.lake.due(self.work.kit.name, outside.clock.now(), (), _LOOKED_AT)
        return [
            one
            for one in due
            if one.partition != self.work.partition
            and not one.sink.agrees
            and one.sink.code is None
            and one.sink.intended == Publication(one.sink.intended.delivery, contract.version, CONVERTER_VERSION)
        ]

    def _readable(self, due: Iterable[Behind], scratch: Path) -> Iterator[MapJob]:
        """Passes over those whose artefacts are here; text rows that the lake does not hold yet are copied there."""
        for number, one in enumerate(due):
            found = self._pass(self._partition(one), f"{self.copies}/part-{number:05}", scratch)
            if found is not None:
                yield found

    def _pass(self, partition: Partition, copy: str, scratch: Path) -> MapJob | None:
        contract = self.work.kit.contract
        try:
            artefacts = self.work.outside.store.validated(partition.delivery, contract)
            if artefacts is None:
                return None
            text = text_rows(self.place, partition)
            source = text_file(partition, text) if text is not None else self._copied(artefacts, copy, scratch)
            return job_of(self.place.label, partition, *source, shipment_of(contract, artefacts), CLEAN)
        except Fault as fault:
            if fault.code is not Code.ARTEFACT_DAMAGED:
                raise
            return None  # retention took them away meanwhile, or they broke: its own run finds that out

    def _copied(self, artefacts: Validated, path: str, scratch: Path) -> tuple[str, int]:
        _, file = write_text(artefacts.text(), scratch / "others")
        self.place.put(scratch / "others", path)
        return path, file.bytes

    def _partition(self, one: Behind) -> Partition:
        assert self.work.kit.lake is not None, "only feeds with a lake have these steps"
        return Partition(one.feed, self.work.kit.lake, one.partition, one.sink.intended.delivery, one.sink.fence)

    def _tag(self, one: Behind) -> str:
        partition = self._partition(one)
        return tag_of(self.place.label, partition.curated, partition.delivery, self.work.kit.contract)
