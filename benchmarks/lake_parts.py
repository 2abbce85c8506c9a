"""What the benchmark `lake` times: mapping lines, publishing a file, a bare job, five deliveries by one job.

Must not live here: rounds, ratios and results (`lake`).
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path
from uuid import uuid4

from benchmarks import line_by_line
from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract
from shp_core.contract.validate import validate
from shp_core.feeds.load import load_catalogue
from shp_core.lake.lines import text_lines
from shp_core.lake.mapper import ARROW, CLEAN, STANDARD
from shp_core.limits import Limits
from shp_resources.hdfs import Cluster
from shp_resources.hdfs.client import Hdfs
from shp_resources.lake.archive import write_archive
from shp_resources.lake.curated import Curator, job_of, shipment_of
from shp_resources.lake.engine import MapJob
from shp_resources.lake.publish import Partition, publish_text, text_file
from shp_resources.lake.together import note_parts, together
from shp_resources.reader import WorkbookReader
from shp_resources.store import Store, Validated
from shp_resources.yarn.engine import YarnEngine
from shp_resources.yarn.streaming import command

ROOT = Path(__file__).resolve().parent.parent
_UNQUOTED = str.maketrans({",": " "})


@dataclass(frozen=True)
class Time:
    """Seconds of a clock on the wall, and of processors."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Mapped:
    """Equal rows, as the mapper and as the script get them; and where the mapper's archive and shipment lie."""

    folder: Path
    rows: int

    @property
    def mapper(self) -> list[str]:
        """The command of the platform's mapper."""
        return self._command(STANDARD)

    @property
    def arrow(self) -> list[str]:
        """The command of its twin."""
        return self._command(ARROW)

    def _command(self, engine: str) -> list[str]:
        return [sys.executable, "-I", str(self.folder / "mapper.zip"), str(self.folder / "shipment.json"), CLEAN, engine]

    @property
    def script(self) -> list[str]:
        """The command of the script."""
        return [sys.executable, "-I", line_by_line.__file__]


def sales_contract() -> Contract:
    """The contract of the sample feed."""
    return compile_contract(load_catalogue(ROOT / "feeds").feeds["sales"])


@dataclass(frozen=True)
class Delivered:
    """A delivery, read and validated.

    Args:
        partition: which partition, and on whose behalf.
        contract: its contract.
        artefacts: its artefacts under this contract.
    """

    partition: Partition
    contract: Contract
    artefacts: Validated


def deliveries(paths: Sequence[Path], folder: Path) -> list[Delivered]:
    """Workbooks, read and validated, as artefacts in a store."""
    contract, store, reader = sales_contract(), Store(folder), WorkbookReader(Limits(), warm=True)
    made = []
    for path in paths:
        with path.open("rb") as file:
            delivery = file_digest(file, "sha256").hexdigest()
        with reader.open(path, contract.spec) as batches, store.bench(contract, batches.schema) as (bench, scratch):
            kept = store.keep_validated(bench, scratch, delivery, contract, validate(contract, batches, bench))
        made.append(Delivered(Partition("sales", "sales", path.stem, delivery, (1, 1)), contract, kept))
    return made


def equal_rows(delivered: Sequence[Delivered], folder: Path) -> Mapped:
    """The rows of deliveries as one file for the mapper and one for the script."""
    from shp_core.lake.shipped import to_cargo

    write_archive(folder / "mapper.zip", ARROW)
    (folder / "shipment.json").write_text(to_cargo([("lines", shipment_of(delivered[0].contract, delivered[0].artefacts))]))
    rows = 0
    with (folder / "lines").open("wb") as lines, (folder / "rows.csv").open("w", encoding="utf-8") as plain:
        for one in delivered:
            for batch in one.artefacts.text():
                rows += batch.num_rows
                lines.write(text_lines(batch))
                cells = zip(*(column.to_pylist() for column in batch.columns[2:-1]), strict=True)
                plain.writelines(",".join(text.translate(_UNQUOTED) for text in row) + "\n" for row in cells)
    return Mapped(folder, rows)


def timed(work: Callable[[], object]) -> Time:
    """The seconds of some work in this process."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return Time(time.perf_counter() - started, time.process_time() - used)


def run_over(words: Sequence[str], source: Path, out: Path) -> Time:
    """The seconds of a command, its start included, that reads a file and writes one.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with source.open("rb") as lines, out.open("wb") as mapped:
        os.sync()  # what others left to be written is not written meanwhile
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, stdin=lines, stdout=mapped, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Time(time.perf_counter() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def bare_write(place: Hdfs, source: Path) -> None:
    """Write a file by WebHDFS and do nothing else."""
    with source.open("rb") as file:
        place._client.write(place.absolute("bare/file"), data=file, overwrite=True)


def bare_job(cluster: Cluster, sources: Sequence[str], scratch: Path) -> None:
    """Let YARN pass the files through `cat`, in one job with the platform's own options.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    first, *others = [MapJob("bare", f"bare-{uuid4().hex}", one, f"bare/{uuid4().hex}", None, CLEAN) for one in sources]  # type: ignore[arg-type]
    job = replace(first, beside=tuple(others))
    words = command(cluster, job, scratch, 600.0, "python3")
    files = words.index("-files")
    words = [*words[:files], *words[files + 2 :]]
    words[words.index("-mapper") + 1] = "cat"
    environ = {"PATH": "/usr/bin:/bin", **cluster.environ}
    subprocess.run(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def elt(cluster: Cluster, place: Hdfs, delivered: Sequence[Delivered], number: int, scratch: Path) -> None:
    """Text rows into the lake, one job over all of them, every part read back, hashed and made current.

    Args:
        cluster: where jobs run.
        place: its lake.
        delivered: the deliveries.
        number: of the round; each publishes anew.
        scratch: an empty folder.
    """
    mine = [replace(one, partition=replace(one.partition, fence=(number, 1), key=f"{one.partition.key}-{number}")) for one in delivered]
    first, *others = [_pass(place, one, scratch) for one in mine]
    many = together(first, others, f"curated/sales/_attempt-{number}")
    note_parts(place, many, scratch)
    engine = YarnEngine(cluster, place)
    made = engine.run(many, scratch)
    done = [Curator(place, engine).publish(one.partition, one.contract, one.artefacts, scratch) for one in mine]
    assert all(one.changed and one.manifest.hash == given.artefacts.summary.hash for one, given in zip(done, mine, strict=True))
    assert {one.manifest.made_by for one in done} == {made.made_by}, "each takes its part of the one job"


def _pass(place: Hdfs, one: Delivered, scratch: Path) -> MapJob:
    """A delivery's text rows in the lake, and the pass of the mapper over them."""
    text = publish_text(place, one.partition, one.artefacts.header, one.artefacts.text(), scratch).manifest
    return job_of(place.label, one.partition, *text_file(one.partition, text), shipment_of(one.contract, one.artefacts), CLEAN)


def emptied(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
