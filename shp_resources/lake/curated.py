"""Clean rows in the lake: made by the mapper, counted and hashed from what it wrote, made current by the manifest's rename.

What is published was read back, line by line: its row count and its partition hash must be those of the clean rows, which
are what the warehouse holds (loaded and displaced).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
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
from shp_resources.lake.publish import Partition, Published
from shp_resources.lake.readback import ReadBack, part_lines, read_back
from shp_resources.lake.strays import ATTEMPT
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

    def job(self, mode: str) -> MapJob:
        """The pass of the mapper over it alone."""
        return _job(self.partition, self.partition.curated if mode == CLEAN else self.partition.rejects, self.lake, self.shipment, mode)


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
        found = self.standing_or_waiting(partition, contract, artefacts, again=again)
        if isinstance(found, Published):
            return found
        made, written = self._clean_rows(found, scratch)
        return self.accept(found, made, made.target, None, written, scratch)

    def standing_or_waiting(
        self, partition: Partition, contract: Contract, artefacts: Validated, *, again: bool = False
    ) -> Published | Waiting:
        """What stands already, or what is to be made; see `publish`.

        Raises:
            Fault: the lake failed, the text rows are not there, or a newer arrival is published.
        """
        found = standing(self.place, partition.curated)
        if found is not None and not again and self._stands(partition, contract, found):
            return Published(found, False)
        give_way(found, partition.fence, partition.curated)
        return Waiting(partition, self._text_rows(partition), shipment_of(contract, artefacts), artefacts.summary)

    def accept(self, one: Waiting, made: MapResult, source: str, name: str | None, written: ReadBack, scratch: Path) -> Published:
        """Publish output that was read back and found right.

        Args:
            one: whose clean rows they are.
            made: what became of the job.
            source: the job's directory, or one part of it.
            name: what that part is called from now on; None for a directory.
            written: what was read back.
            scratch: a folder of this run's own.

        Raises:
            Fault: the lake failed, or the pass over the rejects; what was published stays.
        """
        partition = one.partition
        left_out = one.lake.rows - written.rows - len(one.shipment.dropped)
        rejects = self._rejects(partition, one.lake, one.shipment, left_out, scratch) if left_out else {}
        self.place.move_folder(source, "/".join(filter(None, (partition.curated, partition.publication, name))))
        manifest = _manifest(partition, one.shipment.contract, made, written, rejects)
        make_current(self.place, partition.curated, manifest, scratch)
        return Published(manifest, True, made.counters)

    def _stands(self, partition: Partition, contract: Contract, found: Manifest) -> bool:
        return _is_same(found, partition, contract) and is_whole(self.place, partition.curated, found)

    def _text_rows(self, partition: Partition) -> Manifest:
        lake = standing(self.place, partition.lake)
        if lake is None or lake.delivery != partition.delivery or not is_whole(self.place, partition.lake, lake):
            text = f"{partition.lake} does not hold delivery {partition.delivery[:12]} whole"
            raise Fault(Code.ARTEFACT_DAMAGED, f"{text}.", Evidence("lake", text=text), f"Materialize lake/{partition.feed} first.")
        return lake

    def _clean_rows(self, one: Waiting, scratch: Path) -> tuple[MapResult, ReadBack]:
        made = self.engine.run(one.job(CLEAN), scratch)
        written = read_back(self.place, made.target, scratch)
        found, summary = (written.rows, written.hash), one.summary
        if found != (summary.clean, summary.hash) or made.counters.get("rows", written.rows) != written.rows:
            text = f"{made.target} holds {found[0]} rows with hash {found[1]}; {summary.clean} with {summary.hash} are clean"
            raise Fault(Code.SINK_DISAGREES, f"{text} (made by {made.made_by}).", Evidence("lake", text=text))
        return made, written

    def _rejects(self, partition: Partition, lake: Manifest, shipment: Shipment, left_out: int, scratch: Path) -> dict[str, int]:
        """A second pass of the same mapper, for the rows that the first one left out; how many there are, by code."""
        made = self.engine.run(_job(partition, partition.rejects, lake, shipment, REJECTS), scratch)
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


def _job(partition: Partition, folder: str, lake: Manifest, shipment: Shipment, mode: str) -> MapJob:
    work = f"{folder}:{lake.delivery}:{shipment.contract.version}:{CONVERTER_VERSION}:{mode}"
    return MapJob(
        name=f"shp {folder}",
        tag=f"shp-{sha256(work.encode()).hexdigest()[:32]}",
        source=f"{partition.lake}/{lake.directory}/{lake.files[0].name}",
        target=f"{folder}/{ATTEMPT}{partition.publication}",
        shipment=shipment,
        mode=mode,
    )


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
