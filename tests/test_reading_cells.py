"""What one cell says: kinds, values, addresses, and everything that is not as usual."""

from __future__ import annotations

from pathlib import Path

import pytest

from shp_core.limits import Limits
from shp_core.reading.problem import Unreadable
from tests.support.workbooks import RawSheet, RawWorkbook, cells, header_row, raw, read

FORMATS = (0, "yyyy-mm-dd", "h:mm", "[h]:mm", "0.00")
"""Cell styles 0 to 4."""


def one(tmp_path: Path, cell: str, **options: object) -> tuple[str, str | None]:
    """Kind and text of one cell, given its markup after `<c r="A2"`; a second cell keeps the row from being blank."""
    rows = header_row("a", "b") + f'<row r="2"><c r="A2"{cell}<c r="B2"><v>1</v></c></row>'
    return cells(raw(tmp_path / "w.xlsx", rows, strings=["<si><t>zero</t></si>"], formats=FORMATS, **options))[0]


@pytest.mark.parametrize(
    ("markup", "cell"),
    [
        ("><v>5</v></c>", ("n", "5")),
        (' t="n"><v>8625.389999999999</v></c>', ("n", "8625.39")),
        (' s="4"><v>1e3</v></c>', ("n", "1000")),
        ("><v> 5\n</v></c>", ("n", "5")),
        ("><v><![CDATA[5]]></v></c>", ("n", "5")),
        ("><v>1<!-- -->2</v></c>", ("n", "12")),
        ("><v>&#53;</v></c>", ("n", "5")),
        ("/>", ("-", None)),
        (' s="1"/>', ("-", None)),
        ("></c>", ("-", None)),
        ("><v/></c>", ("-", None)),
        ("><v></v></c>", ("-", None)),
        (' t="s"><v>0</v></c>', ("s", "zero")),
        (' t="s"><v> 0 </v></c>', ("s", "zero")),
        (' t="s"/>', ("-", None)),
        (' t="str"><v>a_x000D_b</v></c>', ("s", "a\rb")),
        (' t="str"><v/></c>', ("s", "")),
        (' t="str"><f>A1</f><v>result</v></c>', ("s", "result")),
        (' t="str"><f>A1</f><v></v></c>', ("s", "")),
        (' t="inlineStr"><is><t>text</t></is></c>', ("s", "text")),
        (' t="inlineStr"><is><t>00123</t></is></c>', ("s", "00123")),
        (' t="inlineStr"><is/></c>', ("s", "")),
        (' t="inlineStr"><v>sloppy</v></c>', ("s", "sloppy")),
        (' t="b"><v>1</v></c>', ("b", "TRUE")),
        (' t="b"><v>0</v></c>', ("b", "FALSE")),
        (' t="b"><v>true</v></c>', ("b", "TRUE")),
        (' t="e"><v>#REF!</v></c>', ("e", "#REF!")),
        (' t="e"><f>1/0</f><v>#DIV/0!</v></c>', ("e", "#DIV/0!")),
        (' t="e"/>', ("e", "")),
        ("><v>NaN</v></c>", ("e", "NaN")),
        ("><v>1e999</v></c>", ("e", "1e999")),
        ("><f>SUM(B:B)</f><v>7.5</v></c>", ("n", "7.5")),
        ("><v>7.5</v><f>SUM(B:B)</f></c>", ("n", "7.5")),
        ("><f>SUM(B:B)</f></c>", ("f", None)),
        ("><f>SUM(B:B)</f><v/></c>", ("f", None)),
        ("><f/></c>", ("f", None)),
        (' t="str"><f>A1</f></c>', ("f", None)),
        (' t="b"><f>A1</f></c>', ("f", None)),
        (' s="1"><f>TODAY()</f></c>', ("f", None)),
        (' s="1"><v>45000</v></c>', ("d", "2023-03-15")),
        (' s="1"><v>45000.5</v></c>', ("d", "2023-03-15 12:00:00")),
        (' s="2"><v>0.5</v></c>', ("d", "12:00:00")),
        (' s="2"><v>45000.5</v></c>', ("d", "2023-03-15 12:00:00")),
        (' s="3"><v>1.5</v></c>', ("n", "1.5")),
        (' s="1"><v>60</v></c>', ("n", "60")),
        (' s="1"><v>-1</v></c>', ("n", "-1")),
        (' s="1"><v>2958466</v></c>', ("n", "2958466")),
        (' s="1"><v>nan</v></c>', ("e", "nan")),
        (' s="99"><v>45000</v></c>', ("n", "45000")),
        (' s="1" t="str"><v>45000</v></c>', ("s", "45000")),
        (' t="d"><v>2024-02-29T10:20:30Z</v></c>', ("d", "2024-02-29 10:20:30")),
        (' t="d" s="1"><v>2024-02-29</v></c>', ("d", "2024-02-29")),
        ("><v>5</v><extLst><ext><x/></ext></extLst></c>", ("n", "5")),
        (
            '><x:AlternateContent xmlns:x="http://schemas.openxmlformats.org/markup-compatibility/2006">'
            "<x:Choice><v>1</v></x:Choice><x:Fallback><v>2</v></x:Fallback></x:AlternateContent></c>",
            ("n", "2"),
        ),
        ('>\n  <f t="shared" ref="A2:A9" si="0">B1</f>\n  <v>5</v>\n</c>', ("n", "5")),
    ],
)
def test_a_cell_means_what_the_workbook_says(tmp_path: Path, markup: str, cell: tuple[str, str | None]) -> None:
    """A value would be lost, invented or taken for something else."""
    assert one(tmp_path, markup) == cell


def test_serials_count_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    """All dates of a workbook from an old Mac would be four years off."""
    assert one(tmp_path, ' s="1"><v>0</v></c>', date1904=True) == ("d", "1904-01-01")


@pytest.mark.parametrize(
    "markup",
    [
        "><v>abc</v></c>",
        "><v>1,5</v></c>",
        "><v> </v></c>",
        ' s="1"><v>abc</v></c>',
        ' t="s"><v>1</v></c>',
        ' t="s"><v>-1</v></c>',
        ' t="s"><v>1.0</v></c>',
        ' t="s"><v>zero</v></c>',
        ' t="b"><v>2</v></c>',
        ' t="b"><v>yes</v></c>',
        ' t="d"><v>2023-02-29</v></c>',
        ' t="x"><v>1</v></c>',
        ' t=""><v>1</v></c>',
        "><is><t>a</t></is></c>",
        ' t="inlineStr"><is><t>a</t></is><v>b</v></c>',
        "><v>1</v><v>2</v></c>",
        "><v>1</v>2</c>",
        ">1</c>",
        "><v>1<f/></v></c>",
        "><v><v>1</v></v></c>",
        "><f>1</f><f>2</f></c>",
        ' t="inlineStr"><is><t>a</t></is><is><t>b</t></is></c>',
        ' t="inlineStr"><is>a</is></c>',
        "><t>1</t></c>",
        '><c r="A3"/></c>',
        '><v><x:AlternateContent xmlns:x="http://schemas.openxmlformats.org/markup-compatibility/2006"/></v></c>',
        ' t="inlineStr"><is><t><x:Fallback xmlns:x="http://schemas.openxmlformats.org/markup-compatibility/2006"/></t></is></c>',
    ],
)
def test_what_the_format_does_not_allow_is_refused(tmp_path: Path, markup: str) -> None:
    """The reader would guess what a damaged cell meant, and the guess would be loaded."""
    with pytest.raises(Unreadable) as caught:
        one(tmp_path, markup)
    assert caught.value.code == "invalid_markup"


def test_a_refused_cell_is_named(tmp_path: Path) -> None:
    """Nobody would find the one bad cell among a million."""
    rows = header_row("a") + '<row r="7"><c r="AB7" t="b"><v>2</v></c></row>'
    with pytest.raises(Unreadable, match=r"AB7 of 'xl/worksheets/sheet1.xml' is no boolean"):
        read(raw(tmp_path / "w.xlsx", rows))


HEADER = header_row("a", "b", "c")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ('<row r="2"><c r="C2"><v>3</v></c></row>', [(2, "--n", (None, None, "3"))]),
        ("<row><c><v>1</v></c><c><v>2</v></c></row>", [(2, "nn-", ("1", "2", None))]),
        ('<row r="5"><c><v>1</v></c></row><row><c><v>2</v></c></row>', [(5, "n--", ("1", None, None)), (6, "n--", ("2", None, None))]),
        ('<row r="2"><c r="B2"><v>2</v></c><c><v>3</v></c></row>', [(2, "-nn", (None, "2", "3"))]),
        ('<row r="2"><c r="C2"><v>3</v></c><c r="A2"><v>1</v></c></row>', [(2, "n-n", ("1", None, "3"))]),
        ('<row r="2"/><row r="3" spans="1:1"><c r="A3"><v>1</v></c></row>', [(3, "n--", ("1", None, None))]),
    ],
)
def test_addresses_are_optional_and_cells_need_no_order(tmp_path: Path, rows: str, found: list[object]) -> None:
    """Values would slip into the neighbouring column or row."""
    assert [tuple(row)[:3] for row in read(raw(tmp_path / "w.xlsx", HEADER + rows))[1]] == found


@pytest.mark.parametrize(
    "row",
    [
        '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>',
        '<row r="2"><c r="A2"><v>1</v></c><c r="B2"/><c r="A2"/></row>',
        '<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c><c><v>2</v></c></row>',
        '<row r="2"><c r="A2"><v>1</v></c></row><row r="2"><c r="A2"><v>1</v></c></row>',
        '<row r="3"><c r="B3"/></row><row r="2"/><row><c r="B3"><v>1</v></c></row>',
    ],
)
def test_two_cells_with_one_address_are_refused(tmp_path: Path, row: str) -> None:
    """One of two values would be loaded, and nobody could say why that one."""
    with pytest.raises(Unreadable) as caught:
        read(raw(tmp_path / "w.xlsx", HEADER + row))
    assert caught.value.code == "twin_address"


@pytest.mark.parametrize(
    "row",
    [
        '<row r="2"><c r="A3"><v>1</v></c></row>',
        '<row r="1"><c r="A11"><v>1</v></c></row>',
        '<row r="2"><c r="a2"><v>1</v></c></row>',
        '<row r="2"><c r="2"><v>1</v></c></row>',
        '<row r="2"><c r="$A$2"><v>1</v></c></row>',
        '<row r="2"><c r=""><v>1</v></c></row>',
        '<row r="2"><c r="Ä2"><v>1</v></c></row>',
        '<row r="0"><c><v>1</v></c></row>',
        '<row r="-1"/>',
        '<row r="02"/>',
        '<row r="x"/>',
        '<row r=""/>',
        '<row r="2"><row r="3"/></row>',
        '<row r="2"><v>1</v></row>',
        '<row r="2">text</row>',
        "text",
        '<c r="A2"><v>1</v></c>',
        "<sheetData/>",
        "</sheetData><row/><sheetData>",
    ],
)
def test_a_sheet_that_makes_no_sense_is_refused(tmp_path: Path, row: str) -> None:
    """Rows would be read from where the format has none."""
    with pytest.raises(Unreadable) as caught:
        read(raw(tmp_path / "w.xlsx", header_row("a") + row))
    assert caught.value.code == "invalid_markup"


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ('<row r="1048577"><c r="A1048577"><v>1</v></c></row>', "rows"),
        ('<row r="99999999999999999999999999"/>', "rows"),
        ('<row r="1048576"/><row><c><v>1</v></c></row>', "rows"),
        ('<row r="2"><c r="XFE2"><v>1</v></c></row>', "columns"),
        ('<row r="2"><c r="XFD2"/><c><v>1</v></c></row>', "columns"),
        ('<row r="2"><c r="ZZZZZZZZZZZZZZZZZZZZ2"><v>1</v></c></row>', "columns"),
    ],
)
def test_addresses_beyond_the_format_reach_a_limit(tmp_path: Path, row: str, limit: str) -> None:
    """A made-up address would make the reader lay out a table as large as the machine."""
    with pytest.raises(Unreadable) as caught:
        read(raw(tmp_path / "w.xlsx", HEADER + row))
    assert (caught.value.code, caught.value.details["limit"]) == ("limit_reached", limit)


def test_the_corners_of_the_format_are_read(tmp_path: Path) -> None:
    """A cell at the end of the sheet would be lost, or its two-cell sheet would take all memory."""
    corner = '<row r="1048576"><c r="XFD1048576"><v>5</v></c></row>'
    _, rows, stats = read(raw(tmp_path / "w.xlsx", header_row("a") + corner))
    assert [tuple(row) for row in rows] == [(1048576, "-", (None,), '[[16384, "n", "5"]]')]
    assert stats.blank == 1048574


@pytest.mark.parametrize("declared", ["A1", "A1:XFD1048576", "B5:C9", "nonsense"])
def test_the_declared_dimension_is_not_believed(tmp_path: Path, declared: str) -> None:
    """Cells outside of the range that a program wrote down would be lost without a word."""
    rows = header_row("a", "b") + "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}"><v>1</v></c></row>' for n in (2, 3, 4))
    path = RawWorkbook([RawSheet(rows, before=f'<dimension ref="{declared}"/>')]).write(tmp_path / "w.xlsx")
    assert cells(path) == [("n", "2"), ("n", "1"), ("n", "3"), ("n", "1"), ("n", "4"), ("n", "1")]


def numbered(*numbers: int) -> str:
    """Rows that say their numbers."""
    return "".join(f'<row r="{number}"><c r="A{number}"><v>{number}</v></c></row>' for number in numbers)


@pytest.mark.parametrize("numbers", [(2, 4, 3), (9, 8, 7, 6, 5, 4, 3, 2), (5, 2, 5000, 3)])
@pytest.mark.parametrize("place", [0, -1])
def test_rows_out_of_order_are_put_in_order(tmp_path: Path, numbers: tuple[int, ...], place: int) -> None:
    """Rows before the header in the file would be lost, although a spreadsheet program shows them below it."""
    rows = [numbered(*numbers), header_row("a")] if place else [header_row("a"), numbered(*numbers)]
    _, found, stats = read(raw(tmp_path / "w.xlsx", "".join(rows)))
    assert [row.row for row in found] == sorted(numbers)
    assert [row.texts[0] for row in found] == [str(number) for number in sorted(numbers)]
    assert stats.rows + stats.blank == max(numbers) - 1


def test_parts_of_one_row_are_put_together(tmp_path: Path) -> None:
    """Half a row would be lost, or counted as a row of its own."""
    rows = '<row r="2"><c r="C2"><v>3</v></c></row><row r="3"/><row r="2"><c r="A2"><v>1</v></c></row>'
    assert [tuple(row)[:3] for row in read(raw(tmp_path / "w.xlsx", HEADER + rows))[1]] == [(2, "n-n", ("1", None, "3"))]


def test_disorder_is_held_only_up_to_a_limit(tmp_path: Path) -> None:
    """A sheet turned upside down would fill the memory."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + numbered(*range(500, 1, -1)))
    assert len(read(path)[1]) == 499
    with pytest.raises(Unreadable) as caught:
        read(path, Limits(disorder_cells=100))
    assert caught.value.details == {"limit": "disorder_cells", "value": 100}


@pytest.mark.parametrize(
    "tag",
    [
        '<row r="{n}">',
        "<row\n r='{n}' >",
        '<row spans="1:1" r = "{n}" x14ac:dyDescent="0.25" xmlns:x14ac="u">',
        "<row>",
        '<row ht="15" customHeight="1">',
    ],
)
def test_rows_in_order_are_never_held(tmp_path: Path, tag: str) -> None:
    """Large sheets of some programs would be refused as out of order, although they are not."""
    rows = "".join(tag.format(n=n) + f"<c><v>{n}</v></c></row>" for n in range(2, 3000))
    assert len(read(raw(tmp_path / "w.xlsx", header_row("a") + rows), Limits(disorder_cells=10))[1]) == 2998


@pytest.mark.parametrize("disguise", ["utf-16", "entities", "greater-than"])
def test_disorder_in_disguise_is_put_in_order_all_the_same(tmp_path: Path, disguise: str) -> None:
    """The quick look at the bytes would decide what is read."""
    rows = header_row("a") + numbered(4) + numbered(2)
    if disguise == "entities":
        rows = rows.replace('<row r="2"', '<row r="&#50;"')
    if disguise == "greater-than":
        rows = rows.replace('<row r="2"', '<row s=">" r="2"')
    markup = RawWorkbook().sheet_markup(RawSheet(rows))
    if disguise == "utf-16":
        parts = {"xl/worksheets/sheet1.xml": markup.replace("UTF-8", "UTF-16").encode("utf-16")}
    else:
        parts = {"xl/worksheets/sheet1.xml": markup.encode()}
    assert [row.row for row in read(raw(tmp_path / "w.xlsx", "", parts=parts))[1]] == [2, 4]


def test_rows_in_a_comment_are_no_rows(tmp_path: Path) -> None:
    """What somebody commented out would be loaded."""
    rows = header_row("a") + f"<!-- {numbered(9)} -->" + numbered(2)
    assert [row.row for row in read(raw(tmp_path / "w.xlsx", rows))[1]] == [2]
