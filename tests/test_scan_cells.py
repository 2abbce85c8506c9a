"""The scan cell by cell: what it knows it reads as the reference does, what it does not know it leaves to it."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from shp_core.limits import Limits
from shp_core.reading.container import PIECE
from tests.support.scans import declined, scanned, texts
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw

HEADER = header_row("a", "b", "c")
FORMATS = (0, "yyyy-mm-dd", "hh:mm:ss", 14, "0.00")

KNOWN = [
    "<c><v>1</v></c>",
    '<c r="A2"><v>1</v></c>',
    '<c  r="A2"\n s="0"\tt="n" ><v >1</v></c>',
    '<c t="n" s="4" r="A2"><v>-12.50</v></c>',
    "<c><v> 12 </v></c>",
    "<c><v>007</v></c>",
    "<c><v>-0</v></c>",
    "<c><v>+5</v></c>",
    "<c><v>1E3</v></c>",
    "<c><v>1.5e-9</v></c>",
    "<c><v>1E300</v></c>",
    "<c><v>.5</v></c>",
    "<c><v>5.</v></c>",
    "<c><v>NaN</v></c>",
    "<c><v>1E999</v></c>",
    "<c><v>8625.389999999999</v></c>",
    "<c><v>0.30000000000000004</v></c>",
    "<c><v>9007199254740993</v></c>",
    "<c><v>9999999999999999.5</v></c>",
    "<c><v>9.9999999999999999</v></c>",
    "<c><v>-541283.5999999996</v></c>",
    "<c><v>0.00012345678901234567</v></c>",
    "<c><v>123456789012345678901234567890</v></c>",
    "<c><v></v></c>",
    "<c><v/></c>",
    "<c/>",
    '<c s="1"/>',
    '<c r="A2"></c>',
    '<c t="s"><v>0</v></c>',
    '<c t="s"><v>00001</v></c>',
    '<c t="s"><v>2</v></c>',
    '<c t="s"><v></v></c>',
    '<c t="str"><v>text</v></c>',
    '<c t="str"><v></v></c>',
    '<c t="str"/>',
    '<c t="str"><v>a &lt;&amp;&gt; &quot;b&apos;</v></c>',
    '<c t="str"><v>_x000D_</v></c>',
    '<c t="str"><v>_x0020_</v></c>',
    '<c t="str"><v>_xD83D__xDE48_ &amp; _x005F_x</v></c>',
    '<c t="str"><v>_x00zz_</v></c>',
    '<c t="str"><v xml:space="preserve">  two\nlines\t</v></c>',
    '<c t="str"><v>Ünïcode 🙈 €</v></c>',
    '<c t="str"><v>   </v></c>',
    '<c t="str"><v>\u00a0\u2003\u3000</v></c>',
    '<c t="str"><v>\u00a0x</v></c>',
    '<c t="inlineStr"><is><t>x</t></is></c>',
    '<c t="inlineStr"><is><t xml:space="preserve"> x </t></is></c>',
    '<c t="inlineStr"><is> <t/> </is></c>',
    '<c t="inlineStr"><is></is></c>',
    '<c t="inlineStr"><v>x</v></c>',
    '<c t="inlineStr"><v></v><is><t>x</t></is></c>',
    '<c t="inlineStr"><is><t>x</t></is><v></v></c>',
    '<c t="b"><v>1</v></c>',
    '<c t="b"><v>0</v></c>',
    '<c t="b"><v> TRUE </v></c>',
    '<c t="e"><v>#N/A</v></c>',
    '<c t="e"><v>#DIV/0!</v></c>',
    '<c t="e"/>',
    '<c t="d"><v>2024-02-29</v></c>',
    '<c t="d"><v>2024-02-29T13:14:15Z</v></c>',
    "<c><f>A1+1</f></c>",
    "<c><f>A1&amp;B1</f><v>5</v></c>",
    '<c><f t="shared" ref="A2:A9" si="0">B1</f><v>5</v></c>',
    '<c><f t="shared" si="0"/><v>5</v></c>',
    '<c t="str"><f>T</f><v>text</v></c>',
    '<c t="str"><v>text</v><f>T</f></c>',
    "<c>\n <v>1</v>\n </c>",
    *[
        f'<c s="1"><v>{serial}</v></c>'
        for serial in (0, 1, 59, 60, 61, 45_000, 2_958_465, 2_958_466, -1, "45000.5", "61.0", "1E4", "x1"[1:])
    ],
    *[f'<c s="2"><v>{serial}</v></c>' for serial in (0, 1, 61, 45_000, "0.75", "0.99999999999")],
    '<c s="3"><v>36526</v></c>',
    '<c s="77"><v>36526</v></c>',
]

ODD = [
    "<c><v>&#49;</v></c>",
    "<c><v><![CDATA[1]]></v></c>",
    "<c><!-- --><v>1</v></c>",
    "<c><?x?><v>1</v></c>",
    "<c r='A2'><v>1</v></c>",
    '<c r = "A2"><v>1</v></c>',
    "<c><v>1</v ></c>",
    "<c><v>1</v></c >",
    '<c t="str"><v>a\r\nb</v></c>',
    '<c s="01"><v>36526</v></c>',
    '<c s="&#49;"><v>36526</v></c>',
    "<c><extLst><ext/></extLst><v>1</v></c>",
    '<c t="inlineStr"><is><r><t>rich</t></r><r><t> text</t></r></is></c>',
    '<c t="inlineStr"><is><t>x</t><t>y</t></is></c>',
    '<c t="inlineStr"><is xml:space="preserve"><t>x</t></is></c>',
    '<c t="s"><v> 1 </v></c>',
    '<c xmlns="urn:other"><v>1</v></c>',
]

WRONG = [
    "<c><v>1</v><v>2</v></c>",
    "<c><v>one</v></c>",
    "<c>text</c>",
    '<c t="x"><v>1</v></c>',
    '<c t="s"><v>99</v></c>',
    '<c t="b"><v>2</v></c>',
    '<c t="d"><v>2023-02-29</v></c>',
    '<c r="A2" r="A2"><v>1</v></c>',
    '<c q="1" q="2"><v>1</v></c>',
    '<c qq="1" qq="2"><v>1</v></c>',
    '<c x:r="A2"><v>1</v></c>',
    '<c r="A2"s="0"><v>1</v></c>',
    '<c r="A9"><v>1</v></c>',
    '<c r="A02"><v>1</v></c>',
    '<c r="a2"><v>1</v></c>',
    '<c r="XFE2"><v>1</v></c>',
    '<c r="2"><v>1</v></c>',
    '<c r=""><v>1</v></c>',
    "<c><v>1]]></v></c>",
    "<c><v>&unknown;</v></c>",
    "<c><v>1 & 2</v></c>",
    "<c><v>\x01</v></c>",
    "<c><v>\ufffe</v></c>",
    '<c><v a="<">1</v></c>',
    "<c><v>1</v>",
    '<c t="n"><is><t>x</t></is></c>',
    '<c t="inlineStr"><v>x</v><is><t>y</t></is></c>',
    '<c r="A2"><v>1</v></c><c r="A2"><v>2</v></c>',
]


def sheet(path: Path, *cells: str, **options: object) -> Path:
    """A workbook with these cells in column A, each in a row of its own, beside a cell that holds something."""
    rows = [
        f'<row r="{number}">{cell.replace("A2", f"A{number}")}<c r="B{number}"><v>1</v></c></row>' for number, cell in enumerate(cells, 2)
    ]
    strings = ["<si><t>zero</t></si>", "<si><t>one &amp; a half</t></si>", "<si><t> </t></si>"]
    return raw(path, HEADER + "".join(rows), strings=strings, formats=FORMATS, **options)


@pytest.mark.parametrize("date1904", [False, True], ids=["1900", "1904"])
def test_known_cells_are_scanned(tmp_path: Path, date1904: bool) -> None:
    """Ordinary workbooks would be read ten times slower, or otherwise than the reference reads them."""
    found = scanned(sheet(tmp_path / "w.xlsx", *KNOWN, date1904=date1904))
    assert found.stats is not None and found.stats["rows"] == len(KNOWN)


@pytest.mark.parametrize("cell", KNOWN)
def test_rows_of_one_cell_count_alike(tmp_path: Path, cell: str) -> None:
    """A row that holds nothing but blanks would be a row to one reader and none to the other."""
    scanned(
        raw(tmp_path / "w.xlsx", HEADER + f'<row r="2">{cell}</row><row r="3"/>', strings=["<si><t>x</t></si>"] * 2 + ["<si><t> </t></si>"])
    )


@pytest.mark.parametrize("cell", ODD)
def test_odd_cells_are_read_by_the_reference_in_the_midst_of_a_scan(tmp_path: Path, cell: str) -> None:
    """Legal but unusual cells would be lost or refused, or one of them would make its whole sheet slow."""
    found = scanned(sheet(tmp_path / "w.xlsx", "<c><v>1</v></c>", cell, "<c><v>2</v></c>"))
    assert found.rows is not None and len(found.rows) == 3


def test_many_odd_cells_are_left_to_the_reference(tmp_path: Path) -> None:
    """A sheet full of unusual cells would be read more slowly than by the reference alone."""
    assert len(scanned(sheet(tmp_path / "w.xlsx", *["<c><!-- --><v>1</v></c>"] * 50)).rows or ()) == 50
    assert len(declined(sheet(tmp_path / "w.xlsx", *["<c><!-- --><v>1</v></c>"] * 150)).rows or ()) == 150


@pytest.mark.parametrize("cell", WRONG, ids=lambda cell: cell[:40])
def test_what_is_wrong_is_refused_with_the_reference_s_code(tmp_path: Path, cell: str) -> None:
    """A damaged sheet would be read as if it were whole, or refused with a code that depends on the reader."""
    found = declined(sheet(tmp_path / "w.xlsx", "<c><v>1</v></c>", cell))
    assert found.code is not None


@pytest.mark.parametrize(
    ("rows", "is_scanned"),
    [
        ("<row><c><v>1</v></c></row><row><c><v>2</v></c></row>", True),
        ('<row r="5" hidden="1"><c><v>1</v></c></row><row hidden="true"><c/></row><row hidden="0" r="9"><c><v>2</v></c></row>', True),
        ('<row r="2" spans="1:3" ht="15" customHeight="1"><c r="C2"><v>1</v></c></row>\n  <row r="3"></row>\n', True),
        ('<row r="2"/><row r="4"/>', True),
        ('<row r="2"><c r="A2" t="str"><v> </v></c></row><row r="3"><c><f>A</f></c></row>', True),
        ('<row r="2"><c r="A2" t="str"><v>_x0020_</v></c><c t="str"><v>_x0009_</v></c></row>', True),
        ('<row r="2"><c r="D2" s="1"/></row>', True),
        ('<row r="2"><c r="D2"><v>1</v></c></row><row><c r="E3" t="e"><v>#REF!</v></c><c r="XFD3" t="str"><v>ü"</v></c></row>', True),
        ('<row><c r="B2" t="str"><v> </v></c><c r="D2" t="str"><v> </v></c></row><row><c r="D3"><f>A1</f></c></row>', True),
        ('<row r="3"><c><v>1</v></c></row><row r="2"><c><v>2</v></c></row>', False),
        ('<row r="3"><c r="A3"><v>1</v></c></row><row r="3"><c r="B3"><v>2</v></c></row>', False),
        ('<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>2</v></c></row>', True),
        (
            '<row><c><v>1</v></c></row><row hidden="1"><c r="B3"><v>1</v></c><c r="A3"><v>2</v></c></row><row r="9"><c><v>3</v></c></row>',
            True,
        ),
        ("<row r='2'><c><v>1</v></c></row><row r='4'><c><v>2</v></c></row>", True),
        ("<row><c><v>1</v></c></row ><row><c><v>2</v></c></row>", False),
        ("<row><c><v>1</v></c><!-- </row> --></row><row><c><v>2</v></c></row>", False),
        ("<row><c t='str'><v><![CDATA[</row>]]></v></c></row><row><c><v>2</v></c></row>", False),
        ("<row><!-- <row --><c><v>1</v></c></row><row><c><v>2</v></c></row>", True),
        ('<row r="02"><c><v>1</v></c></row>', False),
        ("<row r='3'><c><v>1</v></c></row><row r='3'><c r='B3'><v>1</v></c></row>", False),
        ('<row r="1048577"><c><v>1</v></c></row>', False),
        ('<row r="2" r="2"><c><v>1</v></c></row>', False),
        ("<row></row ><row/>", False),
        ("<row>text</row>", False),
        ("text", False),
        ("<!-- --><row><c><v>1</v></c></row>", False),
    ],
)
def test_rows(tmp_path: Path, rows: str, is_scanned: bool) -> None:
    """Rows would be numbered, skipped, sorted or counted otherwise."""
    (scanned if is_scanned else declined)(raw(tmp_path / "w.xlsx", HEADER + rows, formats=FORMATS))


@pytest.mark.parametrize(
    ("before", "after", "is_scanned"),
    [
        ('<dimension ref="A1"/><sheetViews><sheetView workbookViewId="0"/></sheetViews>', "<mergeCells/>", True),
        ("<cols><col min='1' max='1'/></cols>", '<extLst><ext uri="x"/></extLst>', True),
        ("<!-- -->", "", False),
        ("<?x?>", "", False),
        ("", "<!-- -->", True),
        ("", "<sheetData/>", False),
        ("", "<sheetData><row r='9'><c><v>1</v></c></row></sheetData>", False),
        ("<sheetData/>", "", False),
        ("", "text", False),
        ("", "<open>", False),
        ("", "</worksheet><worksheet>", False),
    ],
)
def test_what_stands_around_the_rows(tmp_path: Path, before: str, after: str, is_scanned: bool) -> None:
    """A sheet that is not well-formed would be read, or one with two sets of rows by halves."""
    book = RawWorkbook([RawSheet(HEADER + "<row><c><v>1</v></c></row>", before=before, after=after)])
    (scanned if is_scanned else declined)(book.write(tmp_path / "w.xlsx"))


@pytest.mark.parametrize("prefix", ['xmlns:q="urn:q"', "xmlns:q = 'urn:q'"])
def test_declared_prefixes(tmp_path: Path, prefix: str) -> None:
    """Every workbook of Excel would be left to the reference, for it writes `x14ac:dyDescent` in each row."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rows = f'{HEADER}<row r="2" q:dyDescent="0.25"><c q:x="1" r="A2"><v>1</v></c></row>'
    markup = f"<?xml version='1.0' encoding='utf-8'?><worksheet {main} {prefix}><sheetData>{rows}</sheetData></worksheet>"
    path = RawWorkbook(parts={"xl/worksheets/sheet1.xml": markup}).write(tmp_path / "w.xlsx")
    assert list(texts(scanned(path))) == [("n--", ("1", None, None))]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "us-ascii"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    """Texts in another encoding would arrive garbled."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    name = {"latin-1": "ISO-8859-1"}.get(encoding, encoding)
    rows = f"<sheetData>{HEADER}<row><c><v>1</v></c></row></sheetData>"
    markup = f'<?xml version="1.0" encoding="{name}"?><worksheet xmlns="{main}">{rows}</worksheet>'
    path = RawWorkbook(parts={"xl/worksheets/sheet1.xml": markup.encode(encoding)}).write(tmp_path / "w.xlsx")
    assert declined(path).code is None


def test_the_header_is_the_reference_s(tmp_path: Path) -> None:
    """Titles above the header would be rows, or the header another one."""
    rows = '<row r="2"><c t="str"><v>Title</v></c></row><row r="4"><c t="str"><v>a</v></c><c r="C4" t="str"><v>c</v></c></row>'
    path = raw(tmp_path / "w.xlsx", rows + "<row><c><v>1</v></c></row>")
    found = scanned(path, header=4)
    assert (found.header, found.stats and found.stats["before_header"]) == (("a", "", "c"), 1)
    assert declined(path, header=3).code == "header_missing"
    assert declined(path, header=2, until="blank").code is None


def test_limits_are_the_reference_s(tmp_path: Path) -> None:
    """The scan would let pass what the platform's settings forbid."""
    path = raw(tmp_path / "w.xlsx", HEADER + "".join(f'<row><c t="str"><v>{"x" * 50}</v></c></row>' for _ in range(50)))
    for limits in (Limits(table_cells=100), Limits(rows=40), Limits(columns=2)):
        assert declined(path, limits).code == "limit_reached"
    for limits in (Limits(batch_rows=7), Limits(batch_chars=100), Limits(text_chars=50), Limits(table_cells=150)):
        scanned(path, limits)
    wide = raw(tmp_path / "wide.xlsx", HEADER + f'<row><c t="str"><v>{"ü" * 50}</v></c></row>')
    scanned(wide, Limits(text_chars=50))
    assert list(texts(scanned(wide, Limits(text_chars=49)))) == [("x--", ("ü" * 49, None, None))]


def test_texts_that_no_cell_can_hold(tmp_path: Path) -> None:
    """The scan would give the whole of a text of which the reference gives the beginning, or make it a sound one."""
    cells = f'<c t="str"><v>{"x" * 50}</v></c><c t="inlineStr"><is><t>{"y" * 50}</t></is></c>'
    inline = raw(tmp_path / "inline.xlsx", header_row("a", "b") + "".join(f"<row>{cells}</row>" for _ in range(30)))
    assert set(texts(scanned(inline, Limits(text_chars=40)))) == {("xx", ("x" * 40, "y" * 40))}
    rows = header_row("a") + "".join(f'<row><c t="s"><v>{n % 2}</v></c></row>' for n in range(30))
    shared = raw(tmp_path / "shared.xlsx", rows, strings=["<si><t>short</t></si>", f"<si><t>{'z' * 50}</t></si>"])
    assert set(texts(declined(shared, Limits(text_chars=40)))) == {("s", ("short",)), ("x", ("z" * 40,))}
    scanned(shared)


@pytest.mark.parametrize("more", [-1, 0, 1, 900])
def test_shared_strings_of_any_length(tmp_path: Path, more: int) -> None:
    """Strings that fill their window to the last byte would be left to the reference, or the last of them be lost."""
    rows = header_row("a") + "".join(f'<row><c t="s"><v>{n % 9}</v></c></row>' for n in range(30))
    strings = [f"<si><t>{'x' * 7_000}</t></si>"] * 8
    bare = raw(tmp_path / "bare.xlsx", rows, strings=[*strings, "<si><t></t></si>"])
    tail = "z" * (PIECE + more - strings_size(bare))
    path = raw(tmp_path / "w.xlsx", rows, strings=[*strings, f"<si><t>{tail}</t></si>"])
    assert strings_size(path) == PIECE + more
    assert set(texts(scanned(path))) == {("s", ("x" * 7_000,)), ("s", (tail,))}


def strings_size(path: Path) -> int:
    """Bytes of a workbook's shared strings."""
    with zipfile.ZipFile(path) as book:
        return book.getinfo("xl/sharedStrings.xml").file_size


def number(chance: random.Random) -> str:
    """Digits as programs spell them."""
    value = chance.choice([chance.uniform(-1e6, 1e6), chance.uniform(0, 1), chance.lognormvariate(0, 20), round(chance.uniform(0, 1e5), 2)])
    noisy = round(value, 2) + chance.choice([-1, 1]) * chance.randrange(6) * 2.0**-40
    return chance.choice(
        [repr(value), f"{value:.15g}", f"{value:.16g}", f"{value:.17g}", f"{noisy:.16g}", f"{noisy:.17g}", f"{value:.3f}", str(int(value))]
    )


def test_numbers_are_the_reference_s(tmp_path: Path) -> None:
    """Amounts would differ in their last digits from reader to reader."""
    chance = random.Random(11)
    rows = "".join(f"<row>{''.join(f'<c><v>{number(chance)}</v></c>' for _ in range(3))}</row>" for _ in range(20_000))
    found = scanned(raw(tmp_path / "w.xlsx", HEADER + rows))
    assert found.rows is not None and len(found.rows) == 20_000


@pytest.mark.parametrize("date1904", [False, True], ids=["1900", "1904"])
def test_every_day_is_the_reference_s(tmp_path: Path, date1904: bool) -> None:
    """A leap year somewhere would shift all dates after it by a day."""
    serials = [*range(800), *range(35_000, 37_000), *range(0, 2_958_466, 97), *range(2_956_000, 2_958_470)]
    rows = "".join(f'<row><c s="1"><v>{serial}</v></c></row>' for serial in serials)
    found = scanned(raw(tmp_path / "w.xlsx", HEADER + rows, formats=FORMATS, date1904=date1904))
    assert found.rows is not None and len(found.rows) == len(serials)


def test_every_blank_is_the_reference_s(tmp_path: Path) -> None:
    """A row of unusual spaces would be a row to one reader and none to the other."""
    characters = [chr(code) for code in [*range(0x20, 0x3100), 0xFEFF, 0xFFFD, 0x1F648, 0x10FFFF] if chr(code) not in "<&"]
    rows = "".join(f'<row><c t="str"><v>{character}</v></c></row>' for character in characters)
    found = scanned(raw(tmp_path / "w.xlsx", HEADER + rows))
    assert found.stats is not None and found.stats["blank"] == sum(character.isspace() for character in characters)
