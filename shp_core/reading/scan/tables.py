"""Which reader reads a table: the scan if it can, else the reference; one stream of batches either way.

Lives here: choosing, holding back, taking over. Must not live here: how either reads. Needs Arrow, as `batches` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from shp_core.limits import KIB, MIB, Limits
from shp_core.reading.batches import batch_schema, batches
from shp_core.reading.container import Container
from shp_core.reading.gate import open_container, verify
from shp_core.reading.order import RowOrder
from shp_core.reading.package import Workbook, read_package
from shp_core.reading.textrow import SheetSpec, SheetStats
from shp_core.reading.workbook import read_table

if TYPE_CHECKING:  # what only the scan needs is loaded only for it
    from shp_core.reading.scan.library import Library
    from shp_core.reading.scan.sheet import SheetScan

SCAN_FROM_BYTES = 64 * KIB
"""Inflated size of a sheet from which the scan is worth its buffers; loading the kernels is worth it later (`child`)."""

_MOST_HELD = 32 * MIB


class TextTable:
    """The text rows of one table in batches; iterate once.

    Attributes:
        header: the header's texts.
        schema: of the batches.
        stats: what was counted; complete when the iteration has ended.
        reader: who reads, `scan` or `reference`; at the end, who read to the end.
        declined: why the scan left the sheet to the reference, if it did.
    """

    def __init__(
        self, container: Container, workbook: Workbook, spec: SheetSpec, limits: Limits, scan: _Scanning | None, declined: str
    ) -> None:
        self._container = container
        self._workbook = workbook
        self._spec = spec
        self._limits = limits
        self._scan = scan
        self.declined = declined
        self.reader = "scan" if scan else "reference"
        self._table = None if scan else read_table(container, workbook, spec, limits)
        found = scan.scan if scan else self._table
        assert found is not None
        self.header = found.header
        self.stats: SheetStats = found.stats
        self.schema = batch_schema(self.header)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches.

        Raises:
            Unreadable: the workbook is refused.
        """
        given = 0
        if self._scan is not None:
            yield from self._scan
            given = self._scan.given
            if self._scan.ended:
                return
            self._take_over(self._scan.declined)
        assert self._table is not None
        yield from batches(islice(self._table, given, None), self.schema, self._limits)

    def _take_over(self, declined: str) -> None:
        """The reference reads the table from its beginning; rows that the scan gave are passed over."""
        self.reader, self.declined = "reference", declined
        self._table = read_table(self._container, self._workbook, self._spec, self._limits)
        self.stats = self._table.stats


class _Scanning:
    """A scan whose first rows are held back until nothing can change them any more.

    Rows out of order are sorted, so a row far down may change the header and every row above. Only a sheet with at
    most `disorder_cells` cells may be out of order, though: beyond, it is refused.
    """

    def __init__(self, scan: SheetScan, container: Container, part: str, limits: Limits) -> None:
        self.scan = scan
        self.given = 0
        self.ended = False
        self.declined = ""
        self._part = part
        self._container = container
        self._limits = limits
        self._batches = iter(scan)
        self._held: list[pa.RecordBatch] = []
        self._hold()

    def _hold(self) -> None:
        from shp_core.reading.scan.declined import Declined

        size = 0
        for batch in self._batches:
            self._held.append(batch)
            size += batch.nbytes
            if self.scan.cells_seen > self._limits.disorder_cells:
                return
            if size > _MOST_HELD:
                if not self._certain():
                    raise Declined("rows that may be out of order")
                return
        self.ended = True

    def _certain(self) -> bool:
        """Look at the whole sheet once for the order of its rows; it holds few cells, but long ones."""
        order = RowOrder()
        for piece in self._container.pieces(self._part):
            order(piece)
        return order.certain

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches, up to the sheet's end or to where the scan declines."""
        from shp_core.reading.scan.sheet import DECLINES

        while self._held:
            yield self._give(self._held.pop(0))
        if self.ended:
            return
        try:
            for batch in self._batches:
                yield self._give(batch)
            self.ended = True
        except DECLINES as problem:
            self.declined = _reason(problem)

    def _give(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.given += batch.num_rows
        return batch


@contextmanager
def open_batches(
    path: Path, spec: SheetSpec, limits: Limits, library: Library | None = None, scratch: int | None = None
) -> Iterator[TextTable]:  # fmt: skip
    """Open a table of a workbook.

    Args:
        path: the private copy.
        spec: which table.
        limits: what is accepted.
        library: the scan's kernels; None: the reference reads.
        scratch: descriptor of an empty file that the scan may use for what would take too much memory; None: there is none.

    Yields:
        The table: header, schema, batches (lazily), counts. The checksums of all parts are verified when the iteration
        has ended, those of all but the sheet and the shared strings before.

    Raises:
        Unreadable: the workbook is refused, with a code; also while its batches are read.
        OSError: the copy cannot be read.
    """
    with open_container(path, limits) as container:
        workbook = read_package(container, limits)
        scan, declined = _scanning(container, workbook, spec, limits, library, scratch) if library else (None, "")
        yield TextTable(container, workbook, spec, limits, scan, declined)


def _scanning(
    container: Container, workbook: Workbook, spec: SheetSpec, limits: Limits, library: Library, scratch: int | None
) -> tuple[_Scanning | None, str]:  # fmt: skip
    """A scan of the table; or None, and why there is none."""
    from shp_core.reading.scan.sheet import DECLINES, SheetScan

    sheet = workbook.find(spec.sheet)
    if sheet is None or spec.until is not None or container.part(sheet.part).size < SCAN_FROM_BYTES:
        return None, ""
    try:
        verify(container, limits, but=[part for part in (sheet.part, workbook.strings) if part])
        scan = SheetScan(container, workbook, sheet, spec, limits, library, scratch)
        return _Scanning(scan, container, sheet.part, limits), ""
    except DECLINES as problem:
        return None, _reason(problem)


def _reason(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"
