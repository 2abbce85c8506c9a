"""Both readers on one workbook, and what each of them says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pyarrow as pa

from shp_core.limits import Limits
from shp_core.reading.problem import Unreadable
from shp_core.reading.scan import tables
from shp_core.reading.scan.library import OWN_FOLDER, Library, load_or_build
from shp_core.reading.scan.tables import open_batches
from shp_core.reading.textrow import SheetSpec


class Said(NamedTuple):
    """What a reader says of a table: its rows and counts, or the code of a refusal."""

    rows: list[dict[str, Any]] | None
    stats: dict[str, Any] | None
    header: tuple[str, ...] | None
    code: str | None


@cache
def kernels() -> Library:
    """The kernels, compiled at the first use."""
    library = load_or_build([OWN_FOLDER])
    assert library is not None
    return library


def said(path: Path, limits: Limits | None = None, *, scan: bool, **spec: Any) -> tuple[Said, str]:
    """What is read, and who read it (`scan`, `reference`, `refused`)."""
    library = kernels() if scan else None
    try:
        with mock.patch.object(tables, "SCAN_FROM_BYTES", 0), open_batches(path, SheetSpec(**spec), limits or Limits(), library) as table:
            batches = [checked(batch) for batch in table]
            rows = pa.Table.from_batches(batches, table.schema).to_pylist()
            return Said(rows, table.stats.as_dict(), table.header, None), table.reader
    except Unreadable as problem:
        return Said(None, None, None, problem.code), "refused"


def checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch whose memory is as Arrow wants it."""
    batch.validate(full=True)
    return batch


def both(path: Path, limits: Limits | None = None, **spec: Any) -> tuple[Said, str]:
    """What both readers say, which must be the same; and who read when the scan was allowed to."""
    reference, _ = said(path, limits, scan=False, **spec)
    scanned, reader = said(path, limits, scan=True, **spec)
    assert scanned == reference
    return scanned, reader


def scanned(path: Path, limits: Limits | None = None, **spec: Any) -> Said:
    """What both readers say of a workbook that the scan does not decline."""
    found, reader = both(path, limits, **spec)
    assert reader == "scan"
    return found


def declined(path: Path, limits: Limits | None = None, **spec: Any) -> Said:
    """What both readers say of a workbook that the scan leaves to the reference."""
    found, reader = both(path, limits, **spec)
    assert reader != "scan"
    return found


def texts(found: Said) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """Kinds and texts, row after row."""
    assert found.rows is not None
    for row in found.rows:
        yield row["kinds"], tuple(text for name, text in row.items() if name.startswith("c"))
