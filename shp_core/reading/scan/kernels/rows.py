"""From the bytes of rows to a grid: a kind letter and the place of a text for each cell of the table.

Must not live here: columns as they leave (`columns`), and what is left open (`shp_core.reading.scan.open_cells`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import END, FULL, MARKUP, MORE, PAD, SPACE, UNKNOWN, carray, inner
from shp_core.reading.scan.kernels.numbers import (
    FIRST_DAY,
    LAST_1900,
    LAST_1904,
    OPEN_NUMBER,
    number,
    write_day,
)
from shp_core.reading.scan.kernels.tags import ATTRIBUTE, BROKEN, CLOSED, new_name, next_attribute, skip_attributes, value_end
from shp_core.reading.scan.kernels.texts import BAD, ENTITIES, ESCAPES, characters, has_ink, text_end, undo_entities

POSITION, LAST_ROW, ROWS, LAST_HELD, CELLS, OPEN = range(6)
"""State: how far the window is read, number of the last row, rows in the grid, number of the last row that holds
something, cells and rows so far, open cells in the grid."""

WIDTH, MAX_ROWS, HEADER, ROW_LIMIT, COLUMN_LIMIT, TEXT_CHARS, TOKEN_BYTES, DATED, STRINGS, DATE1904, PREFIXES = range(11)
"""Facts: the header's width, rows of the grid, the header's row, limits, lengths of tables, the epoch."""

NOTHING, WINDOW, ASIDE, SHARED, SHARED_BLANK = 0, 1, 2, 3, 4
"""Where the text of a cell lies: nowhere, in the window, beside it, among the shared strings (one that is blank)."""

EMPTY, BLANK, UNSURE, INK = 0, 1, 2, 3
"""What a row holds: nothing, nothing but blank texts, texts with escapes that may be blank, or more than that."""

NUMBER, STRING, TEXT, INLINE, BOOLEAN, ERROR, ISO = 110, 115, 116, 105, 98, 101, 100
"""A cell's `t`: n, s, str, inlineStr, b, e, d."""

ABSENT, _FORMULA, _DATE = 45, 102, 100
_LONGEST_VALUE = 1000


def scan_rows(
    window_at: Any, size: int, cut: int, state_at: Any, facts_at: Any,
    dated_at: Any, prefixes_at: Any, string_starts_at: Any, string_ink_at: Any,
    kinds_at: Any, sources_at: Any, starts_at: Any, lengths_at: Any, numbers_at: Any, hidden_at: Any, holds_at: Any,
    open_cells_at: Any, open_types_at: Any, open_styles_at: Any, names_at: Any,
) -> int:  # fmt: skip
    """Read rows into the grid.

    The window is scratch: texts are written over the markup they come from, so no row may be read twice. `size` bytes
    of it are filled and `PAD` zero bytes follow; rows that begin at `cut` or behind it may not be whole.
    """
    b, state, facts = carray(window_at, (size + PAD,)), carray(state_at, (6,)), carray(facts_at, (11,))
    grid = facts[WIDTH] * facts[MAX_ROWS]
    tables = (
        carray(dated_at, (facts[DATED],)), carray(prefixes_at, (facts[PREFIXES],)), carray(string_starts_at, (facts[STRINGS] + 1,)),
        carray(string_ink_at, (facts[STRINGS],)), carray(names_at, (64,)),
    )  # fmt: skip
    kinds, sources = carray(kinds_at, (grid,)), carray(sources_at, (grid,))
    starts, lengths = carray(starts_at, (grid,)), carray(lengths_at, (grid,))
    opened = carray(open_cells_at, (grid,)), carray(open_types_at, (grid,)), carray(open_styles_at, (grid,))
    numbers, hidden, holds = (
        carray(numbers_at, (facts[MAX_ROWS],)),
        carray(hidden_at, (facts[MAX_ROWS],)),
        carray(holds_at, (facts[MAX_ROWS],)),
    )
    while True:
        at = state[POSITION]
        while MARKUP[b[at]] & SPACE:
            at += 1
        state[POSITION] = at
        if b[at] == 60 and b[at + 1] == 47 and b[at + 2] == 115:
            return END
        if at >= cut:
            return MORE
        if state[ROWS] == facts[MAX_ROWS]:
            return FULL
        row = state[ROWS]
        at = scan_row(b, at, state, facts, tables, row, (kinds, sources, starts, lengths), opened, numbers, hidden, holds)
        if at < 0:
            state[POSITION] = -at
            return UNKNOWN
        state[POSITION] = at


@inner
def scan_row(
    b: Any, at: int, state: Any, facts: Any, tables: Any, row: int, grid: Any, opened: Any, numbers: Any, hidden: Any, holds: Any
) -> int:
    """Read one row; the position behind it, or minus the position of what is not understood. Only whole rows count."""
    if b[at] != 60 or b[at + 1] != 114 or b[at + 2] != 111 or b[at + 3] != 119:
        return -at - 1
    at, number, hides, closed = row_tag(b, at + 4, state[LAST_ROW], facts, tables)
    if at < 0:
        return at
    held, cells, count = EMPTY, 0, state[OPEN]
    if not closed:
        at, held, cells, count = row_cells(b, at, number, row, facts, tables, grid, opened, count)
        if at < 0:
            return at
    state[LAST_ROW] = number
    state[CELLS] += cells + 1
    if held != EMPTY and number > facts[HEADER]:
        numbers[row], hidden[row], holds[row] = number, hides, held
        state[ROWS] = row + 1
        state[LAST_HELD] = number
        state[OPEN] = count
    return at


@inner
def row_tag(b: Any, at: int, last: int, facts: Any, tables: Any) -> tuple[int, int, int, bool]:
    """The position behind a row's tag, its number, whether it is hidden, whether it ended at once."""
    number, hides, count, start = last + 1, 0, 0, at
    while True:
        found, name, name_end, value = next_attribute(b, at)
        if found != ATTRIBUTE:
            break
        if not new_name(b, name, name_end, tables[1], tables[4], count):
            return -name, 0, 0, False
        count += 1
        at = value_end(b, value)
        if b[at] != 34:
            return -at, 0, 0, False
        if name_end - name == 1 and b[name] == 114:
            number = whole(b, value, at)
        elif name_end - name == 6 and b[name] == 104 and b[name + 1] == 105 and b[name + 5] == 110 and is_hidden(b, name):
            hides = is_true(b, value, at)
        at += 1
    if found == BROKEN or number <= last or number > facts[ROW_LIMIT] or name - start > facts[TOKEN_BYTES]:
        return -name, 0, 0, False
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
def whole(b: Any, at: int, end: int) -> int:
    """A number above zero without leading zeros, or -1."""
    if at == end or end - at > 9 or b[at] == 48:
        return -1
    value = 0
    while at < end:
        if not 48 <= b[at] <= 57:
            return -1
        value = value * 10 + (b[at] - 48)
        at += 1
    return value


@inner
def row_cells(
    b: Any, at: int, number: int, row: int, facts: Any, tables: Any, grid: Any, opened: Any, count: int
) -> tuple[int, int, int, int]:
    """Read cells up to the row's end; the position behind it, what the row holds, its cells, the open cells."""
    width = facts[WIDTH]
    base, column, cells, held, filled = row * width, 0, 0, EMPTY, 0
    kept = number > facts[HEADER]
    while True:
        while MARKUP[b[at]] & SPACE:
            at += 1
        if b[at] != 60:
            return -at, 0, 0, 0
        if b[at + 1] != 99:
            break
        at, column, kind, style, closed = cell_tag(b, at + 2, number, column, facts, tables)
        if at < 0:
            return at, 0, 0, 0
        cells += 1
        value, value_stop, flags, formula, inline = -1, -1, 0, False, False
        if not closed:
            at, value, value_stop, flags, formula, inline = cell_content(b, at, facts, tables)
            if at < 0:
                return at, 0, 0, 0
        if kept:
            letter, source, start, length, opens = meaning(b, kind, style, value, value_stop, flags, formula, inline, facts, tables)
            if letter == 0 or (column > width and letter != ABSENT):
                return -at, 0, 0, 0
            if column <= width:
                cell = base + column - 1
                while filled < column - 1:
                    grid[0][base + filled], grid[1][base + filled] = ABSENT, NOTHING
                    filled += 1
                filled = column
                grid[0][cell], grid[1][cell], grid[2][cell], grid[3][cell] = letter, source, start, length
                if opens:
                    opened[0][count], opened[1][count], opened[2][count] = cell, opens, style
                    count += 1
                if held != INK:
                    held = max(held, ink_of(b, letter, source, start, length, opens))
    if b[at + 1] != 47 or b[at + 2] != 114 or b[at + 3] != 111 or b[at + 4] != 119 or b[at + 5] != 62:
        return -at, 0, 0, 0
    while kept and filled < width:
        grid[0][base + filled], grid[1][base + filled] = ABSENT, NOTHING
        filled += 1
    return at + 6, held, cells, count


@inner
def cell_tag(b: Any, at: int, number: int, last: int, facts: Any, tables: Any) -> tuple[int, int, int, int, bool]:
    """The position behind a cell's tag, its column, its type, its style, whether it ended at once."""
    column, kind, style, count, seen, start = last + 1, NUMBER, -1, 0, 0, at
    while True:
        if b[at] == 32 and b[at + 2] == 61 and b[at + 3] == 34:  # nearly all of them
            found, name, name_end, value = ATTRIBUTE, at + 1, at + 2, at + 4
        else:
            found, name, name_end, value = next_attribute(b, at)
            if found != ATTRIBUTE:
                break
        at = value_end(b, value)
        if b[at] != 34:
            return -at, 0, 0, 0, False
        if name_end - name == 1:
            letter = b[name]
            if letter < 97 or letter > 122 or seen >> (letter - 97) & 1:
                return -at, 0, 0, 0, False
            seen |= 1 << (letter - 97)
            if letter == 114:
                column = column_of(b, value, at, number)
            elif letter == 115:
                style = style_of(b, value, at)
                if style < 0:
                    return -at, 0, 0, 0, False
            elif letter == 116:
                kind = type_of(b, value, at)
        elif not new_name(b, name, name_end, tables[1], tables[4], count):
            return -name, 0, 0, 0, False
        else:
            count += 1
        at += 1
    if found == BROKEN or column <= last or column > facts[COLUMN_LIMIT] or kind == 0 or name - start > facts[TOKEN_BYTES]:
        return -name, 0, 0, 0, False
    return name, column, kind, style, found == CLOSED


@inner
def column_of(b: Any, at: int, end: int, number: int) -> int:
    """The column of an address in this row, or -1."""
    column = 0
    while at < end and 65 <= b[at] <= 90 and column < 20000:
        column = column * 26 + (b[at] - 64)
        at += 1
    return column if whole(b, at, end) == number else -1


@inner
def style_of(b: Any, at: int, end: int) -> int:
    """A style's number, or -1."""
    return 0 if end - at == 1 and b[at] == 48 else whole(b, at, end)


@inner
def type_of(b: Any, at: int, end: int) -> int:
    """A cell's type, 0 for an unknown one."""
    length, first = end - at, b[at]
    if length == 1:
        return first if first in (NUMBER, STRING, BOOLEAN, ERROR, ISO) else 0
    if length == 3 and first == 115 and b[at + 1] == 116 and b[at + 2] == 114:
        return TEXT
    inline = length == 9 and first == 105 and b[at + 1] == 110 and b[at + 2] == 108 and b[at + 3] == 105 and b[at + 4] == 110
    return INLINE if inline and b[at + 5] == 101 and b[at + 6] == 83 and b[at + 7] == 116 and b[at + 8] == 114 else 0


@inner
def cell_content(b: Any, at: int, facts: Any, tables: Any) -> tuple[int, int, int, int, bool, bool]:
    """Read up to the cell's end; position behind it, its value's place and flags, whether it has a formula, is inline."""
    value, value_stop, flags, formula, inline, valued = -1, -1, 0, False, False, False
    while True:
        while MARKUP[b[at]] & SPACE:
            at += 1
        what = b[at + 1]
        if b[at] != 60:
            return -at, 0, 0, 0, False, False
        if what == 118 and not valued:
            at, start, stop, flag = element_text(b, at, 118, facts, tables)
            valued = True
            if at > 0 and inline and stop > start:
                return -at, 0, 0, 0, False, False
            if not inline:
                value, value_stop, flags = start, stop, flag
        elif what == 102 and not formula:
            at, _start, _stop, _flag = element_text(b, at, 102, facts, tables)
            formula = True
        elif what == 105 and b[at + 2] == 115 and not inline:
            if value_stop > value:
                return -at, 0, 0, 0, False, False
            at, value, value_stop, flags = inline_text(b, at, facts, tables)
            inline = True
        elif what == 47 and b[at + 2] == 99 and b[at + 3] == 62:
            return at + 4, value, value_stop, flags, formula, inline
        else:
            return -at, 0, 0, 0, False, False
        if at < 0:
            return at, 0, 0, 0, False, False


@inner
def element_text(b: Any, at: int, letter: int, facts: Any, tables: Any) -> tuple[int, int, int, int]:
    """Read an element of one letter that holds text; the position behind it, its text's place and flags."""
    start = at + 3
    if b[at + 2] != 62:
        found, start = skip_attributes(b, at + 2, tables[1], tables[4])
        if found == BROKEN or start - at > facts[TOKEN_BYTES]:
            return -start, 0, 0, 0
        if found == CLOSED:
            return start, start, start, 0
    stop, flags = text_end(b, start)
    if flags & BAD or b[stop] != 60 or b[stop + 1] != 47 or b[stop + 2] != letter or b[stop + 3] != 62:
        return -stop, 0, 0, 0
    if stop - start > facts[TEXT_CHARS] and (flags & ESCAPES or characters(b, start, stop) > facts[TEXT_CHARS]):
        return -stop, 0, 0, 0
    return stop + 4, start, stop, flags


@inner
def inline_text(b: Any, at: int, facts: Any, tables: Any) -> tuple[int, int, int, int]:
    """Read `<is><t>text</t></is>`; the position behind it, its text's place and flags."""
    at += 3
    if b[at] != 62:
        return -at, 0, 0, 0
    at += 1
    while MARKUP[b[at]] & SPACE:
        at += 1
    start, stop, flags = at, at, 0
    if b[at] == 60 and b[at + 1] == 116:
        at, start, stop, flags = element_text(b, at, 116, facts, tables)
        if at < 0:
            return at, 0, 0, 0
        while MARKUP[b[at]] & SPACE:
            at += 1
    if b[at] != 60 or b[at + 1] != 47 or b[at + 2] != 105 or b[at + 3] != 115 or b[at + 4] != 62:
        return -at, 0, 0, 0
    return at + 5, start, stop, flags


@inner
def meaning(
    b: Any, kind: int, style: int, value: int, stop: int, flags: int, formula: bool, inline: bool, facts: Any, tables: Any
) -> tuple[int, int, int, int, int]:
    """What a cell means (`shp_core.reading.cells`).

    Returns:
        Its kind letter (0: not understood), where its text lies, the text's start and length, and its type if it is
        left open.
    """
    if inline and kind != INLINE:
        return 0, 0, 0, 0, 0
    if value == stop and not inline:
        return nothing(kind, value, formula)
    if flags & ENTITIES:
        stop = undo_entities(b, value, stop)
    if kind == STRING:
        return shared(b, value, stop, facts, tables)
    if kind in (TEXT, INLINE):
        return STRING, WINDOW, value, stop - value, TEXT if flags & ESCAPES else 0
    if stop - value > _LONGEST_VALUE:
        return 0, 0, 0, 0, 0
    if kind == ERROR:
        return ERROR, WINDOW, value, stop - value, 0
    if kind == NUMBER:
        return numeric(b, style, value, stop, facts, tables)
    return kind, WINDOW, value, stop - value, kind


@inner
def nothing(kind: int, value: int, formula: bool) -> tuple[int, int, int, int, int]:
    """A cell whose value is missing or empty."""
    if value >= 0 and kind in (TEXT, INLINE):
        return STRING, WINDOW, 0, 0, 0
    if kind == ERROR:
        return ERROR, WINDOW, 0, 0, 0
    return (_FORMULA if formula else ABSENT), NOTHING, 0, 0, 0


@inner
def shared(b: Any, at: int, end: int, facts: Any, tables: Any) -> tuple[int, int, int, int, int]:
    """A cell that names a shared string."""
    index = 0
    if end - at > 9:
        return 0, 0, 0, 0, 0
    while at < end:
        if not 48 <= b[at] <= 57:
            return 0, 0, 0, 0, 0
        index = index * 10 + (b[at] - 48)
        at += 1
    if index >= facts[STRINGS]:
        return 0, 0, 0, 0, 0
    start = tables[2][index]
    return STRING, SHARED if tables[3][index] else SHARED_BLANK, start, tables[2][index + 1] - start, 0


@inner
def numeric(b: Any, style: int, at: int, end: int, facts: Any, tables: Any) -> tuple[int, int, int, int, int]:
    """A cell of type n: a number, or a day if its style says so."""
    if 0 <= style < facts[DATED] and tables[0][style]:
        serial = whole(b, at, end)
        if FIRST_DAY <= serial <= (LAST_1904 if facts[DATE1904] else LAST_1900):
            return _DATE, WINDOW, at, write_day(b, at, serial, facts[DATE1904]) - at, 0
        return _DATE, WINDOW, at, end - at, NUMBER
    how, stop = number(b, at, end)
    return NUMBER, WINDOW, at, stop - at, NUMBER if how == OPEN_NUMBER else 0


@inner
def ink_of(b: Any, letter: int, source: int, start: int, length: int, opens: int) -> int:
    """What a cell adds to what its row holds."""
    if letter == ABSENT:
        return EMPTY
    if letter != STRING:
        return INK
    if source >= SHARED:
        return INK if source == SHARED else BLANK
    if length and 32 < b[start] < 128 and b[start] != 95:
        return INK
    if opens:
        return UNSURE
    return INK if has_ink(b, start, start + length) else BLANK
