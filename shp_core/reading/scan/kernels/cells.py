"""Cells: tags, contents, and what they mean (`shp_core.reading.cells` defines it).

Must not live here: rows, and the grid (`rows`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import inner
from shp_core.reading.scan.kernels.layout import (
    ABSENT,
    BLANK,
    BOOLEAN,
    COLUMN_LIMIT,
    DATE,
    DATE1904,
    DATED,
    EMPTY,
    ERROR,
    FORMULA,
    INK,
    INLINE,
    ISO,
    NOTHING,
    NUMBER,
    SCRATCH,
    SHARED,
    SHARED_BLANK,
    STRING,
    STRINGS,
    TEXT,
    TEXT_CHARS,
    TOKEN_BYTES,
    UNSURE,
    WINDOW,
)
from shp_core.reading.scan.kernels.numbers import FIRST_DAY, LAST_1900, LAST_1904, OPEN_NUMBER, ROUNDED, number, write_day
from shp_core.reading.scan.kernels.tags import ATTRIBUTE, BROKEN, CLOSED, blanks_end, new_name, next_attribute, skip_attributes, value_end
from shp_core.reading.scan.kernels.texts import BAD, ENTITIES, ESCAPES, characters, has_ink, text_end, without_entities

_LONGEST_VALUE = 1000


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
            return -1, 0, 0, 0, False
        if name_end - name == 1:
            letter = b[name]
            if letter < 97 or letter > 122 or seen >> (letter - 97) & 1:
                return -1, 0, 0, 0, False
            seen |= 1 << (letter - 97)
            if letter == 114:
                column = column_of(b, value, at, number)
            elif letter == 115:
                style = style_of(b, value, at)
                if style < 0:
                    return -1, 0, 0, 0, False
            elif letter == 116:
                kind = type_of(b, value, at)
        elif not new_name(b, name, name_end, tables[1], tables[4], count):
            return -1, 0, 0, 0, False
        else:
            count += 1
        at += 1
    if found == BROKEN or column <= last or column > facts[COLUMN_LIMIT] or kind == 0 or name - start > facts[TOKEN_BYTES]:
        return -1, 0, 0, 0, False
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
        at = blanks_end(b, at)
        what = b[at + 1]
        if b[at] != 60:
            return -1, 0, 0, 0, False, False
        if what == 118 and not valued:
            at, start, stop, flag = element_text(b, at, 118, facts, tables)
            valued = True
            if at > 0 and inline and stop > start:
                return -1, 0, 0, 0, False, False
            if not inline:
                value, value_stop, flags = start, stop, flag
        elif what == 102 and not formula:
            at, _start, _stop, _flag = element_text(b, at, 102, facts, tables)
            formula = True
        elif what == 105 and b[at + 2] == 115 and not inline:
            if value_stop > value:
                return -1, 0, 0, 0, False, False
            at, value, value_stop, flags = inline_text(b, at, facts, tables)
            inline = True
        elif what == 47 and b[at + 2] == 99 and b[at + 3] == 62:
            return at + 4, value, value_stop, flags, formula, inline
        else:
            return -1, 0, 0, 0, False, False
        if at < 0:
            return at, 0, 0, 0, False, False


@inner
def element_text(b: Any, at: int, letter: int, facts: Any, tables: Any) -> tuple[int, int, int, int]:
    """Read an element of one letter that holds text; the position behind it, its text's place and flags."""
    start = at + 3
    if b[at + 2] != 62:
        found, start = skip_attributes(b, at + 2, tables[1], tables[4])
        if found == BROKEN or start - at > facts[TOKEN_BYTES]:
            return -1, 0, 0, 0
        if found == CLOSED:
            return start, start, start, 0
    stop, flags = text_end(b, start)
    if flags & BAD or b[stop] != 60 or b[stop + 1] != 47 or b[stop + 2] != letter or b[stop + 3] != 62:
        return -1, 0, 0, 0
    if stop - start > facts[TEXT_CHARS] and (flags & ESCAPES or characters(b, start, stop) > facts[TEXT_CHARS]):
        return -1, 0, 0, 0
    return stop + 4, start, stop, flags


@inner
def inline_text(b: Any, at: int, facts: Any, tables: Any) -> tuple[int, int, int, int]:
    """Read `<is><t>text</t></is>`; the position behind it, its text's place and flags."""
    at += 3
    if b[at] != 62:
        return -1, 0, 0, 0
    at = blanks_end(b, at + 1)
    start, stop, flags = at, at, 0
    if b[at] == 60 and b[at + 1] == 116:
        at, start, stop, flags = element_text(b, at, 116, facts, tables)
        if at < 0:
            return at, 0, 0, 0
        at = blanks_end(b, at)
    if b[at] != 60 or b[at + 1] != 47 or b[at + 2] != 105 or b[at + 3] != 115 or b[at + 4] != 62:
        return -1, 0, 0, 0
    return at + 5, start, stop, flags


@inner
def meaning(
    b: Any, kind: int, style: int, value: int, stop: int, flags: int, formula: bool, inline: bool, facts: Any, tables: Any,
    scratch: Any, used: int,
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """What a cell means.

    Returns:
        Its kind letter (0: not understood), where its text lies, the text's start and end there, and the cell's type if
        it is left open.
    """
    if inline and kind != INLINE:
        return 0, 0, 0, 0, 0
    if value == stop and not inline:
        return nothing(kind, value, formula)
    if kind == STRING:
        return shared(b, value, stop, facts, tables)
    if kind == NUMBER:
        return numeric(b, style, value, stop, facts, tables, scratch, used)
    opens = 0 if kind == ERROR else TEXT if kind == INLINE else kind
    letter = STRING if opens == TEXT else kind
    if opens == TEXT and not flags & ESCAPES:
        opens = 0
    if letter != STRING and stop - value > _LONGEST_VALUE:
        return 0, 0, 0, 0, 0
    if flags & ENTITIES:
        return letter, SCRATCH, used, without_entities(b, value, stop, scratch, used), opens
    return letter, WINDOW, value, stop, opens


@inner
def nothing(kind: int, value: int, formula: bool) -> tuple[int, int, int, int, int]:
    """A cell whose value is missing or empty."""
    if value >= 0 and kind in (TEXT, INLINE):
        return STRING, WINDOW, 0, 0, 0
    if kind == ERROR:
        return ERROR, WINDOW, 0, 0, 0
    return (FORMULA if formula else ABSENT), NOTHING, 0, 0, 0


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
    return STRING, SHARED if tables[3][index] else SHARED_BLANK, tables[2][index], tables[2][index + 1], 0


@inner
def numeric(
    b: Any, style: int, at: int, end: int, facts: Any, tables: Any, scratch: Any, used: int
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """A cell of type n: a number, or a day if its style says so."""
    if end - at > _LONGEST_VALUE:
        return 0, 0, 0, 0, 0
    if 0 <= style < facts[DATED] and tables[0][style]:
        serial = whole(b, at, end)
        if FIRST_DAY <= serial <= (LAST_1904 if facts[DATE1904] else LAST_1900):
            return DATE, SCRATCH, used, write_day(scratch, used, serial, facts[DATE1904]), 0
        return DATE, WINDOW, at, end, NUMBER
    how, stop = number(b, at, end, scratch, used)
    if how == ROUNDED:
        return NUMBER, SCRATCH, used, stop, 0
    return NUMBER, WINDOW, at, end, NUMBER if how == OPEN_NUMBER else 0


@inner
def ink_of(b: Any, letter: int, source: int, start: int, end: int, opens: int) -> int:
    """What a cell adds to what its row holds."""
    if letter == ABSENT:
        return EMPTY
    if letter != STRING or source == SHARED:
        return INK
    if source == SHARED_BLANK:
        return BLANK
    if opens:
        return UNSURE
    if source == SCRATCH or (start < end and 32 < b[start] < 128):
        return INK
    return INK if has_ink(b, start, end) else BLANK


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
