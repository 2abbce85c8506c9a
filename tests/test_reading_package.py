"""Sheets, epochs, relations and shared strings: what a workbook consists of."""

from __future__ import annotations

from pathlib import Path

import pytest

from shp_core.reading.problem import Unreadable
from tests.support.workbooks import MAIN, OFFICE, RawSheet, RawWorkbook, cells, header_row, raw, read, text_row

TWO = header_row("a") + text_row(2, "x")


def sheets(*named: tuple[str, str, str]) -> list[RawSheet]:
    """Sheets from (name, state, kind); the one cell below the header says the name."""
    return [RawSheet(header_row("a") + text_row(2, name), name, state, kind) for name, state, kind in named]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(1, "first"), (2, "second"), ("hidden", "hidden"), ("very", "very"), ("second", "second")],
)
def test_the_sheet_that_is_meant_is_read(tmp_path: Path, wanted: int | str, found: str) -> None:
    """A hidden sheet or a chart would be read by accident instead of the table that people see."""
    book = sheets(
        ("hidden", "hidden", "worksheet"),
        ("chart", "visible", "chartsheet"),
        ("first", "visible", "worksheet"),
        ("very", "veryHidden", "worksheet"),
        ("second", "visible", "worksheet"),
    )
    _, rows, stats = read(RawWorkbook(book).write(tmp_path / "w.xlsx"), sheet=wanted)
    assert [row.texts for row in rows] == [(found,)]
    assert (stats.sheet, stats.hidden) == (found, found in ("hidden", "very"))


@pytest.mark.parametrize("wanted", [0, 3, -1, "First", "chart", ""])
def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path, wanted: int | str) -> None:
    """Some other sheet's rows would be loaded in its place."""
    book = sheets(("first", "visible", "worksheet"), ("second", "visible", "worksheet"), ("chart", "visible", "chartsheet"))
    with pytest.raises(Unreadable) as caught:
        read(RawWorkbook(book).write(tmp_path / "w.xlsx"), sheet=wanted)
    assert caught.value.code == "sheet_missing"
    assert "'first', 'second'" in caught.value.message


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_every_dialect_of_the_container_is_read(tmp_path: Path, strict: bool, absolute: bool, stored: bool) -> None:
    """Strict workbooks would be read as empty, and absolute targets would not be found."""
    rows = header_row("a", "b") + '<row r="2"><c r="A2" t="s"><v>1</v></c><c r="B2" s="1"><v>45000</v></c></row>'
    strings = ["<si><t>zero</t></si>", "<si><t>one</t></si>"]
    path = raw(tmp_path / "w.xlsx", rows, strings=strings, formats=(0, 14), strict=strict, absolute=absolute, stored=stored)
    assert cells(path) == [("s", "one"), ("d", "2023-03-15")]


def test_prefixed_namespaces_are_read(tmp_path: Path) -> None:
    """Workbooks of programs that write every element with a prefix would be refused or empty."""
    sheet = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>a</x:t></x:is></x:c></x:row>'
        '<x:row r="2"><x:c r="A2"><x:v>5</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    book = f'<x:workbook xmlns:x="{MAIN}" xmlns:o="{OFFICE}"><x:sheets><x:sheet name="S" sheetId="1" o:id="rId1"/></x:sheets></x:workbook>'
    path = raw(tmp_path / "w.xlsx", "", parts={"xl/worksheets/sheet1.xml": sheet, "xl/workbook.xml": book})
    assert (read(path)[0], cells(path)) == (("a",), [("n", "5")])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    """Umlauts would be garbled, or a legal UTF-16 part refused."""
    name = encoding.removesuffix("-sig")
    sheet = RawWorkbook().sheet_markup(RawSheet(header_row("ä") + text_row(2, "ö"))).replace("UTF-8", name)
    path = raw(tmp_path / "w.xlsx", "", parts={"xl/worksheets/sheet1.xml": sheet.encode(encoding)})
    assert (read(path)[0], cells(path)) == (("ä",), [("s", "ö")])


@pytest.mark.parametrize("encoding", ["klingon", "utf-7", "shift_jis", "windows-1252", "cp437", "zlib", "utf-8-sig"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    """The reader would die of a name in a file's first line, or load whatever codec it names."""
    sheet = RawWorkbook().sheet_markup(RawSheet(TWO)).replace("UTF-8", encoding)
    with pytest.raises(Unreadable, match=f"encoding '{encoding}', it must be UTF-8") as caught:
        read(raw(tmp_path / "w.xlsx", "", parts={"xl/worksheets/sheet1.xml": sheet}))
    assert caught.value.code == "invalid_markup"


@pytest.mark.parametrize("name", ["XL/WorkSheets/Sheet1.XML", "xl/worksheets/sheet1.xml"])
def test_part_names_are_case_insensitive(tmp_path: Path, name: str) -> None:
    """Workbooks of some programs would be damaged only because of a capital letter."""
    markup = RawWorkbook().sheet_markup(RawSheet(TWO))
    path = raw(tmp_path / "w.xlsx", "", parts={"xl/worksheets/sheet1.xml": None, name: markup})
    assert cells(path) == [("s", "x")]


def test_number_formats_behind_compatibility_wrappers_are_found(tmp_path: Path) -> None:
    """Dates would arrive as numbers, because newer programs wrap the format that says so."""
    wrapped = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        '<mc:Choice Requires="x16r2"><numFmt numFmtId="164" formatCode="0.0"/></mc:Choice>'
        '<mc:Fallback><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></mc:Fallback></mc:AlternateContent>'
    )
    styles = f'<styleSheet xmlns="{MAIN}"><numFmts>{wrapped}</numFmts><cellXfs><xf/><xf numFmtId="164"/></cellXfs></styleSheet>'
    rows = header_row("a") + '<row r="2"><c r="A2" s="1"><v>45000</v></c></row>'
    assert cells(raw(tmp_path / "w.xlsx", rows, parts={"xl/styles.xml": styles})) == [("d", "2023-03-15")]


def test_rows_behind_compatibility_wrappers_are_not_lost(tmp_path: Path) -> None:
    """Cells would vanish without a word."""
    wrapped = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f'<mc:Choice Requires="x99">{text_row(2, "choice")}</mc:Choice><mc:Fallback>{text_row(2, "fallback")}</mc:Fallback>'
        "</mc:AlternateContent>"
    )
    assert cells(raw(tmp_path / "w.xlsx", header_row("a") + wrapped)) == [("s", "fallback")]


def test_a_workbook_without_styles_or_strings_is_read(tmp_path: Path) -> None:
    """The smallest legal workbooks would be refused."""
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    )
    path = raw(tmp_path / "w.xlsx", TWO, parts={"xl/_rels/workbook.xml.rels": relations, "xl/styles.xml": None})
    assert cells(path) == [("s", "x")]


@pytest.mark.parametrize(("spelled", "day"), [("1", "2027-03-16"), ("true", "2027-03-16"), ("0", "2023-03-15"), ("false", "2023-03-15")])
def test_the_epoch_is_applied(tmp_path: Path, spelled: str, day: str) -> None:
    """All dates of a workbook from the other epoch would be four years off."""
    rows = header_row("a") + '<row r="2"><c r="A2" s="1"><v>45000</v></c></row>'
    book = RawWorkbook([RawSheet(rows)], formats=(0, 14))
    markup = book._workbook().replace('date1904="0"', f'date1904="{spelled}"')
    book.parts = {"xl/workbook.xml": markup}
    assert cells(book.write(tmp_path / "w.xlsx")) == [("d", day)]


@pytest.mark.parametrize(
    "parts",
    [
        {"xl/workbook.xml": f'<workbook xmlns="{MAIN}"><workbookPr date1904="maybe"/></workbook>'},
        {"xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="-1"/></cellXfs></styleSheet>'},
        {"xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="x"/></cellXfs></styleSheet>'},
        {"xl/_rels/workbook.xml.rels": "<Relationships"},
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, parts: dict[str, str]) -> None:
    """The reader would guess an epoch or a format, and every date would be a guess."""
    with pytest.raises(Unreadable) as caught:
        read(raw(tmp_path / "w.xlsx", TWO, parts=parts))
    assert caught.value.code == "invalid_markup"


def test_twin_sheet_names_are_refused(tmp_path: Path) -> None:
    """A feed that names its sheet would get whichever comes first."""
    book = RawWorkbook(sheets(("Data", "visible", "worksheet"), ("DATA", "hidden", "worksheet")))
    with pytest.raises(Unreadable) as caught:
        read(book.write(tmp_path / "w.xlsx"))
    assert caught.value.code == "invalid_markup"


def test_five_thousand_sheets_are_legal(tmp_path: Path) -> None:
    """A large legal workbook would be refused."""
    book = RawWorkbook([RawSheet(TWO if number == 4999 else "", f"s{number}") for number in range(5000)], stored=True)
    assert cells(book.write(tmp_path / "w.xlsx"), sheet=5000) == [("s", "x")]


STRINGS = {
    "plain": ("<si><t>text</t></si>", "text"),
    "empty": ("<si/>", ""),
    "empty text": ("<si><t/></si>", ""),
    "blanks": ('<si><t xml:space="preserve">  a  </t></si>', "  a  "),
    "blanks without xml:space": ("<si><t>  a  </t></si>", "  a  "),
    "runs": ("<si><r><rPr><b/></rPr><t>bold</t></r><r><t> plain</t></r></si>", "bold plain"),
    "phonetic": ('<si><t>課税</t><rPh sb="0" eb="1"><t>カゼイ</t></rPh><phoneticPr fontId="1"/></si>', "課税"),
    "phonetic beside runs": ('<si><r><t>課</t></r><rPh sb="0" eb="1"><t>カ</t></rPh><r><t>税</t></r></si>', "課税"),
    "entities": ("<si><t>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;</t></si>", "<&>\"'AB"),
    "cdata": ("<si><t><![CDATA[<a> & b]]> c</t></si>", "<a> & b c"),
    "comment inside": ("<si><t>a<!-- not this -->b</t></si>", "ab"),
    "escape": ("<si><t>a_x000D_b_x0009_c</t></si>", "a\rb\tc"),
    "escaped underscore": ("<si><t>_x005F_x000D_</t></si>", "_x000D_"),
    "escaped pair": ("<si><t>_xD83D__xDE00_</t></si>", "😀"),
    "half a pair": ("<si><t>a_xD83D_b</t></si>", "a_xD83D_b"),
    "no escape": ("<si><t>_x00G0_ _x12_ x0041_</t></si>", "_x00G0_ _x12_ x0041_"),
    "nul": ("<si><t>a_x0000_b</t></si>", "a\x00b"),
    "line break": ("<si><t>a\r\nb</t></si>", "a\nb"),
    "emoji": ("<si><t>🙈é</t></si>", "🙈é"),
    "pretty": ("<si>\n  <r>\n <t>a</t>\n </r>\n</si>", "a"),
}


@pytest.mark.parametrize("case", STRINGS)
@pytest.mark.parametrize("inline", [False, True])
def test_texts_arrive_as_they_are_written(tmp_path: Path, case: str, inline: bool) -> None:
    """Words would be lost, doubled or changed, depending on how a program happens to store them."""
    markup, text = STRINGS[case]
    content = markup.replace("<si", "<is").replace("</si", "</is")
    cell = f'<c r="A2" t="inlineStr">{content}</c>' if inline else '<c r="A2" t="s"><v>1</v></c>'
    rows = header_row("a", "b") + f'<row r="2">{cell}<c r="B2"><v>1</v></c></row>'
    assert cells(raw(tmp_path / "w.xlsx", rows, strings=["<si><t>no</t></si>", markup]))[0] == ("s", text)


def test_strings_longer_than_the_parsers_buffer_stay_whole(tmp_path: Path) -> None:
    """Long remarks would arrive in part."""
    texts = ["".join(chr(97 + (number + place) % 26) for place in range(1000 * number)) for number in range(33)]
    rows = header_row("a", "b") + "".join(
        f'<row r="{n + 2}"><c r="A{n + 2}" t="s"><v>{n}</v></c><c r="B{n + 2}"><v>1</v></c></row>' for n in range(33)
    )
    path = raw(tmp_path / "w.xlsx", rows, strings=[f"<si><t>{text}</t></si>" for text in texts])
    assert [row.texts[0] for row in read(path)[1]] == texts
