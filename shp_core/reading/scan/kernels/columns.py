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
    LENGTH,
    LONGEST,
    NEXT,
    NOTHING,
    SCRATCH,
    SOURCE,
    START,
    WINDOW,
)
from shp_core.reading.scan.kernels.words import copy


def measure(
    state_at: Any, rows: int, width: int, most_rows: int, most_bytes: int,
    kinds_at: Any, places_at: Any, hidden_at: Any, holds_at: Any, kept_at: Any, sizes_at: Any,
) -> int:  # fmt: skip
    """Choose the next rows of the grid that make a batch; count them and the bytes of each column; returns their number."""
    state, kept, sizes = carray(state_at, (4,)), carray(kept_at, (rows,)), carray(sizes_at, (width,))
    kinds, places = carray(kinds_at, (rows * width,)), carray(places_at, (rows * width,))
    hidden, holds = carray(hidden_at, (rows,)), carray(holds_at, (rows,))
    count, total = 0, 0
    sizes[:] = 0
    row = state[NEXT]
    while row < rows and count < most_rows and total < most_bytes:
        if holds[row] == INK:
            total += measure_row(state, row * width, width, kinds, places, sizes)
            state[COUNTED_HIDDEN] += hidden[row]
            kept[count] = row
            count += 1
        row += 1
    state[NEXT] = row
    return count


@inner
def measure_row(state: Any, base: int, width: int, kinds: Any, places: Any, sizes: Any) -> int:
    """Count one row; its bytes, four more for each cell."""
    total, cells, errors = 4 * width, 0, 0
    for column in range(width):
        kind = kinds[base + column]
        cells += kind != ABSENT
        errors += kind == ERROR
        length = (places[base + column] >> LENGTH) & LONGEST
        sizes[column] += length
        total += length
    state[COUNTED_CELLS] += cells
    state[COUNTED_ERRORS] += errors
    return total


def fill_columns(
    width: int, rows: int, count: int, kept_at: Any,
    window_at: Any, window_size: int, aside_at: Any, aside_size: int, scratch_at: Any, scratch_size: int, shared_at: Any, shared_size: int,
    places_at: Any, absent_at: Any,
    valid_at: Any, valid_step: int, offsets_at: Any, offsets_step: int, texts_at: Any, texts_size: int,
) -> int:  # fmt: skip
    """Gather the texts of all columns, one column behind the other; returns the bytes of all texts.

    What belongs to a column begins `valid_step` bytes and `offsets_step` numbers behind that of the one before. How many of
    its cells have no text is noted in `absent`.
    """
    kept, absent, texts = carray(kept_at, (count,)), carray(absent_at, (width,)), carray(texts_at, (texts_size,))
    valid, offsets = carray(valid_at, (width * valid_step,)), carray(offsets_at, (width * offsets_step,))
    sources = (
        carray(window_at, (window_size,)), carray(aside_at, (aside_size,)), carray(scratch_at, (scratch_size,)),
        carray(shared_at, (shared_size,)),
    )  # fmt: skip
    places, at = carray(places_at, (rows * width,)), 0
    valid[:] = 255
    for column in range(width):
        start, first, bits, missing = at, column * offsets_step, column * valid_step, 0
        for k in range(count):
            offsets[first + k] = at - start
            place = places[kept[k] * width + column]
            if place & SOURCE == NOTHING:
                missing += 1
                valid[bits + (k >> 3)] ^= 1 << (k & 7)
            else:
                at = gather(place, sources, texts, at)
        offsets[first + count] = at - start
        absent[column] = missing
    return at


@inner
def gather(place: int, sources: Any, texts: Any, at: int) -> int:
    """Copy a text; the position behind it."""
    source, length, start = place & SOURCE, (place >> LENGTH) & LONGEST, place >> START
    if source == WINDOW:
        copy(sources[0], start, texts, at, length)
    elif source == ASIDE:
        copy(sources[1], start, texts, at, length)
    elif source == SCRATCH:
        copy(sources[2], start, texts, at, length)
    else:
        copy(sources[3], start, texts, at, length)
    return at + length


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
