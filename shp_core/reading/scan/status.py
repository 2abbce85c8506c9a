"""Numbers that kernels and their drivers share, spelled here again because importing the kernels imports numba.

A test compares them with the kernels' own.
"""

FULL, MORE, END, UNKNOWN = 0, 1, 2, 3
"""Why a kernel stopped (`kernels.base`)."""

POSITION, LAST_ROW, ROWS, LAST_HELD, CELLS, OPEN = range(6)
"""State of `kernels.rows.scan_rows`."""

ASIDE = 2
"""Where a text lies: beside the window (`kernels.rows`)."""

EMPTY, BLANK, UNSURE, INK = 0, 1, 2, 3
"""What a row holds (`kernels.rows`)."""

TYPES = {110: "n", 115: "s", 116: "str", 105: "inlineStr", 98: "b", 101: "e", 100: "d"}
"""A cell's `t` by its number (`kernels.rows`)."""
