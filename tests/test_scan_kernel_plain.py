"""The kernels' short way through ordinary cells: what it understands, the long way reads no otherwise."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.reading.numbers import number_text
from tests.support.plain_kernels import Numbers, Room, padded, plain
from tests.test_scan_kernels import spelled_number

cells, cell_by_cell, layout, numbers, texts, words = map(plain, ("plain", "cells", "layout", "numbers", "texts", "words"))
WIDTH, STRINGS, ROW = 30, 5, 17
DATED = [0, 1, 0]

COLUMNS = st.one_of(st.integers(1, 3), st.integers(24, 29)).map(lambda column: ("" if column < 27 else "A") + chr(65 + (column - 1) % 26))
ADDRESSES = st.one_of(
    COLUMNS.map(lambda column: f' r="{column}{ROW}"'), st.sampled_from(["", ' r="A1"', ' r="A0017"', ' r="ABC17"', ' r="a17"', ' r="A170"'])
)
STYLES = st.sampled_from(["", "", ' s="1"', ' s="0"', ' s="2"', ' s="01"', ' s="12345678"', ' s=""', " s='1'", ' x="1"'])
TYPES = st.sampled_from(["", "", ' t="s"', ' t="n"', ' t="inlineStr"', ' t="str"', ' t="x"', ' t="ss"', " t='s'", ' t="inlineStX"'])
SPELLED = st.one_of(
    st.sampled_from(["", "0", "-0", "-7", "007", "4", "5", "00004", "-", "1.", ".5", "1.50", "1e5", " 1", "1 ", "12345678", "123456789"]),
    st.sampled_from(["60", "61", "2958465", "2958466", "2957003", "061", "1234567890123456", "12345678901234567", "0.1", "0.10"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e7, 1e7).map(lambda value: f"{value:.17g}"),
    st.tuples(st.integers(0, 10**17), st.integers(0, 10**17)).map(lambda pair: f"{pair[0]}.{pair[1]}"),
)
CONTENTS = st.one_of(
    SPELLED.map(lambda value: f"<v>{value}</v>"),
    st.text("ab _x0041_<&>\n\u00e4\u20ac", max_size=20).map(lambda text: f"<is><t>{escape(text)}</t></is>"),
    st.sampled_from(["<v/>", "", "<v>1</v><v>1</v>", "<f>A1</f><v>1</v>", "<is><t/></is>", "<is><r><t>a</t></r></is>", "<V>1</v>"]),
)
ENDS = st.sampled_from([">", ">", ">", ">", " >", "/>"])
AFTER = st.sampled_from(["</c>", "</c>", "</c>", "</d>", " </c>", ""])


def facts() -> list[int]:
    """What the kernels are told of the table."""
    told = [0] * layout.FACTS
    told[layout.WIDTH], told[layout.COLUMN_LIMIT], told[layout.TEXT_CHARS] = WIDTH, 16_384, 100
    told[layout.TOKEN_BYTES], told[layout.STRINGS], told[layout.DATED] = 1 << 20, STRINGS, len(DATED)
    return told


def tables() -> tuple[Any, ...]:
    """Dated styles, prefixes, where the shared strings begin, which of them are blank, and room for names."""
    return DATED, Room(), [0, 2, 4, 4, 9, 12], [1, 1, 0, 1, 1], Numbers([0] * layout.NAMES)


@given(ADDRESSES, STYLES, TYPES, ENDS, CONTENTS, AFTER, st.integers(0, 27))
@settings(max_examples=800)
def test_the_short_way_says_what_the_long_one_says(
    address: str, style: str, kind: str, end: str, content: str, after: str, last: int
) -> None:  # fmt: skip
    """A cell would mean something else because a program writes its tag as most programs do."""
    markup = padded(f"<c{address}{style}{kind}{end}{content}{after}</row>")
    scratch, other = Room(500), Room(500)
    found = cells.plain_cell(markup, 0, *cells.spelled_row(ROW), last, facts(), tables(), scratch, 3)
    if found[0]:
        at, column, *meant = _the_long_way(markup, last, other)
        assert (at, column, *meant) == found[1:]
        assert scratch == other


def _the_long_way(markup: Any, last: int, scratch: Room) -> tuple[int, ...]:
    """Position behind the cell, its column and its meaning; whatever stays open there the reference says."""
    at, column, kind, style, closed = cell_by_cell.cell_tag(markup, 2, ROW, last, facts(), tables())
    assert at > 0
    assert not closed
    at, *content = cell_by_cell.cell_content(markup, at, facts(), tables())
    assert at > 0
    *meant, opens = cell_by_cell.meaning(markup, kind, style, *content, facts(), tables(), scratch, 3)
    assert not opens
    return at, column, *meant


@pytest.mark.parametrize(
    "markup",
    [
        '<c r="A17"><v>12</v></c>',
        '<c r="A17"><v>0</v></c>',
        '<c r="AB17" t="s"><v>3</v></c>',
        '<c r="B17" s="1"><v>44000</v></c>',
        '<c r="B17" s="2" t="n"><v>1.5</v></c>',
        '<c r="C17" t="inlineStr"><is><t>plain words, many of them</t></is></c>',
        '<c r="C17"><v>-8625.389999999999</v></c>',
        '<c r="C17" s="12"><v>0.30000000000000004</v></c>',
        '<c r="C17"><v>90953.28000000003</v></c>',
    ],
)
def test_ordinary_cells_go_the_short_way(markup: str) -> None:
    """Nobody would notice that all cells go the long way, which takes twice as long."""
    found = cells.plain_cell(padded(markup), 0, *cells.spelled_row(ROW), 0, facts(), tables(), Room(500), 3)
    assert found[:2] == (True, len(markup))


@given(SPELLED)
@settings(max_examples=800)
def test_a_number_is_what_the_reference_says_or_left_to_it(text: str) -> None:
    """A price would depend on how its cell is spelled."""
    out = Room(400)
    after, how, end, written = cells.plain_number(padded(f"<v>{text}</v></c>"), 0, out, 5)
    if after > 0:
        assert after == len(text) + 11
        found = out[5:written].decode() if how == numbers.ROUNDED else text
        assert found == number_text(text) == spelled_number(text)
        assert end == len(text) + 3


@given(st.integers(1, 9_999_999))
def test_the_row_of_an_address(number: int) -> None:
    """A cell of another row would be taken for one of this row."""
    word, size = cells.spelled_row(number)
    assert int(word).to_bytes(8, "little")[:size] == f'{number}"'.encode()


def test_a_row_beyond_all_formats_has_no_short_way() -> None:
    """Its number would be cut to seven digits."""
    assert cells.spelled_row(10_000_000)[1] == 0


@given(st.text("0123456789:/x", max_size=9), st.integers(0, 3))
def test_digits_are_counted_and_read(text: str, at: int) -> None:
    """A number would lose its last digits, or swallow what follows."""
    word = words.eight(padded("x" * at + text), at)
    digits = text[:8][: len(text[:8]) - len(text[:8].lstrip("0123456789"))]
    assert words.digits_in(word) == len(digits)
    if digits:
        assert words.value_of(word, len(digits)) == int(digits)


@given(st.binary(min_size=8, max_size=8))
@settings(max_examples=500)
def test_ordinary_bytes_end_at_the_first_other_one(data: bytes) -> None:
    """An entity, an escape or a tag's end inside a long text would be overlooked."""
    other = [place for place, byte in enumerate(data) if byte < 32 or byte > 127 or byte in b"<>&_"]
    assert words.ordinary(words.eight(padded(data), 0)) == (other[0] if other else 8)


def test_beyond_an_array_there_are_zeros() -> None:
    """A file could make the reading process look at memory that is not its own."""
    data = padded("x")
    assert words.eight(data, len(data) - 8) == 0
    assert words.eight(data, len(data) - 7) == words.eight(data, -1) == words.eight(data, 1 << 40) == 0


@given(st.binary(max_size=40), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_copy_stays_inside_both_arrays(data: bytes, before: int, at: int, behind: int) -> None:
    """The text of one cell would run over the end of the buffer."""
    source, out = Room(bytes(before) + data), Room(at + len(data) + behind)
    words.copy(source, before, out, at, len(data))
    assert out[at : at + len(data)] == data
    assert out[:at] == bytes(at)
    assert len(out) == at + len(data) + behind
