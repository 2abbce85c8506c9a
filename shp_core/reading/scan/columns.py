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

_LINE = 64


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
        self._sizes, self._absent = ((ctypes.c_int64 * grid.width)() for _ in range(2))

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
                *addresses(grid.kinds, grid.texts, grid.hidden, grid.holds, self._kept, self._sizes),
            )
        )

    def _count(self, state: Any) -> None:
        _, cells, errors, hidden = state
        self._stats.cells += cells
        self._stats.error_cells += errors
        self._stats.hidden_rows += hidden

    def _batch(self, count: int, window: Window, aside: bytes) -> pa.RecordBatch:
        self._stats.rows += count
        columns = [*self._rows(count), *self._columns(count, window, aside), self._extra(count)]
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

    def _columns(self, count: int, window: Window, aside: bytes) -> Iterator[Any]:
        """The columns of the table; each is a piece of the same three buffers."""
        grid, strings, sizes = self._grid, self._strings, self._sizes
        valid_step, offsets_step = _whole_lines((count + 7) // 8), _whole_lines(4 * (count + 1))
        steps = (valid_step * grid.width, offsets_step * grid.width, sum(sizes))
        valid, offsets, texts = map(pa.allocate_buffer, steps)
        self._library.fill_columns(
            *(grid.width, grid.filled, count, ctypes.addressof(self._kept)),
            *(window.address, len(window.data), aside, len(aside), grid.scratch_at, len(grid.scratch)),
            *(strings.texts_at, strings.texts_size, *addresses(grid.texts, self._absent)),
            *(valid.address, valid_step, offsets.address, offsets_step // 4, texts.address, texts.size),
        )
        at = 0
        for number, (size, absent) in enumerate(zip(sizes, self._absent, strict=True)):
            parts = offsets.slice(number * offsets_step, offsets_step), texts.slice(at, size)
            known = valid.slice(number * valid_step, valid_step) if absent else None
            yield pa.StringArray.from_buffers(count, *parts, known, absent)
            at += size


def _whole_lines(size: int) -> int:
    """Bytes rounded up to what Arrow aligns its buffers to."""
    return -(-size // _LINE) * _LINE
