"""The reading process: `python -m shp_core.reading.child`, started by `shp_resources.reader`, or forked from a warm one.

It reads one job (JSON) from standard input, limits itself, reads one table and writes an Arrow stream to standard
output; then it closes that and writes its verdict, one JSON line, to the descriptor that the job names:

    {"ok": true, "stats": {…}, "batches": 3, …}   the stream was whole
    {"refused": {"code", "message", "details"}}   the workbook is refused
    {"lost": "what"}                              the private copy cannot be read
    {"crashed": "what"}                           anything else

No verdict, no end: whatever was written before counts for nothing. Must not live here: decisions about any of it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from shp_core.reading.bounds import limit, load_codecs, stay_with, verdict_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from shp_core.limits import Limits
    from shp_core.reading.batches import CsvTable
    from shp_core.reading.scan.library import Library
    from shp_core.reading.scan.tables import TextTable
    from shp_core.reading.textrow import SheetSpec

_STDOUT = 1
_SCRATCH_FROM_BYTES = 256 * 1024  # a smaller file can hold no more shared strings than memory is to spare
_SCAN_FROM_BYTES = 96 * 1024  # loading the fast reader costs as much as reading so much without it


def main() -> None:
    """Do the job on standard input, whatever happens, and say how it ended."""
    job = json.loads(sys.stdin.buffer.read())
    stay_with(job["parent"])
    work(job)


def work(job: dict[str, Any]) -> NoReturn:
    """Do a job, say how it ended, and end this process.

    Args:
        job: `path`, `spec`, `limits`, `kernels` (where compiled ones may lie; None: do without), and the descriptor
            `verdict`; rows go to standard output.
    """
    verdict = verdict_of(lambda: _read(job), job["limits"]["child_memory_bytes"])
    os.close(_STDOUT)
    with os.fdopen(job["verdict"], "w") as line:
        line.write(json.dumps(verdict) + "\n")
    os._exit(0)


def import_all() -> None:
    """Import what reading needs; files can be opened now, not later. Arrow does without numpy, and starts in half the time."""
    sys.modules["numpy"] = None  # type: ignore[assignment]
    importlib.import_module("pyarrow")
    importlib.import_module("shp_core.reading.scan.tables")
    load_codecs()


def import_scan() -> None:
    """Import the fast reader, too; a process that has time before its first job should not take it from that job."""
    importlib.import_module("shp_core.reading.scan.library")
    importlib.import_module("shp_core.reading.scan.sheet")


def _read(job: dict[str, Any]) -> dict[str, Any]:
    import_all()
    import pyarrow as pa

    from shp_core.limits import Limits
    from shp_core.reading.csvtext import load_codec
    from shp_core.reading.outlet import Outlet
    from shp_core.reading.scan.rooms import SCRATCH_BYTES
    from shp_core.reading.textrow import SheetSpec

    limits, spec = Limits(**job["limits"]), SheetSpec.of(job["spec"])
    if spec.csv is not None:
        load_codec(spec.csv.encoding)
    library = kernels(job) if spec.csv is None else None
    scratch = _scratch(Path(job["path"])) if library else None
    limit(limits.child_memory_bytes, limits.child_cpu_seconds, 0 if scratch is None else SCRATCH_BYTES)
    with _open(Path(job["path"]), spec, limits, library, scratch) as table:
        count = 0
        with Outlet(_STDOUT) as out, pa.ipc.new_stream(out, table.schema) as stream:
            out.flush()
            for batch in table:
                stream.write_batch(batch)
                out.flush()
                count += 1
        return {"ok": True, "stats": table.stats.as_dict(), "batches": count, "reader": table.reader, "declined": table.declined}


def _scratch(workbook: Path) -> int | None:
    """A file without a name beside a large workbook, gone with this process; None if the place does not allow it."""
    if workbook.stat().st_size >= _SCRATCH_FROM_BYTES:
        with suppress(OSError):
            return os.open(workbook.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    return None


def _open(
    path: Path, spec: SheetSpec, limits: Limits, library: Library | None, scratch: int | None
) -> AbstractContextManager[TextTable | CsvTable]:  # fmt: skip
    from shp_core.reading.batches import open_csv_batches
    from shp_core.reading.scan.tables import open_batches

    return open_batches(path, spec, limits, library, scratch) if spec.csv is None else open_csv_batches(path, spec, limits)


def kernels(job: dict[str, Any]) -> Library | None:
    """The fast reader's kernels, if loading them is worth it.

    Args:
        job: a cold process (no `warm` in it) loads them only for a large workbook.

    Raises:
        OSError: the workbook is not there.
    """
    if job["kernels"] is None or not (job.get("warm") or Path(job["path"]).stat().st_size >= _SCAN_FROM_BYTES):
        return None
    return _kernels(job["kernels"].get("folder"))


@cache
def _kernels(folder: str | None) -> Library | None:
    import_scan()
    from shp_core.reading.scan import library

    return library.load_or_build([library.OWN_FOLDER, *([Path(folder)] if folder else [])])


if __name__ == "__main__":
    main()
