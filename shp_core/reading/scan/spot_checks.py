"""Some rows of every scan are read by the reference too; the scan is believed as long as both say the same.

Tests hold the two readers together on all that anybody thought of. This holds them together on the file, the compiled
kernels and the processor at hand. Must not live here: what either reader makes of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from shp_core.reading.cells import Malformed
from shp_core.reading.problem import DISAGREES, Refused, Unreadable, shown
from shp_core.reading.reference import SheetRow
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.grid import Grid
from shp_core.reading.scan.kernels.layout import LAST_ROW, POSITION
from shp_core.reading.scan.odd_rows import OddRows
from shp_core.reading.scan.windows import Window
from shp_core.reading.table import extra_text, first_text, spread

EVERY = 1000
"""Rows from one check to the next at least; the reference takes as long for one row as the scan for twenty."""

_LONGEST = 1 << 18
_END = b"</row>"


class Disagreement(Refused):
    """The two readers do not say the same of a row: neither is believed, and nothing of the workbook counts."""

    def __init__(self, part: str, row: int) -> None:
        super().__init__(DISAGREES, f"the two readers do not agree on row {row} of {shown(part)}", {"row": row})


class SpotChecks:
    """Holds the rows at which grids begin against the reference.

    Args:
        by_reference: reads single rows.
        grid: what the kernel fills.
        header: the header's row number.
        part: the sheet's name, for messages.
    """

    def __init__(self, by_reference: OddRows, grid: Grid, header: int, part: str) -> None:
        self._by_reference = by_reference
        self._grid = grid
        self._header = header
        self._part = part
        self._expected: list[tuple[Any, ...]] = []
        self._due = 0

    def aim(self, window: Window, rows: int) -> None:
        """Have the reference read where the next rows begin, if that is due.

        Args:
            window: what the kernel reads next.
            rows: rows of the table so far.
        """
        if rows < self._due or self._expected or self._grid.filled:
            return
        self._due = rows + EVERY
        last = self._grid.state[LAST_ROW]
        markup = _beginning(window, self._grid.state[POSITION], max(1, self._header + 1 - last))
        try:
            found = self._by_reference.rows(markup, last) if markup else []
        except (Declined, Malformed, Unreadable):  # cut out wrongly, or something is wrong with it: the scan will find out
            return
        self._expected = [self._told(row) for row in found if row.number > self._header and first_text(row) is not None]

    def _told(self, row: SheetRow) -> tuple[Any, ...]:
        kinds, texts, extra = spread(row, self._grid.width)
        return row.number, "".join(kinds), *texts, extra_text(extra)

    def checked(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches, once what they begin with is what the reference reads.

        Raises:
            Disagreement: it is something else.
        """
        for batch in batches:
            expected, self._expected = self._expected, []
            columns = (column.to_pylist() for column in batch.slice(0, len(expected)).columns)
            for wanted, said in zip(expected, zip(*columns, strict=True), strict=False):
                if wanted != said:
                    raise Disagreement(self._part, wanted[0])
            yield batch

    def end(self) -> None:
        """There are no more rows.

        Raises:
            Disagreement: but the reference found one.
        """
        if self._expected:
            raise Disagreement(self._part, self._expected[0][0])


def _beginning(window: Window, start: int, rows: int) -> bytes:
    """The markup of so many rows; nothing if they are long, or not in the window."""
    end = start
    for _ in range(rows):
        found = window.data.find(_END, end, min(window.size, start + _LONGEST))
        if found < 0:
            return b""
        end = found + len(_END)
    return bytes(window.data[start:end])
