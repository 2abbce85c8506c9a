"""Properties that hold both readers together: on what XlsxWriter writes, on markup in many spellings, on damaged bytes."""

from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shp_core.limits import Limits
from shp_core.reading.scan import sheet, windows
from shp_core.reading.scan import strings as shared
from tests.support.scans import both, scanned
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, written
from tests.test_reading_mutations import SPLICES, mutated
from tests.test_reading_witness import VALUES, sample_rows

QUICK = settings(derandomize="SHP_FUZZ_EXAMPLES" not in os.environ, deadline=None, suppress_health_check=list(HealthCheck))
EXAMPLES = int(os.environ.get("SHP_FUZZ_EXAMPLES", "300"))
ROUNDS = int(os.environ.get("SHP_FUZZ_ROUNDS", "150"))
"""Examples, and mutations per seed; `make fuzz` asks for more."""


@given(rows=st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=8), inline=st.booleans(), date1904=st.booleans())
@settings(QUICK, max_examples=max(EXAMPLES // 3, 100))
def test_what_xlsxwriter_writes(tmp_path: Path, rows: list[list[Any]], inline: bool, date1904: bool) -> None:
    """Some text, number or date that nobody thought of would depend on the size of its sheet."""
    options = {"constant_memory": inline, "default_date_format": "", "date_1904": date1904}
    if date1904:
        rows = [[None if hasattr(value, "year") and value.year < 1904 else value for value in row] for row in rows]
    path = written(tmp_path / "w.xlsx", [["a", "b", "c", "d"], *rows], **options)
    found = scanned(path)
    assert found.header == ("a", "b", "c", "d")


BLANKS = st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n", "  "])
TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "x", " x ", "_x000D_", "_x0020_", "_xD83D__xDE48_", "_x", "a_x005F_b", "\u00a0", "\u3000", "]]", "00123", "é€🙈"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\ufffe\uffff", min_codepoint=0x20), max_size=8),
)
NUMBERS = st.one_of(
    st.sampled_from(["0", "-0", "1", "007", "+1", "1.", ".5", "1e5", "1E-5", "NaN", "1e999", "0.1", "-12.50", "1234567890123456789", "61"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e9, 1e9).map(lambda value: f"{value:.17g}"),
    st.integers(-(10**6), 3 * 10**6).map(str),
    st.decimals(-(10**6), 10**6, places=2).map(str),
)
FORMATS = (0, "yyyy-mm-dd", "hh:mm", "0.00", 22)


@st.composite
def cells(draw: st.DrawFn, column: int, row: int) -> str:
    """Markup of a cell, in some spelling; most are legal."""
    kind = draw(st.sampled_from(["n", "", "s", "str", "inlineStr", "b", "e", "d", ""]))
    attributes = [f't="{kind}"'] if kind else []
    if draw(st.booleans()):
        attributes.append(f'r="{chr(64 + column)}{row}"')
    if draw(st.booleans()):
        attributes.append(f's="{draw(st.sampled_from([0, 1, 2, 3, 4, 9]))}"')
    blanks = draw(st.sampled_from([BLANKS, st.just("")]))  # most programs write none, and have an order
    attributes = sorted(attributes) if blanks is not BLANKS else draw(st.permutations(attributes))
    start = "<c" + "".join(" " + draw(blanks) + attribute for attribute in attributes) + draw(blanks)
    if draw(st.integers(0, 9)) == 0:
        return start + "/>"
    formula = draw(st.sampled_from(["", "", "", "<f>A1</f>", "<f/>", '<f t="shared" si="0">A&lt;B</f>']))
    return f"{start}>{draw(blanks)}{formula}{draw(values(kind))}{draw(blanks)}</c>"


@st.composite
def values(draw: st.DrawFn, kind: str) -> str:
    """Markup of a value."""
    if draw(st.integers(0, 14)) == 0:
        return draw(
            st.sampled_from(
                ["", "<v/>", "<v></v>", "<is/>", "<is><t/></is>", "<!-- -->", "<v>&#65;</v>", "<x/>", "y", "<v><![CDATA[1]]></v>"]
            )
        )
    if kind == "inlineStr":
        space = draw(st.sampled_from(["", ' xml:space="preserve"']))
        return f"<is>{draw(BLANKS)}<t{space}>{escape(draw(TEXTS))}</t></is>"
    spelled = {
        "s": st.integers(0, 6).map(str),
        "str": TEXTS.map(escape),
        "b": st.sampled_from(["0", "1", "true", " FALSE", "2"]),
        "e": st.sampled_from(["#N/A", "#REF!", "odd &amp; even"]),
        "d": st.sampled_from(["2024-01-31", "2024-02-30", "2024-01-31T12:00:00", "12:00:00"]),
    }
    return f"<v>{draw(spelled.get(kind, NUMBERS))}</v>"


@st.composite
def sheets(draw: st.DrawFn) -> str:
    """Markup of some rows of a table with three columns."""
    markup, number = [], 1
    for _ in range(draw(st.integers(1, 5))):
        number += draw(st.sampled_from([1, 1, 1, 1, 2, 5]))
        columns = sorted(draw(st.sets(st.sampled_from([1, 2, 3, 3, 4]), max_size=4)))
        attributes = [f'r="{number}"', *draw(st.sampled_from([[], [], ['hidden="1"'], ['spans="1:3"', 'x:d="0"']]))]
        inside = draw(BLANKS).join(draw(cells(column, number)) for column in columns)
        markup.append(f"<row {' '.join(draw(st.permutations(attributes)))}{draw(BLANKS)}>{inside}{draw(BLANKS)}</row>")
    return draw(BLANKS).join(markup)


RICH = "<si><r><rPr><b/></rPr><t>rich</t></r><r><t xml:space='preserve'> text</t></r><phoneticPr/></si>"
STRINGS = [
    RICH,
    "<si><t>_x0020_</t></si>",
    "<si><t>zero</t></si>",
    "<si><t xml:space='preserve'> one </t></si>",
    "<si> <t>&lt;two&gt;</t></si>",
    "<si><t/></si>",
    "<si><t> </t></si>",
]


@given(rows=sheets(), date1904=st.booleans(), plain=st.booleans())
@settings(QUICK, max_examples=EXAMPLES)
def test_markup_in_many_spellings(tmp_path: Path, rows: str, date1904: bool, plain: bool) -> None:
    """A spelling that the two readers understand differently would change rows without anybody noticing."""
    strings = ["<si><t>s</t></si>"] * 5 if plain else STRINGS
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:x="urn:x"'
    markup = f'<?xml version="1.0"?><worksheet {main}><sheetData>{header_row("a", "b", "c")}{rows}</sheetData></worksheet>'
    book = RawWorkbook(strings=strings, formats=FORMATS, date1904=date1904, parts={"xl/worksheets/sheet1.xml": markup})
    both(book.write(tmp_path / "w.xlsx"), Limits(batch_rows=2))


MORE_SPLICES = [
    *[
        b' r="A3"',
        b" xmlns=''",
        b"<f>",
        b"</is>",
        b"<r>",
        b"\r",
        b"&lt;",
        b"&gt;",
        b"]]",
        b"\xc3\xa9",
        b"\xed\xa0\x80",
        b"\xef\xbf\xbe",
        b"'",
    ],
    *[b"</sheetData>", b"<sheetData>", b"</worksheet>", b"1e5", b".", b"0.30000000000000004", b'hidden="1"', b's="1"', b't="e"', b"/>"],
]


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes(tmp_path: Path, seed: int, part: str) -> None:
    """A damaged file would be refused by one reader and read by the other, or read differently."""
    chance = random.Random(seed)
    whole = written(tmp_path / "whole.xlsx", [list("abcdef"), *sample_rows(12)])
    with zipfile.ZipFile(whole) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    outcomes = set()
    for _ in range(ROUNDS):
        content = mutated(parts[part], chance) if chance.random() < 0.5 else spliced(parts[part], chance)
        path = tmp_path / "w.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            for name, old in parts.items():
                archive.writestr(name, content if name == part else old)
        found, reader = both(path)
        outcomes.add((reader, found.code is None))
    assert outcomes >= {("scan", True), ("refused", False)}


def spliced(content: bytes, chance: random.Random) -> bytes:
    """A part with one thing put in behind a place where something ends or begins."""
    places = [at for at, byte in enumerate(content) if byte in b'<>"=']
    at = chance.choice(places) + chance.choice([0, 1])
    return content[:at] + chance.choice(SPLICES + MORE_SPLICES) + content[at + chance.choice([0, 0, 1]) :]


@pytest.mark.parametrize(("window", "reader"), [(200, "reference"), (310, "scan"), (777, "scan"), (5000, "scan")])
def test_windows_of_any_size(tmp_path: Path, window: int, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one window ends and the next begins, a row would be cut or lost."""
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}.25</v></c><c r="B{n}" t="s"><v>{n % 40}</v></c><c t="str"><v>{"ü" * (n % 29)}&amp;</v></c></row>'
        for n in range(2, 400)
    )
    strings = [f"<si><t>{'s' * n} &amp; é</t></si>" for n in range(40)]
    path = raw(tmp_path / "w.xlsx", header_row("a", "b", "c") + rows, strings=strings)

    class Small(windows.Window):
        def __init__(self, pieces: Any, _capacity: int = 0) -> None:
            super().__init__((piece[at : at + 100] for piece in pieces for at in range(0, len(piece), 100)), window)

    monkeypatch.setattr(sheet, "Window", Small)
    monkeypatch.setattr(shared, "Window", Small)
    found, read_by = both(path)
    assert found.rows is not None and len(found.rows) == 398
    assert read_by == reader


def test_the_repository_s_samples() -> None:
    """The readers would agree on made-up workbooks alone."""
    samples = sorted((Path(__file__).parent.parent / "samples").rglob("*.xlsx"))
    assert len(samples) > 5
    assert {both(path)[1] for path in samples} == {"scan"}


def test_a_sheet_in_the_other_dialect(tmp_path: Path) -> None:
    """Workbooks saved as strict OOXML would come out empty or be read slowly."""
    path = RawWorkbook([RawSheet(header_row("a") + "<row><c><v>1</v></c></row>")], strict=True).write(tmp_path / "w.xlsx")
    assert len(scanned(path).rows or ()) == 1


def test_shared_strings_of_every_kind(tmp_path: Path) -> None:
    """Rich, phonetic, escaped or blank strings would be mixed up, or slow down the plain ones."""
    odd = [
        RICH,
        "<si><t>_x0041__x000D_</t></si>",
        "<si><t>a</t><rPh sb='0' eb='1'><t>b</t></rPh></si>",
        "<si/>",
        "<si><t>a\r\nb&#10;</t></si>",
    ]
    phonetic = ' <phoneticPr fontId="1"/>'
    plain = [f"<si><t>plain {n} &amp; é</t>{phonetic * (n % 2)}</si>" for n in range(3000)]
    strings = [odd[n // 100 % 5] if n % 100 == 0 else plain[n] for n in range(3000)]
    rows = "".join(f'<row><c t="s"><v>{n}</v></c><c t="s"><v>{2999 - n}</v></c></row>' for n in range(3000))
    found = scanned(raw(tmp_path / "w.xlsx", header_row("a", "b") + rows, strings=strings))
    assert found.rows is not None and [found.rows[0]["c1"], found.rows[100]["c1"], found.rows[1]["c1"]] == [
        "rich text",
        "A\r",
        "plain 1 & é",
    ]
    declined_strings = raw(tmp_path / "many.xlsx", header_row("a", "b") + rows, strings=[RICH] * 3000)
    assert len(scanned(declined_strings).rows or ()) == 3000
