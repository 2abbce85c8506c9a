"""Numbers that kernels and their drivers share; importing this does not import numba.

Must not live here: anything but numbers.
"""

FULL, MORE, END, UNKNOWN = 0, 1, 2, 3
"""Why a kernel stopped: its output is full, the window is used up, the element around it ends, it does not know this."""

PAD = 64
"""Zero bytes behind a window: loops stop there."""

POSITION, LAST_ROW, ROWS, LAST_HELD, CELLS, OPEN, SCRATCHED, STATE = range(8)
"""State of `rows.scan_rows`: how far the window is read, number of the last row, rows in the grid, number of the last row
that holds something, cells and rows so far, open cells in the grid, bytes in the scratch; and how many of these there are."""

FOUND, BYTES, CHARACTERS = 1, 2, 3
"""State of `strings.scan_strings`, after `POSITION`: strings so far, their bytes, their characters."""

NEXT, COUNTED_CELLS, COUNTED_ERRORS, COUNTED_HIDDEN = range(4)
"""State of `columns.measure`: the next row of the grid, and what was counted in the rows that were chosen."""

WIDTH, MAX_ROWS, HEADER, ROW_LIMIT, COLUMN_LIMIT, TEXT_CHARS, TOKEN_BYTES, DATED, STRINGS, DATE1904, PREFIXES, FACTS = range(12)
"""Facts: the header's width, rows of the grid, the header's row, limits, lengths of tables, the epoch; and how many."""

NOTHING, WINDOW, ASIDE, SCRATCH, SHARED, SHARED_BLANK = range(6)
"""Where the text of a cell lies: nowhere, in the window, among those that the driver found, in the scratch, among the
shared strings (one that is blank)."""

START, LENGTH, SOURCE, LONGEST = 32, 3, 7, (1 << 29) - 1
"""How the grid says in one number where a text is: where it begins, shifted by `START`; its bytes, at most `LONGEST`, shifted
by `LENGTH`; and where it lies, the bits of `SOURCE`."""

EMPTY, BLANK, UNSURE, INK = range(4)
"""What a row holds: nothing, nothing but blank texts, texts with escapes that may be blank, or more than that."""

NUMBER, STRING, TEXT, INLINE, BOOLEAN, ERROR, ISO = 110, 115, 116, 105, 98, 101, 100
"""A cell's `t`: n, s, str, inlineStr, b, e, d."""

TYPES = {NUMBER: "n", STRING: "s", TEXT: "str", INLINE: "inlineStr", BOOLEAN: "b", ERROR: "e", ISO: "d"}
"""The same as they are spelled."""

ABSENT, FORMULA, DATE = 45, 102, 100
"""Kind letters that are no cell's `t`."""

NAMES = 64
"""Numbers in the array in which a kernel notes the places of names."""
