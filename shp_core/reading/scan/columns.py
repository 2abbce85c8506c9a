"""From a filled grid to Arrow batches, in the layout of `shp_core.reading.batches`.

Must not live here: what a cell means.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from shp_core.limits import Limits
from shp_core.reading.scan.grid import Grid, addresses
from shp_core.reading.scan.kernels.layout import NEXT
from shp_core.reading.scan.library import Library
from shp_core.reading.scan.strings import SharedStrings
from shp_core.reading.scan.windows import Window
from shp_core.reading.textrow import SheetStats


class Columns:
    """Makes batches of what a grid holds.

    Args:
        grid: the grid.
        schema: of the batches.
        stats: rows and cells are counted in it.
        limits: `batch_rows` and `batch_chars` (here: bytes) bound a batch.
        library: the kernels.
        strings: the shared strings.
    """

    def __init__(self, grid: Grid, schema: pa.Schema, stats: SheetStats, limits: Limits, library: Library, strings: SharedStrings) -> None:
        self._grid = grid
        self._schema = schema
        self._stats = stats
        self._limits = limits
        self._library = library
        self._strings = strings
        self._kept = (ctypes.c_int32 * grid.rows)()
        self._sizes = (ctypes.c_int64 * grid.width)()

    def batches(self, window: Window, aside: bytearray) -> Iterator[pa.RecordBatch]:
        """The batches of the grid's rows.

        Args:
            window: where most texts lie.
            aside: where the others lie.
        """
        state = (ctypes.c_int64 * 4)()
        texts = bytes(aside)
        while state[NEXT] < self._grid.filled:
            count = self._measure(state)
            if count:
                yield self._batch(count, window, texts)
        self._count(state)

    def _measure(self, state: Any) -> int:
        """Choose the rows of the next batch."""
        grid = self._grid
        return int(
            self._library.measure(
                *(ctypes.addressof(state), grid.filled, grid.width, self._limits.batch_rows, self._limits.batch_chars),
                *addresses(grid.kinds, grid.sources, grid.lengths, grid.hidden, grid.holds, self._kept, self._sizes),
            )
        )

    def _count(self, state: Any) -> None:
        _, cells, errors, hidden = state
        self._stats.cells += cells
        self._stats.error_cells += errors
        self._stats.hidden_rows += hidden

    def _batch(self, count: int, window: Window, aside: bytes) -> pa.RecordBatch:
        self._stats.rows += count
        columns = self._rows(count)
        columns += [self._column(number, count, window, aside) for number in range(self._grid.width)]
        columns.append(self._extra(count))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _rows(self, count: int) -> list[Any]:
        """Row numbers, and kinds."""
        grid = self._grid
        numbers, offsets, letters = (pa.allocate_buffer(size) for size in (4 * count, 4 * (count + 1), count * grid.width))
        self._library.fill_rows(
            *(grid.width, grid.filled, count, *addresses(self._kept, grid.kinds, grid.numbers)),
            *(numbers.address, offsets.address, letters.address),
        )
        return [pa.Array.from_buffers(pa.int32(), count, [None, numbers]), pa.StringArray.from_buffers(count, offsets, letters)]

    def _extra(self, count: int) -> Any:
        extras = self._grid.extras
        return pa.array([extras.get(row) for row in self._kept[:count]], pa.string()) if extras else pa.nulls(count, pa.string())

    def _column(self, number: int, count: int, window: Window, aside: bytes) -> Any:
        grid, strings, size = self._grid, self._strings, self._sizes[number]
        valid, offsets, texts = (pa.allocate_buffer(size) for size in ((count + 7) // 8, 4 * (count + 1), size))
        absent = self._library.fill_column(
            *(number, grid.width, grid.filled, count, ctypes.addressof(self._kept)),
            *(window.address, len(window.data), aside, len(aside), grid.scratch_at, len(grid.scratch)),
            *(strings.texts_at, strings.texts_size),
            *addresses(grid.sources, grid.starts, grid.lengths),
            *(valid.address, offsets.address, texts.address, size),
        )
        return pa.StringArray.from_buffers(count, offsets, texts, valid if absent else None, absent)
