"""Cells as nearly all are: an address, a style, a type, and digits as the value. No other is understood here.

What is read here is what `cells` reads of the same bytes, in steps of eight bytes; a test holds the two together. Must not live
here: anything that `cells` does not know, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shp_core.reading.scan.kernels.base import inner, integer
from shp_core.reading.scan.kernels.layout import (
    DATE,
    DATE1904,
    DATED,
    INLINE,
    NUMBER,
    SCRATCH,
    SHARED,
    SHARED_BLANK,
    STRING,
    STRINGS,
    TEXT_CHARS,
    WIDTH,
    WINDOW,
)
from shp_core.reading.scan.kernels.numbers import (
    AS_SPELLED,
    FIRST_DAY,
    LAST_1900,
    LAST_1904,
    OPEN_NUMBER,
    POWERS,
    ROUNDED,
    rounded,
    width_of,
    write_day,
    write_decimal,
)
from shp_core.reading.scan.kernels.texts import text_end
from shp_core.reading.scan.kernels.words import as_word, digits_in, eight, lowest, value_of

_CELL, _STYLE, _TAG_END = as_word(b'<c r="'), as_word(b' s="'), as_word(b">")
_SHARED_TYPE, _NUMBER_TYPE = as_word(b' t="s">'), as_word(b' t="n">')
_INLINE_TYPE, _INLINE_TYPE_END = as_word(b' t="inli'), as_word(b'ineStr">')
_VALUE, _END = as_word(b"<v>"), as_word(b"</v></c>")
_INLINE_START, _INLINE_END, _CELL_END = as_word(b"<is><t>"), as_word(b"</t></is"), as_word(b"></c>")
_LETTER, _NEXT_LETTER, _BYTE = np.uint64(48), np.uint64(56), np.uint64(255)
_EXACT, _MOST = 15, 17
_LONGEST_ROW = 9_999_999

LONGEST_TAG = 64
"""No tag that is understood here is longer; nor is a value."""


@inner
def spelled_row(number: int) -> tuple[Any, int]:
    """The number of a row and a quote behind it, as they stand in the addresses of its cells; bytes, 0 if they are too many."""
    if number > _LONGEST_ROW:
        return np.uint64(0), 0
    word, count = np.uint64(34), 1
    while number > 0:
        word = (word << np.uint64(8)) | np.uint64(48 + number % 10)
        number //= 10
        count += 1
    return word, count


@inner
def plain_tag(b: Any, at: int, spelled: Any, count: int) -> tuple[int, int, int, int]:
    """The position behind a cell's tag (below zero: not understood), its column, its type and its style."""
    word = eight(b, at)
    column, second = integer((word >> _LETTER) & _BYTE) - 64, integer(word >> _NEXT_LETTER) - 64
    if lowest(word, 6) != _CELL or column < 1 or column > 26:
        return -1, 0, 0, 0
    at += 7
    if 1 <= second <= 26:
        column = column * 26 + second
        at += 1
    if lowest(eight(b, at), count) != spelled:
        return -1, 0, 0, 0
    at += count
    style, word = -1, eight(b, at)
    if lowest(word, 4) == _STYLE:
        at, style = plain_style(b, at + 4)
        word = eight(b, at)
    at, kind = plain_type(b, at, word)
    return at, column, kind, style


@inner
def plain_style(b: Any, at: int) -> tuple[int, int]:
    """The position behind a style and the quote that ends it (below zero: not understood), and the style."""
    word = eight(b, at)
    count = digits_in(word)
    if count == 0 or count > 7 or b[at + count] != 34 or (count > 1 and b[at] == 48):
        return -1, 0
    return at + count + 1, value_of(word, count)


@inner
def plain_type(b: Any, at: int, word: Any) -> tuple[int, int]:
    """The position behind the tag's end (below zero: not understood), and the cell's type."""
    if word & _BYTE == _TAG_END:
        return at + 1, NUMBER
    if lowest(word, 7) == _SHARED_TYPE:
        return at + 7, STRING
    if lowest(word, 7) == _NUMBER_TYPE:
        return at + 7, NUMBER
    if word == _INLINE_TYPE and eight(b, at + 7) == _INLINE_TYPE_END:
        return at + 15, INLINE
    return -1, 0


@inner
def plain_cell(
    b: Any, at: int, spelled: Any, size: int, last: int, facts: Any, tables: Any, scratch: Any, used: int
) -> tuple[bool, int, int, int, int, int, int]:  # fmt: skip
    """Read a cell of the table: whether it is understood, the position behind it, its column, and its meaning as in `cells`."""
    at, column, kind, style = plain_tag(b, at, spelled, size)
    if at < 0 or column <= last or column > facts[WIDTH]:
        return False, 0, 0, 0, 0, 0, 0
    after, letter, source, start, end = plain_content(b, at, kind, style, facts, tables, scratch, used)
    return after > 0, after, column, letter, source, start, end


@inner
def plain_content(
    b: Any, at: int, kind: int, style: int, facts: Any, tables: Any, scratch: Any, used: int
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """What follows a cell's tag: the position behind the cell (not above zero: not understood), and its meaning."""
    if kind == STRING:
        after, index = plain_index(b, at)
        if after < 0 or index >= facts[STRINGS]:
            return -1, 0, 0, 0, 0
        return after, STRING, SHARED if tables[3][index] else SHARED_BLANK, tables[2][index], tables[2][index + 1]
    if kind == INLINE:
        after, start, end = plain_text(b, at, facts[TEXT_CHARS])
        return after, STRING, WINDOW, start, end
    if 0 <= style < facts[DATED] and tables[0][style]:
        return plain_day(b, at, facts, scratch, used)
    after, how, end, written = plain_number(b, at, scratch, used)
    return (after, NUMBER, SCRATCH, used, written) if how == ROUNDED else (after, NUMBER, WINDOW, at + 3, end)


@inner
def plain_text(b: Any, at: int, most: int) -> tuple[int, int, int]:
    """An inline text as a cell's content: the position behind the cell, the text's start and its end."""
    start = at + 7
    if lowest(eight(b, at), 7) != _INLINE_START:
        return -1, 0, 0
    stop, flags = text_end(b, start)
    closed = eight(b, stop) == _INLINE_END and lowest(eight(b, stop + 8), 5) == _CELL_END
    if flags or stop == start or stop - start > most or not closed:
        return -1, 0, 0
    return stop + 13, start, stop


@inner
def plain_day(b: Any, at: int, facts: Any, scratch: Any, used: int) -> tuple[int, int, int, int, int]:
    """A whole serial number that is shown as a day; as `plain_content`."""
    after, serial = plain_index(b, at)
    last = LAST_1904 if facts[DATE1904] else LAST_1900
    if after < 0 or serial < FIRST_DAY or serial > last or b[at + 3] == 48:
        return -1, 0, 0, 0, 0
    return after, DATE, SCRATCH, used, write_day(scratch, used, serial, facts[DATE1904])


@inner
def plain_index(b: Any, at: int) -> tuple[int, int]:
    """A whole number as a cell's content; the position behind the cell (below zero: not understood), and the number."""
    if lowest(eight(b, at), 3) != _VALUE:
        return -1, 0
    word = eight(b, at + 3)
    count = digits_in(word)
    at += 3 + count
    if count == 0 or eight(b, at) != _END:
        return -1, 0
    return at + 8, value_of(word, count)


@inner
def plain_number(b: Any, at: int, to: Any, place: int) -> tuple[int, int, int, int]:
    """A number as a cell's content; `to` and `place` are those of `numbers.number`.

    Returns:
        The position behind the cell (below zero: not understood), how its text was found, where the text ends in the
        window, and where it ends in `to` if it was written there.
    """
    if lowest(eight(b, at), 3) != _VALUE:
        return -1, 0, 0, 0
    at += 3
    minus = b[at] == 45
    first = at + 1 if minus else at
    whole, count = run(b, first)
    point = first + count
    if count == 0 or (count > 1 and b[first] == 48):
        return -1, 0, 0, 0
    if eight(b, point) == _END:
        return (-1 if minus and whole == 0 else point + 8), AS_SPELLED, point, 0
    fraction, places = run(b, point + 1)
    end = point + 1 + places
    if b[point] != 46 or places == 0 or b[end - 1] == 48 or eight(b, end) != _END:
        return -1, 0, 0, 0
    significant = count + places if whole else width_of(fraction)
    if significant <= _EXACT:
        return end + 8, AS_SPELLED, end, 0
    if significant > _MOST:
        return -1, 0, 0, 0
    how, kept, kept_places = rounded(whole * POWERS[places] + fraction, significant - _EXACT, places)
    if how != ROUNDED:
        return (-1 if how == OPEN_NUMBER else end + 8), how, end, 0
    if minus:
        to[place] = 45
        place += 1
    return end + 8, ROUNDED, end, write_decimal(to, place, kept, kept_places)


@inner
def run(b: Any, at: int) -> tuple[int, int]:
    """The number that up to eighteen digits spell, and how many there are; of more, only the first ones."""
    value, count, more = 0, 0, 8
    while more == 8 and count <= 16:
        word = eight(b, at + count)
        more = digits_in(word)
        if more == 0 or count + more > 18:
            break
        value = value * POWERS[more] + value_of(word, more)
        count += more
    return value, count
