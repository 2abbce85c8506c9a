"""Workbooks as many programs write them: containers, relations and sheets that are unusual and legal."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from shp_core.reading.problem import Unreadable
from tests.support.workbooks import MAIN, OFFICE, PACKAGE, STRICT_MAIN, RawSheet, RawWorkbook, cells, header_row, raw, read, text_row

TWO = header_row("a") + text_row(2, "x")
RIGHT = [("s", "x")]


def relations(*listed: tuple[str, str, str, str]) -> str:
    """Markup of relations: (identifier, type, target, further attributes)."""
    found = "".join(f'<Relationship Id="{name}" Type="{kind}" Target="{target}" {more}/>' for name, kind, target, more in listed)
    return f'<Relationships xmlns="{PACKAGE}">{found}</Relationships>'


def moved(path: Path, parts: Mapping[str, bytes | str | None]) -> Path:
    """A workbook with one row, some parts of which are otherwise or elsewhere."""
    return raw(path, TWO, parts=parts)


def code(path: Path) -> str:
    """The code with which a workbook is refused."""
    with pytest.raises(Unreadable) as caught:
        read(path)
    return caught.value.code


# containers


def rezipped(path: Path, **options: object) -> Path:
    """The smallest workbook, zipped by other means: options of `ZipInfo`, or `comment` and `prefix`."""
    comment, extra = options.pop("comment", b""), options.pop("extra", b"")
    with zipfile.ZipFile(raw(path.with_suffix(".first"), TWO)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.extra = zipfile.ZIP_DEFLATED, extra  # type: ignore[assignment]
            with new.open(info, "w", force_zip64=bool(options.get("force_zip64"))) as part:
                part.write(old.read(name))
        new.comment = comment  # type: ignore[assignment]
    return path


@pytest.mark.parametrize(
    "options",
    [{"comment": b"made by a program"}, {"comment": b"PK\x05\x06" + bytes(30)}, {"extra": b"\xca\xfe\x04\x00abcd"}, {"force_zip64": True}],
    ids=["comment", "comment like an end", "extra field", "zip64 entries"],
)
def test_legal_containers_are_read(tmp_path: Path, options: dict[str, object]) -> None:
    """Workbooks of programs with a zip library of their own would be refused."""
    assert cells(rezipped(tmp_path / "w.xlsx", **options)) == RIGHT


@pytest.mark.parametrize("name", ["xl/media/bild ä.png", "xl/media/图.png", "xl/media/naïve & <b>.png", "xl/media/" + "n" * 200])
def test_names_in_any_script_are_legal(tmp_path: Path, name: str) -> None:
    """A picture with an umlaut in its name would get a workbook refused."""
    assert cells(moved(tmp_path / "w.xlsx", {name: b"x"})) == RIGHT


def test_two_zips_one_after_the_other_are_refused(tmp_path: Path) -> None:
    """One program would read the first workbook, and this platform the second."""
    first, second = (moved(tmp_path / f"{name}.xlsx", {}).read_bytes() for name in "ab")
    path = tmp_path / "both.xlsx"
    path.write_bytes(first + second)
    assert code(path) == "damaged_workbook"


def test_a_zip_inside_a_zip_is_no_workbook(tmp_path: Path) -> None:
    """A workbook that was zipped by its sender would be read as a broken one."""
    inner = io.BytesIO(moved(tmp_path / "w.xlsx", {}).read_bytes())
    with zipfile.ZipFile(tmp_path / "outer.xlsx", "w") as archive:
        archive.writestr("report.xlsx", inner.getvalue())
    assert code(tmp_path / "outer.xlsx") == "not_a_workbook"


# relations


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
        ("/xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
        ("./worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
        ("../xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
        ("../sheet.xml", "sheet.xml"),
        ("tables/main.xml", "xl/tables/main.xml"),
        ("WORKSHEETS/SHEET1.XML", "xl/worksheets/sheet1.xml"),
    ],
)
def test_targets_are_resolved(tmp_path: Path, target: str, place: str) -> None:
    """The sheet of a workbook would not be found, because its program calls it otherwise."""
    markup = RawWorkbook().sheet_markup(RawSheet(TWO))
    parts = {"xl/worksheets/sheet1.xml": None, place: markup}
    parts["xl/_rels/workbook.xml.rels"] = relations(("rId1", f"{OFFICE}/worksheet", target, ""))
    assert cells(moved(tmp_path / "w.xlsx", parts)) == RIGHT


@pytest.mark.parametrize("target", ["../../../../etc/passwd", "/etc/passwd", "", "sheet9.xml", "file:///etc/passwd"])
def test_targets_that_lead_nowhere_are_damage(tmp_path: Path, target: str) -> None:
    """A workbook could have a file of this machine read as its sheet."""
    parts = {"xl/_rels/workbook.xml.rels": relations(("rId1", f"{OFFICE}/worksheet", target, ""))}
    assert code(moved(tmp_path / "w.xlsx", parts)) == "damaged_workbook"


def test_an_external_sheet_is_none(tmp_path: Path) -> None:
    """The reader would go and fetch something from an address that a file names."""
    parts = {"xl/_rels/workbook.xml.rels": relations(("rId1", f"{OFFICE}/worksheet", "http://localhost/s.xml", 'TargetMode="External"'))}
    assert code(moved(tmp_path / "w.xlsx", parts)) == "damaged_workbook"


@pytest.mark.parametrize("name", ["book.xml", "xl/other.xml", "content/book/w.xml"])
def test_the_workbook_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """Only workbooks of one program would be found."""
    book = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
    folder, _, file = name.rpartition("/")
    parts = {
        "xl/workbook.xml": None,
        "xl/_rels/workbook.xml.rels": None,
        name: book,
        f"{folder}/_rels/{file}.rels".lstrip("/"): relations(("r1", f"{OFFICE}/worksheet", "/xl/worksheets/sheet1.xml", "")),
        "_rels/.rels": relations(("x", f"{OFFICE}/officeDocument", name, "")),
    }
    assert cells(moved(tmp_path / "w.xlsx", parts)) == RIGHT


def test_other_relations_do_not_matter(tmp_path: Path) -> None:
    """Links, themes and pictures would be taken for sheets."""
    kinds = ["theme", "externalLink", "calcChain", "worksheetSource", "image", "x/worksheet"]
    listed = [(f"o{number}", f"{OFFICE}/{kind}", "nowhere.xml", "") for number, kind in enumerate(kinds)]
    listed.append(("rId1", f"{OFFICE}/worksheet", "worksheets/sheet1.xml", ""))
    assert cells(moved(tmp_path / "w.xlsx", {"xl/_rels/workbook.xml.rels": relations(*listed)})) == RIGHT


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("word/document.xml", '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'),
        ("ppt/presentation.xml", '<p:presentation xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"/>'),
        ("xl/workbook.bin", "\x83\x01\x00"),
    ],
)
def test_documents_of_other_kinds_are_no_workbooks(tmp_path: Path, target: str, content: str) -> None:
    """A letter called .xlsx would be reported as a damaged workbook, and sent again."""
    parts = {"_rels/.rels": relations(("x", f"{OFFICE}/officeDocument", target, "")), target: content, "xl/workbook.xml": None}
    assert code(moved(tmp_path / "w.xlsx", parts)) == "not_a_workbook"


# the workbook


def book_of(*sheets: str, properties: str = "") -> dict[str, bytes | str | None]:
    """A workbook part with this list of sheets."""
    markup = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{properties}<sheets>{"".join(sheets)}</sheets></workbook>'
    return {"xl/workbook.xml": markup}


def test_sheets_without_a_part_are_passed_over(tmp_path: Path) -> None:
    """A macro sheet or a broken entry would stand in for the first sheet."""
    parts = book_of('<sheet name="gone" r:id="rId9"/>', '<sheet name="no id"/>', '<sheet name="S" r:id="rId1"/>')
    assert read(moved(tmp_path / "w.xlsx", parts))[2].sheet == "S"


def test_a_workbook_without_sheets_is_damaged(tmp_path: Path) -> None:
    """It would be read as a table without rows."""
    assert code(moved(tmp_path / "w.xlsx", book_of())) == "damaged_workbook"


def test_a_strict_workbook_may_hold_transitional_sheets(tmp_path: Path) -> None:
    """Workbooks that a program converted in part would be read as empty."""
    sheet = RawWorkbook().sheet_markup(RawSheet(TWO))
    strict = RawWorkbook([RawSheet(TWO)], strict=True, parts={"xl/worksheets/sheet1.xml": sheet})
    assert cells(strict.write(tmp_path / "w.xlsx")) == RIGHT
    assert STRICT_MAIN.encode() in zipfile.ZipFile(tmp_path / "w.xlsx").read("xl/workbook.xml")


def test_views_names_and_calculation_do_not_matter(tmp_path: Path) -> None:
    """A hidden name or the active tab would change which sheet is read."""
    properties = '<fileVersion appName="xl"/><workbookPr/><bookViews><workbookView activeTab="3" firstSheet="2"/></bookViews>'
    assert cells(moved(tmp_path / "w.xlsx", book_of('<sheet name="S" r:id="rId1"/>', properties=properties))) == RIGHT


@pytest.mark.parametrize("name", ["a &amp; b", "&#x1F648;", " padded ", "'quoted'", "x" * 31])
def test_sheets_are_found_by_any_name(tmp_path: Path, name: str) -> None:
    """A feed could not name its sheet."""
    spelled = name.replace("&amp;", "&").replace("&#x1F648;", "🙈")
    path = moved(tmp_path / "w.xlsx", book_of(f'<sheet name="{name}" r:id="rId1"/>'))
    assert read(path, sheet=spelled)[2].sheet == spelled


# fidelity: the list of values that readers are known to spoil

VALUES = {
    "leading zeros": (' t="inlineStr"><is><t>00123</t></is>', ("s", "00123")),
    "2^53 + 1": ("><v>9007199254740993</v>", ("n", "9007199254740993")),
    "0.1 + 0.2": ("><v>0.30000000000000004</v>", ("n", "0.3")),
    "a profit": ("><v>8625.3899999999994</v>", ("n", "8625.39")),
    "trailing blanks": (' t="inlineStr"><is><t xml:space="preserve">a  </t></is>', ("s", "a  ")),
    "carriage return": (' t="inlineStr"><is><t>a_x000D_\nb</t></is>', ("s", "a\r\nb")),
    "NUL": (' t="inlineStr"><is><t>_x0000_</t></is>', ("s", "\x00")),
    "vertical tab": (' t="inlineStr"><is><t>a_x000B_b</t></is>', ("s", "a\vb")),
    "a date that never was": (' s="1"><v>60</v>', ("n", "60")),
    "the day before": (' s="1"><v>59</v>', ("d", "1900-02-28")),
    "the day after": (' s="1"><v>61</v>', ("d", "1900-03-01")),
    "before time": (' s="1"><v>-1</v>', ("n", "-1")),
    "after time": (' s="1"><v>2958466</v>', ("n", "2958466")),
    "the last day": (' s="1"><v>2958465</v>', ("d", "9999-12-31")),
    "a duration": (' s="2"><v>1.25</v>', ("n", "1.25")),
    "a time": (' s="3"><v>0.75</v>', ("d", "18:00:00")),
    "an error": (' t="e"><v>#REF!</v>', ("e", "#REF!")),
    "not available": (' t="e"><v>#N/A</v>', ("e", "#N/A")),
    "a text like an error": (' t="inlineStr"><is><t>#REF!</t></is>', ("s", "#REF!")),
    "a text like a formula": (' t="inlineStr"><is><t>=1+1</t></is>', ("s", "=1+1")),
    "a text like a date": (' t="inlineStr"><is><t>2024-01-05</t></is>', ("s", "2024-01-05")),
    "a large number": ("><v>1E+21</v>", ("n", "1000000000000000000000")),
    "a small number": ("><v>1.5E-9</v>", ("n", "0.0000000015")),
    "negative zero": ("><v>-0</v>", ("n", "0")),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_that_readers_are_known_to_spoil(tmp_path: Path, case: str) -> None:
    """The very values for which this reader was written would be spoiled by it."""
    markup, expected = VALUES[case]
    rows = header_row("a", "b") + f'<row r="2"><c r="A2"{markup}</c><c r="B2"><v>1</v></c></row>'
    assert cells(raw(tmp_path / "w.xlsx", rows, formats=(0, 14, "[h]:mm", "h:mm")))[0] == expected
