"""From the grid to Arrow's buffers, a column at a time.

Must not live here: what a cell means (`rows`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import carray, inner
from shp_core.reading.scan.kernels.layout import (
    ABSENT,
    ASIDE,
    COUNTED_CELLS,
    COUNTED_ERRORS,
    COUNTED_HIDDEN,
    ERROR,
    INK,
    NEXT,
    NOTHING,
    SCRATCH,
    WINDOW,
)


def measure(
    state_at: Any, rows: int, width: int, most_rows: int, most_bytes: int,
    kinds_at: Any, sources_at: Any, lengths_at: Any, hidden_at: Any, holds_at: Any, kept_at: Any, sizes_at: Any,
) -> int:  # fmt: skip
    """Choose the next rows of the grid that make a batch; count them and the bytes of each column; returns their number."""
    state, kept, sizes = carray(state_at, (4,)), carray(kept_at, (rows,)), carray(sizes_at, (width,))
    kinds, sources, lengths = carray(kinds_at, (rows * width,)), carray(sources_at, (rows * width,)), carray(lengths_at, (rows * width,))
    hidden, holds = carray(hidden_at, (rows,)), carray(holds_at, (rows,))
    count, total = 0, 0
    sizes[:] = 0
    row = state[NEXT]
    while row < rows and count < most_rows and total < most_bytes:
        if holds[row] == INK:
            total += measure_row(state, row * width, width, kinds, sources, lengths, sizes)
            state[COUNTED_HIDDEN] += hidden[row]
            kept[count] = row
            count += 1
        row += 1
    state[NEXT] = row
    return count


@inner
def measure_row(state: Any, base: int, width: int, kinds: Any, sources: Any, lengths: Any, sizes: Any) -> int:
    """Count one row; its bytes, four more for each cell."""
    total = 4 * width
    for column in range(width):
        cell = base + column
        if kinds[cell] != ABSENT:
            state[COUNTED_CELLS] += 1
            state[COUNTED_ERRORS] += kinds[cell] == ERROR
        if sources[cell] != NOTHING:
            sizes[column] += lengths[cell]
            total += lengths[cell]
    return total


def fill_column(
    column: int, width: int, rows: int, count: int, kept_at: Any,
    window_at: Any, window_size: int, aside_at: Any, aside_size: int, scratch_at: Any, scratch_size: int, shared_at: Any, shared_size: int,
    sources_at: Any, starts_at: Any, lengths_at: Any,
    valid_at: Any, offsets_at: Any, texts_at: Any, texts_size: int,
) -> int:  # fmt: skip
    """Gather a column's texts; returns how many cells have none."""
    kept, offsets, texts = carray(kept_at, (count,)), carray(offsets_at, (count + 1,)), carray(texts_at, (texts_size,))
    window, aside = carray(window_at, (window_size,)), carray(aside_at, (aside_size,))
    scratch, shared = carray(scratch_at, (scratch_size,)), carray(shared_at, (shared_size,))
    sources, starts, lengths = carray(sources_at, (rows * width,)), carray(starts_at, (rows * width,)), carray(lengths_at, (rows * width,))
    valid = carray(valid_at, ((count + 7) // 8,))
    valid[:] = 0
    at, absent = 0, 0
    for k in range(count):
        offsets[k] = at
        cell = kept[k] * width + column
        source = sources[cell]
        if source == NOTHING:
            absent += 1
            continue
        valid[k >> 3] |= 1 << (k & 7)
        start, length = starts[cell], lengths[cell]
        if source == WINDOW:
            copy(window, start, texts, at, length)
        elif source == ASIDE:
            copy(aside, start, texts, at, length)
        elif source == SCRATCH:
            copy(scratch, start, texts, at, length)
        else:
            copy(shared, start, texts, at, length)
        at += length
    offsets[count] = at
    return absent


@inner
def copy(source: Any, start: int, texts: Any, at: int, length: int) -> None:
    """Copy a text."""
    for k in range(length):
        texts[at + k] = source[start + k]


def fill_rows(
    width: int, rows: int, count: int, kept_at: Any, kinds_at: Any, numbers_at: Any,
    row_numbers_at: Any, offsets_at: Any, letters_at: Any,
) -> int:  # fmt: skip
    """Gather row numbers, and the kind letters of each row as one text."""
    kept, kinds, numbers = carray(kept_at, (count,)), carray(kinds_at, (rows * width,)), carray(numbers_at, (rows,))
    row_numbers, offsets, letters = carray(row_numbers_at, (count,)), carray(offsets_at, (count + 1,)), carray(letters_at, (count * width,))
    for k in range(count):
        row = kept[k]
        row_numbers[k] = numbers[row]
        offsets[k] = k * width
        copy(kinds, row * width, letters, k * width, width)
    offsets[count] = count * width
    return count
