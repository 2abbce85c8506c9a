"""Clean rows in the lake: made by the mapper, counted and hashed from what it wrote, made current by the manifest's rename.

What is published was read back, line by line: its row count and its partition hash must be those of the clean rows, which
are what the warehouse holds (loaded and displaced).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION, Contract
from shp_core.contract.header import map_header
from shp_core.contract.reasons import DUPLICATE_KEY
from shp_core.contract.summary import Summary
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.manifest import Manifest
from shp_core.lake.mapper import CLEAN, REJECTS
from shp_core.lake.place import Place
from shp_core.lake.shipped import Shipment
from shp_resources.lake.engine import Engine, MapJob, MapResult
from shp_resources.lake.manifests import give_way, is_whole, make_current, standing
from shp_resources.lake.publish import PART, Partition, Published, text_file, text_rows
from shp_resources.lake.readback import ReadBack, part_lines, read_back
from shp_resources.lake.strays import ATTEMPT
from shp_resources.lake.together import part_of, take_part
from shp_resources.store import Validated


@dataclass(frozen=True)
class Waiting:
    """A delivery whose clean rows are to be made.

    Args:
        partition: which partition, and on whose behalf.
        lake: its text rows.
        shipment: what the mapper must know of it.
        summary: the delivery in numbers.
    """

    partition: Partition
    lake: Manifest
    shipment: Shipment
    summary: Summary

    def job(self, root: str, mode: str) -> MapJob:
        """A pass of the mapper over it; `root` tells this lake from others."""
        return job_of(root, self.partition, *text_file(self.partition, self.lake), self.shipment, mode)


class Curator:
    """Publishes clean rows.

    Args:
        place: the lake.
        engine: runs the mapper.
    """

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place, self.engine = place, engine

    def publish(self, partition: Partition, contract: Contract, artefacts: Validated, scratch: Path, *, again: bool = False) -> Published:
        """Make the lake hold a delivery's clean rows.

        Args:
            partition: which, and on whose behalf; its text rows are in the lake.
            contract: the contract.
            artefacts: the delivery's artefacts under this contract.
            scratch: a folder of this run's own.
            again: make them anew, whatever stands there.

        Raises:
            Fault: the lake or the engine failed, the text rows are not there, or the output is not what the clean rows
                are; what was published stays.
        """
        found = standing(self.place, partition.curated)
        if found is not None and not again and self._stands(partition, contract, found):
            return Published(found, False)
        give_way(found, partition.fence, partition.curated)
        one = Waiting(partition, self._text_rows(partition), shipment_of(contract, artefacts), artefacts.summary)
        return self._accept(one, self._clean_rows(one, scratch, again), scratch, again)

    def _accept(self, one: Waiting, clean: _Part, scratch: Path, again: bool) -> Published:
        """Publish output that was read back and found right."""
        partition, written = one.partition, clean.written
        left_out = one.lake.rows - written.rows - len(one.shipment.dropped)
        rejects = self._rejects(one, left_out, scratch, again) if left_out else {}
        assert clean.name is not None, "what is right is there"
        take_part(self.place, clean.made.target, clean.name, f"{partition.curated}/{partition.publication}/{PART}")
        manifest = _manifest(partition, one.shipment.contract, clean.made, written.with_names([PART]), rejects)
        make_current(self.place, partition.curated, manifest, scratch)
        return Published(manifest, True, clean.made.counters)

    def _stands(self, partition: Partition, contract: Contract, found: Manifest) -> bool:
        return _is_same(found, partition, contract) and is_whole(self.place, partition.curated, found)

    def _text_rows(self, partition: Partition) -> Manifest:
        lake = text_rows(self.place, partition)
        if lake is None:
            text = f"{partition.lake} does not hold delivery {partition.delivery[:12]} whole"
            raise Fault(Code.ARTEFACT_DAMAGED, f"{text}.", Evidence("lake", text=text), f"Materialize lake/{partition.feed} first.")
        return lake

    def _clean_rows(self, one: Waiting, scratch: Path, again: bool) -> _Part:
        """The part of a job's output that is this partition's; what was made before and is not right is made anew."""
        job = replace(one.job(self.place.label, CLEAN), anew=again)
        made = self._run(one, job, scratch)
        if made.made.taken and not made.is_right(one.summary):
            made = self._run(one, replace(job, anew=True), scratch)
        if not made.is_right(one.summary):
            text = f"{made.told}; {one.summary.clean} with {one.summary.hash} are clean"
            raise Fault(Code.SINK_DISAGREES, f"{text} (made by {made.made.made_by}).", Evidence("lake", text=text))
        return made

    def _run(self, one: Waiting, job: MapJob, scratch: Path) -> _Part:
        made = self.engine.run(job, scratch)
        name = part_of(self.place, made.target, job.tag)
        return _Part(made, name, read_back(self.place, made.target, scratch, [name] if name else []))

    def _rejects(self, one: Waiting, left_out: int, scratch: Path, again: bool) -> dict[str, int]:
        """A second pass of the same mapper, for the rows that the first one left out; how many there are, by code."""
        partition = one.partition
        made = self.engine.run(replace(one.job(self.place.label, REJECTS), anew=again), scratch)
        target = f"{partition.rejects}/{partition.publication}"
        codes: Counter[str] = Counter()
        rows = 0
        for line in part_lines(self.place, made.target, scratch):
            rows += 1
            codes.update({reason.rpartition(":")[2] for reason in line.split("\t", 2)[1].split(",")})
        if rows != left_out:
            text = f"{made.target} holds {rows} rejects of {left_out}"
            raise Fault(Code.SINK_DISAGREES, f"{text}.", Evidence("lake", text=text))
        self.place.move_folder(made.target, target)
        return dict(sorted(codes.items()))


@dataclass(frozen=True)
class _Part:
    """A partition's part of a job's output: the job, the part's name (None where there is none), and what was read back of it."""

    made: MapResult
    name: str | None
    written: ReadBack

    @property
    def told(self) -> str:
        """What was found, for people."""
        held = f"holds {self.written.rows} rows with hash {self.written.hash}" if self.name else "holds no part of it"
        return "/".join(filter(None, (self.made.target, self.name))) + f" {held}"

    def is_right(self, summary: Summary) -> bool:
        """Whether its rows are the delivery's clean rows."""
        return self.name is not None and (self.written.rows, self.written.hash) == (summary.clean, summary.hash)


def shipment_of(contract: Contract, artefacts: Validated) -> Shipment:
    """What the mapper must know of a delivery."""
    mapping = map_header(artefacts.header, contract)
    return Shipment(contract, mapping.positions, mapping.width, _dropped(artefacts))


def _dropped(artefacts: Validated) -> tuple[int, ...]:
    """Sheet rows that pass every row rule and are no clean rows: duplicates, and keys that stand on different rows."""
    if not artefacts.summary.duplicate and not any(name.endswith(f":{DUPLICATE_KEY}") for name in artefacts.summary.failures):
        return ()
    kept = {row for batch in artefacts.clean() for row in batch.column("_row").to_pylist()}
    broken = {row for batch in artefacts.rejects() for row in _broken(batch)}
    read = (row for batch in artefacts.text() for row in batch.column("row").to_pylist())
    return tuple(row for row in read if row not in kept and row not in broken)


def _broken(batch: pa.RecordBatch) -> Iterator[int]:
    """Rows that break a row rule, which the mapper sees by itself."""
    for row, reasons in zip(batch.column("row").to_pylist(), batch.column("reasons").to_pylist(), strict=True):
        if any(reason["code"] != DUPLICATE_KEY for reason in reasons):
            yield row


def _is_same(found: Manifest, partition: Partition, contract: Contract) -> bool:
    made = (found.delivery, found.contract_version, found.converter_version)
    return made == (partition.delivery, contract.version, CONVERTER_VERSION)


def job_of(root: str, partition: Partition, source: str, size: int, shipment: Shipment, mode: str) -> MapJob:
    """A pass of the mapper over a delivery's text rows.

    Args:
        root: tells this lake from others.
        partition: whose rows, and on whose behalf.
        source: the file of text rows, as a path of the lake.
        size: its bytes.
        shipment: what the mapper must know.
        mode: `clean` or `rejects`.
    """
    folder = partition.curated if mode == CLEAN else partition.rejects
    tag = tag_of(root, folder, partition.delivery, shipment.contract, mode)
    return MapJob(f"shp {folder}", tag, source, f"{folder}/{ATTEMPT}{partition.publication}", shipment, mode, size)


def tag_of(root: str, folder: str, delivery: str, contract: Contract, mode: str = CLEAN) -> str:
    """What the jobs of the same work have in common, whoever asked for them.

    Args:
        root: tells this lake from others.
        folder: the partition's folder that the rows are for.
        delivery: SHA-256 of the delivery's bytes.
        contract: the contract.
        mode: `clean` or `rejects`.
    """
    work = f"{root}:{folder}:{delivery}:{contract.version}:{CONVERTER_VERSION}:{mode}"
    return f"shp-{sha256(work.encode()).hexdigest()[:32]}"


def _manifest(partition: Partition, contract: Contract, made: MapResult, written: ReadBack, rejects: dict[str, int]) -> Manifest:
    return Manifest(
        feed=partition.feed,
        partition=partition.key,
        delivery=partition.delivery,
        directory=partition.publication,
        rows=written.rows,
        bytes=sum(file.bytes for file in written.files),
        files=tuple(written.files),
        columns=(*contract.names, "_row"),
        fence=partition.fence,
        contract_version=contract.version,
        converter_version=CONVERTER_VERSION,
        hash=written.hash,
        rejects=rejects,
        made_by=made.made_by,
    )
