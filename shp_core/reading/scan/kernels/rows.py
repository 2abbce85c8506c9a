"""From the bytes of rows to a grid: a kind letter and the place of a text for each cell of the table.

Must not live here: what a cell means (`cells`), and columns as they leave (`columns`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import carray, inner
from shp_core.reading.scan.kernels.cells import cell_content, cell_tag, ink_of, meaning, whole
from shp_core.reading.scan.kernels.layout import (
    ABSENT,
    CELLS,
    DATED,
    EMPTY,
    END,
    FACTS,
    FULL,
    HEADER,
    INK,
    LAST_HELD,
    LAST_ROW,
    LENGTH,
    MAX_ROWS,
    MORE,
    NAMES,
    NOTHING,
    OPEN,
    PAD,
    POSITION,
    PREFIXES,
    ROW_LIMIT,
    ROWS,
    SCRATCH,
    SCRATCHED,
    START,
    STATE,
    STRINGS,
    TEXT_CHARS,
    TOKEN_BYTES,
    UNKNOWN,
    WIDTH,
)
from shp_core.reading.scan.kernels.plain import LONGEST_TAG, plain_cell, spelled_row
from shp_core.reading.scan.kernels.tags import ATTRIBUTE, BROKEN, CLOSED, blanks_end, new_name, next_attribute, value_end

AT_END = -2


def scan_rows(
    window_at: Any, size: int, cut: int, state_at: Any, facts_at: Any,
    dated_at: Any, prefixes_at: Any, string_starts_at: Any, string_ink_at: Any,
    kinds_at: Any, places_at: Any, numbers_at: Any, hidden_at: Any, holds_at: Any,
    open_cells_at: Any, open_types_at: Any, open_styles_at: Any, scratch_at: Any, scratch_size: int, names_at: Any,
) -> int:  # fmt: skip
    """Read rows into the grid, up to one that is not understood; the position is then where that row begins.

    `size` bytes of the window are filled and `PAD` zero bytes follow; rows that begin at `cut` or behind it may not be
    whole. Texts that do not stand in the window as they are go to the scratch, which is as large.
    """
    b, state, facts = carray(window_at, (size + PAD,)), carray(state_at, (STATE,)), carray(facts_at, (FACTS,))
    grid = facts[WIDTH] * facts[MAX_ROWS]
    tables = (
        carray(dated_at, (facts[DATED],)), carray(prefixes_at, (facts[PREFIXES],)), carray(string_starts_at, (facts[STRINGS] + 1,)),
        carray(string_ink_at, (facts[STRINGS],)), carray(names_at, (NAMES,)),
    )  # fmt: skip
    cells = carray(kinds_at, (grid,)), carray(places_at, (grid,))
    opened = carray(open_cells_at, (grid,)), carray(open_types_at, (grid,)), carray(open_styles_at, (grid,))
    rows = carray(numbers_at, (facts[MAX_ROWS],)), carray(hidden_at, (facts[MAX_ROWS],)), carray(holds_at, (facts[MAX_ROWS],))
    scratch = carray(scratch_at, (scratch_size,))
    while True:
        at = blanks_end(b, state[POSITION])
        state[POSITION] = at
        if b[at] == 60 and b[at + 1] == 47 and b[at + 2] == 115:
            return END
        if at >= cut:
            return MORE
        if state[ROWS] == facts[MAX_ROWS]:
            return FULL
        at = scan_row(b, at, state, facts, tables, cells, opened, rows, scratch)
        if at < 0:
            return UNKNOWN
        state[POSITION] = at


@inner
def scan_row(b: Any, at: int, state: Any, facts: Any, tables: Any, grid: Any, opened: Any, rows: Any, scratch: Any) -> int:
    """Read one row; the position behind it, or one below zero if it is not understood. Only whole rows count."""
    if b[at] != 60 or b[at + 1] != 114 or b[at + 2] != 111 or b[at + 3] != 119:
        return -1
    at, number, hides, closed = row_tag(b, at + 4, state[LAST_ROW], facts, tables)
    if at < 0:
        return at
    row, held, cells, count, used = state[ROWS], EMPTY, 0, state[OPEN], state[SCRATCHED]
    if not closed:
        at, held, cells, count, used = row_cells(b, at, number, row, facts, tables, grid, opened, count, scratch, used)
        if at < 0:
            return at
    state[LAST_ROW] = number
    state[CELLS] += cells + 1
    if held != EMPTY and number > facts[HEADER]:
        rows[0][row], rows[1][row], rows[2][row] = number, hides, held
        state[ROWS], state[LAST_HELD], state[OPEN], state[SCRATCHED] = row + 1, number, count, used
    return at


@inner
def row_tag(b: Any, at: int, last: int, facts: Any, tables: Any) -> tuple[int, int, int, bool]:
    """The position behind a row's tag (below zero: not understood), its number, whether it is hidden, whether it ended at once."""
    number, hides, count, start = last + 1, 0, 0, at
    while True:
        found, name, name_end, value = next_attribute(b, at)
        if found != ATTRIBUTE:
            break
        if not new_name(b, name, name_end, tables[1], tables[4], count):
            return -1, 0, 0, False
        count += 1
        at = value_end(b, value)
        if b[at] != 34:
            return -1, 0, 0, False
        if name_end - name == 1 and b[name] == 114:
            number = whole(b, value, at)
        elif name_end - name == 6 and b[name] == 104 and b[name + 1] == 105 and b[name + 5] == 110 and is_hidden(b, name):
            hides = is_true(b, value, at)
        at += 1
    if found == BROKEN or number <= last or number > facts[ROW_LIMIT] or name - start > facts[TOKEN_BYTES]:
        return -1, 0, 0, False
    return name, number, hides, found == CLOSED


@inner
def is_hidden(b: Any, at: int) -> bool:
    """Whether a name of six letters is `hidden`; its first, second and last letters were compared."""
    return bool(b[at + 2] == 100 and b[at + 3] == 100 and b[at + 4] == 101)


@inner
def is_true(b: Any, at: int, end: int) -> int:
    """Whether a value is `1` or `true`."""
    if end - at == 1:
        return 1 if b[at] == 49 else 0
    return 1 if end - at == 4 and b[at] == 116 and b[at + 1] == 114 and b[at + 2] == 117 and b[at + 3] == 101 else 0


@inner
def row_cells(
    b: Any, at: int, number: int, row: int, facts: Any, tables: Any, grid: Any, opened: Any, count: int, scratch: Any, used: int
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """Read cells up to the row's end; the position behind it, what it holds, its cells, the open cells, the scratch's use."""
    width = facts[WIDTH]
    base, column, cells, held, filled = row * width, 0, 0, EMPTY, 0
    kept = number > facts[HEADER]
    spelled, size = spelled_row(number)
    plain = kept and size > 0 and facts[TOKEN_BYTES] >= LONGEST_TAG and facts[TEXT_CHARS] >= LONGEST_TAG
    while True:
        found, after, next_column, letter, source, start, end, opens, style = False, 0, 0, 0, NOTHING, 0, 0, 0, -1
        if plain:
            found, after, next_column, letter, source, start, end = plain_cell(b, at, spelled, size, column, facts, tables, scratch, used)
        if not found:
            after, next_column, letter, source, start, end, opens, style = any_cell(
                b, at, number, column, kept, facts, tables, scratch, used
            )
            if after == AT_END:
                break
            if after < 0:
                return -1, 0, 0, 0, 0
        at, column, cells = after, next_column, cells + 1
        if source == SCRATCH:
            used = end
        if kept and column <= width:
            leave_out(grid, base, filled, column - 1)
            filled, cell = column, base + column - 1
            grid[0][cell], grid[1][cell] = letter, place_of(source, start, end)
            if opens:
                opened[0][count], opened[1][count], opened[2][count] = cell, opens, style
                count += 1
            if held != INK:
                held = max(held, ink_of(b, letter, source, start, end, opens))
    at = blanks_end(b, at)
    if b[at] != 60 or b[at + 1] != 47 or b[at + 2] != 114 or b[at + 3] != 111 or b[at + 4] != 119 or b[at + 5] != 62:
        return -1, 0, 0, 0, 0
    if kept:
        leave_out(grid, base, filled, width)
    return at + 6, held, cells, count, used


@inner
def any_cell(
    b: Any, at: int, number: int, last: int, kept: bool, facts: Any, tables: Any, scratch: Any, used: int
) -> tuple[int, int, int, int, int, int, int, int]:  # fmt: skip
    """Read the next cell of a row.

    Returns:
        The position behind it (`AT_END`: no cell follows; -1: it is not understood), its column, what it means as `meaning`
        says, and its style.
    """
    at = blanks_end(b, at)
    if b[at] != 60 or b[at + 1] != 99:
        return AT_END, 0, 0, 0, 0, 0, 0, 0
    at, column, kind, style, closed = cell_tag(b, at + 2, number, last, facts, tables)
    value, stop, flags, formula, inline = -1, -1, 0, False, False
    if at > 0 and not closed:
        at, value, stop, flags, formula, inline = cell_content(b, at, facts, tables)
    if at < 0:
        return -1, 0, 0, 0, 0, 0, 0, 0
    if not kept:
        return at, column, 0, NOTHING, 0, 0, 0, 0
    letter, source, start, end, opens = meaning(b, kind, style, value, stop, flags, formula, inline, facts, tables, scratch, used)
    if letter == 0 or (column > facts[WIDTH] and letter != ABSENT):
        return -1, 0, 0, 0, 0, 0, 0, 0
    return at, column, letter, source, start, end, opens, style


@inner
def place_of(source: int, start: int, end: int) -> int:
    """Where a text is, in one number (`layout.START`)."""
    return (start << START) | ((end - start) << LENGTH) | source


@inner
def leave_out(grid: Any, base: int, start: int, stop: int) -> None:
    """Note that cells of a row are not there."""
    for cell in range(base + start, base + stop):
        grid[0][cell], grid[1][cell] = ABSENT, NOTHING
