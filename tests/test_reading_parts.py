"""The layers below a sheet, each by itself: pieces of a part, events of its markup, rows in order, batches."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from shp_core.limits import MIB, Limits
from shp_core.reading import container as container_module
from shp_core.reading.batches import batch_schema, batches, header_of
from shp_core.reading.container import PIECE, Container
from shp_core.reading.gate import verify
from shp_core.reading.markup import MAIN, NAMES, STRICT_MAIN, events, is_name
from shp_core.reading.order import RowOrder, in_order
from shp_core.reading.parts import Element, elements
from shp_core.reading.problem import Unreadable, limit_reached
from shp_core.reading.reference import SheetRow, column_letters, merged
from shp_core.reading.strings import unescaped
from shp_core.reading.textrow import SheetSpec, SheetStats, TextRow
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, text_row

LIMITS = Limits()
CELL, VALUE, ROW, DATA, SHEET = (NAMES[name] for name in ("c", "v", "row", "sheetData", "worksheet"))


# pieces of a part


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
def test_pieces_are_the_part_and_never_large(tmp_path: Path, stored: bool, size: int) -> None:
    """A part would arrive cut off at the border of a piece, or all at once."""
    content = bytes(number % 251 for number in range(size))
    with Container(raw(tmp_path / "w.xlsx", "", stored=stored, parts={"x.bin": content}), LIMITS) as container:
        pieces = list(container.pieces("X.BIN"))
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= PIECE for piece in pieces)


@given(blocks=st.lists(st.tuples(st.binary(min_size=1, max_size=3), st.integers(0, 60_000)), max_size=8))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_whatever_deflates_inflates(tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[bytes, int]]) -> None:
    """Parts that compress unusually well or badly would lose bytes at the end."""
    content = b"".join(block * times for block, times in blocks)
    path = raw(tmp_path_factory.mktemp("deflate") / "w.xlsx", "", parts={"x.bin": content})
    with Container(path, LIMITS) as container:
        assert zlib.crc32(b"".join(container.pieces("x.bin"))) == zlib.crc32(content)


def inflated(path: Path, library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> bytes | None:
    """A part as a library inflates it; None where it is refused."""
    monkeypatch.setattr(container_module, "zlib", library)
    with Container(path, LIMITS) as container:
        try:
            return b"".join(container.pieces("x.bin"))
        except Unreadable:
            return None


def test_the_faster_library_is_the_one_in_use() -> None:
    """Reading would be a quarter slower without anybody noticing."""
    assert container_module.zlib is isal_zlib


@given(
    words=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30),
    times=st.integers(1, 400),
    at=st.floats(0, 1, exclude_max=True),
    flip=st.integers(0, 255),
    level=st.integers(0, 9),
)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_the_faster_library_inflates_as_zlib_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[bytes], times: int, at: float, flip: int, level: int
) -> None:
    """A damaged workbook would be read by one installation and refused by another, or read wrongly."""
    content = b"".join(words) * times
    path = tmp_path / "w.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr("x.bin", content)
    data = bytearray(path.read_bytes())
    with Container(path, LIMITS) as container:
        entry = container.part("x.bin")
    data[entry.start + int(at * entry.stored)] ^= flip
    path.write_bytes(data)
    found = inflated(path, isal_zlib, monkeypatch)
    assert found == inflated(path, zlib, monkeypatch)
    assert found in (None, content)
    assert found == content or flip


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    """The reader would die of a name."""
    with Container(raw(tmp_path / "w.xlsx", ""), LIMITS) as container:
        assert "xl/styles.xml" in container and "xl/other.xml" not in container
        with pytest.raises(Unreadable, match=r"'xl/other.xml' is missing"):
            container.part("xl/other.xml")


def test_watchers_see_all_bytes_of_their_part(tmp_path: Path) -> None:
    """The look at the order of rows would miss some of them."""
    book = RawWorkbook([RawSheet(header_row("a") + "".join(text_row(n, str(n)) for n in range(2, 4000)))])
    with Container(book.write(tmp_path / "w.xlsx"), LIMITS) as container:
        seen: list[bytes] = []
        verify(container, LIMITS, {"XL/worksheets/sheet1.xml": seen.append})
    assert b"".join(seen).decode() == book.sheet_markup(book.sheets[0])


# events of markup


def stream(markup: str, step: int = PIECE, limits: Limits = LIMITS) -> list[Any]:
    """The events of some markup, given in pieces."""
    data = markup.encode()
    return list(events([data[at : at + step] for at in range(0, len(data), step)], "part.xml", limits))


@pytest.mark.parametrize("namespace", [MAIN, STRICT_MAIN])
@pytest.mark.parametrize("step", [1, 7, PIECE])
def test_events_are_flat_and_names_are_objects(namespace: str, step: int) -> None:
    """A reader would have to understand both dialects of the format, and would take a text for an element."""
    markup = f'<worksheet xmlns="{namespace}"><sheetData><row r="1"><c t="n"><v>{MAIN}|v</v></c></row></sheetData></worksheet>'
    found = stream(markup, step)
    attributes = [event for event in found if isinstance(event, dict)]
    names = [event for event in found if is_name(event)]
    texts = [event for event in found if isinstance(event, str) and not is_name(event)]
    assert attributes == [{}, {}, {"r": "1"}, {"t": "n"}, {}]
    expected = [SHEET, DATA, ROW, CELL, VALUE, VALUE, CELL, ROW, DATA, SHEET]
    assert all(name is other for name, other in zip(names, expected, strict=True))
    assert "".join(texts) == f"{MAIN}|v"


def test_unknown_elements_are_passed_over_with_all_they_hold() -> None:
    """A cell inside of an extension, or of another namespace, would be read as one of the sheet."""
    inside = f'<other><c/>text<x:v xmlns:x="{MAIN}">1</x:v></other><c xmlns="urn:else"><v>2</v></c><extLst><row/></extLst>'
    assert stream(f'<worksheet xmlns="{MAIN}">{inside}</worksheet>') == [SHEET, {}, SHEET]


NOT_WELL_FORMED = [
    *["", "text", "<a>", "<a></b>", "<a b='1' b='2'/>", "<a>&unknown;</a>"],
    *["<a/><b/>", "<a>\x01</a>", "<x:a/>", "<a b=1/>", "<a>&#0;</a>"],
]


@pytest.mark.parametrize("markup", NOT_WELL_FORMED)
@pytest.mark.parametrize("step", [1, PIECE])
def test_markup_that_is_not_well_formed_is_refused(markup: str, step: int) -> None:
    """Half a part would be taken for the whole."""
    with pytest.raises(Unreadable, match="not well-formed") as caught:
        stream(markup, step)
    assert caught.value.code == "invalid_markup"


def test_a_token_is_measured_not_the_text_between() -> None:
    """Long texts would be refused as long tags, or long tags would pass."""
    limits = Limits(token_bytes=2 * PIECE)
    assert stream(f"<a>{'x' * 10 * PIECE}</a>", limits=limits) == []
    with pytest.raises(Unreadable) as caught:
        stream(f"<a b='{'x' * 10 * PIECE}'/>", limits=limits)
    assert caught.value.details == {"limit": "token_bytes", "value": 2 * PIECE}


def test_bad_bytes_are_refused() -> None:
    """Texts in a wrong encoding would arrive garbled."""
    with pytest.raises(Unreadable) as caught:
        list(events([b"<a>\xff\xfe\x80</a>"], "part.xml", LIMITS))
    assert caught.value.code == "invalid_markup"


# small parts


def test_elements_of_other_namespaces_keep_their_namespace(tmp_path: Path) -> None:
    """A sheet list of some extension would be taken for the workbook's."""
    sheets = '<o:sheets><sheet name="no"/></o:sheets><sheets><sheet name="yes"/></sheets>'
    content = f'<workbook xmlns="{MAIN}" xmlns:o="urn:other">{sheets}</workbook>'
    with Container(raw(tmp_path / "w.xlsx", "", parts={"x.xml": content}), LIMITS) as container:
        found = list(elements(container, "x.xml", LIMITS))
    assert Element("/workbook/sheets/sheet", {"name": "yes"}) in found
    assert [element.path for element in found if element.attributes.get("name") == "no"] == ["/workbook/urn:other|sheets/sheet"]


# rows in order


def sheet_row(number: int, *columns: int) -> SheetRow:
    """A row whose cells say their addresses."""
    return SheetRow(number, False, list(columns), ["n"] * len(columns), [f"{number}.{column}" for column in columns])


def looked_at(numbers: Iterable[int | None], step: int) -> bool:
    """Whether the quick look is certain of the order of rows, given in pieces of some bytes."""
    tags = "".join("<row><c/></row>" if number is None else f'<row r="{number}"><c r="A{number}"/></row>' for number in numbers)
    data = f'<worksheet xmlns="{MAIN}"><sheetData>{tags}</sheetData></worksheet>'.encode()
    order = RowOrder()
    first = len(data) if step > 100 else 100  # the document element comes whole, in real pieces of 64 kB
    for at in [0, *range(first, len(data), step)]:
        order(data[at : at + (first if not at else step)])
    return order.certain


@given(st.lists(st.one_of(st.none(), st.integers(1, 60)), max_size=30), st.sampled_from([1, 3, 20, PIECE]))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_the_quick_look_is_never_wrong(numbers: list[int | None], step: int) -> None:
    """Rows out of order would be refused, or rows in order would be held in memory."""
    resolved, last = [], 0
    for number in numbers:
        last = last + 1 if number is None else number
        resolved.append(last)
    ascending = all(left < right for left, right in pairwise(resolved))
    assert looked_at(numbers, step) == ascending


@given(st.permutations([sheet_row(number, 1, 2) for number in range(1, 9)]))
@settings(max_examples=50, derandomize=True, deadline=None)
def test_any_order_is_put_in_order(rows: list[SheetRow]) -> None:
    """The meaning of a sheet would depend on how a program happens to write it."""
    assert list(in_order(iter(rows), False, "part.xml", LIMITS)) == sorted(rows)


def test_an_order_that_was_certain_is_checked_again() -> None:
    """A file that deceives the quick look would have its rows read in the wrong order."""
    with pytest.raises(Unreadable, match=r"row 2 of 'part\.xml' follows row 5"):
        list(in_order(iter([sheet_row(5, 1), sheet_row(2, 1)]), True, "part.xml", LIMITS))


def test_rows_in_order_flow_through() -> None:
    """Memory would grow with the sheet."""
    endless: Iterator[SheetRow] = (sheet_row(number, 1) for number in range(1, 10**12))
    assert next(in_order(endless, True, "part.xml", LIMITS)).number == 1


def test_merging_sorts_and_finds_twins() -> None:
    """A row that a file writes down in two parts would lose one of them, or keep both of two values."""
    assert merged([sheet_row(4, 3), sheet_row(4, 1, 2)], "part.xml") == sheet_row(4, 1, 2, 3)
    with pytest.raises(Unreadable, match="address B4") as caught:
        merged([sheet_row(4, 2), sheet_row(4, 1, 2)], "part.xml")
    assert (caught.value.code, caught.value.details) == ("twin_address", {"address": "B4"})


@pytest.mark.parametrize(("number", "letters"), [(1, "A"), (26, "Z"), (27, "AA"), (52, "AZ"), (702, "ZZ"), (703, "AAA"), (16384, "XFD")])
def test_columns_have_their_letters(number: int, letters: str) -> None:
    """A message would name another column than the one that is wrong."""
    assert column_letters(number) == letters


# texts


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_escapes_are_undone(text: str) -> None:
    """Characters that XML cannot hold would arrive as a spelling of themselves."""
    units = text.encode("utf-16-be")
    escaped = "".join(f"_x{units[at]:02X}{units[at + 1]:02x}_" for at in range(0, len(units), 2))
    assert unescaped(escaped) == text


@pytest.mark.parametrize("text", ["_xDC00_", "_xD800_", "_xD800_x", "_xDC00__xD800_"])
def test_half_a_character_is_none(text: str) -> None:
    """A text that no file and no database can keep would stop the whole load."""
    assert unescaped(text) == text
    assert unescaped(text).encode()


# batches


def text_rows(count: int, text: str = "x") -> Iterator[TextRow]:
    """Rows of two columns."""
    return (TextRow(number, "s-", (text, None)) for number in range(2, count + 2))


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_batches_end_at_their_rows(count: int, sizes: list[int]) -> None:
    """The last rows of a table would be lost."""
    found = list(batches(text_rows(count), batch_schema(("a", "b")), Limits(batch_rows=10)))
    assert [batch.num_rows for batch in found] == sizes
    assert [row for batch in found for row in batch.column("row").to_pylist()] == list(range(2, count + 2))


def test_the_header_travels_with_the_schema() -> None:
    """Nobody could tell which column is which."""
    header = ("", "Größe", 'with "quotes"', "a\nb", "a")
    assert header_of(batch_schema(header)) == header


def test_a_batch_holds_texts_of_every_kind() -> None:
    """A NUL or an emoji would end a text."""
    row = TextRow(7, "ss", ("a\x00b", "🙈"), '[[3, "n", "1"]]')
    (batch,) = batches(iter([row]), batch_schema(("a", "b")), LIMITS)
    assert batch.to_pylist() == [{"row": 7, "kinds": "ss", "c1": "a\x00b", "c2": "🙈", "extra": '[[3, "n", "1"]]'}]


# words


def test_what_leaves_the_process_comes_back_as_it_was() -> None:
    """Limits, counts and refusals would change on their way between two processes."""
    limits = Limits(rows=7, child_wait_seconds=1.5)
    stats = SheetStats("S", True, rows=3, ended_at=9)
    assert Limits(**limits.as_dict()) == limits
    assert SheetStats(**stats.as_dict()) == stats
    assert limit_reached("rows", 7, "a sheet").as_dict() == {
        "code": "limit_reached",
        "message": "a sheet: the limit rows = 7 is reached",
        "details": {"limit": "rows", "value": 7},
    }


def test_the_default_table_is_the_first_sheet_with_a_header_on_top() -> None:
    """The smallest feed file would read something else."""
    assert SheetSpec() == SheetSpec(sheet=1, header=1, until=None)
    assert LIMITS.batch_rows == 4096 and LIMITS.token_bytes == MIB
