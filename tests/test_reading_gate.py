"""What the gate refuses, by which code, before any reader looks at a cell."""

from __future__ import annotations

import ast
import dataclasses
import struct
import zipfile
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.limits import MIB, Limits
from shp_core.reading import problem
from shp_core.reading.problem import Unreadable, shown
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, part_bytes, patched, raw, read, text_row, written

ROWS = header_row("a", "b") + "".join(text_row(number, f"left {number}", "right") for number in range(2, 40))


def refusal(path: Path, limits: Limits | None = None) -> Unreadable:
    """How a file is refused; fails if it is not."""
    with pytest.raises(Unreadable) as caught:
        read(path, limits)
    assert caught.value.code in set(Code)
    return caught.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"P", "not_a_workbook"),
        (b"a,b\n1,2\n", "not_a_workbook"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "not_a_workbook"),
        (b"PK\x05\x06" + bytes(18), "not_a_workbook"),
        (b"PK\x03\x04", "damaged_workbook"),
        (b"PK\x03\x04" + bytes(5000), "damaged_workbook"),
        (bytes(5000), "not_a_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "legacy_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(MIB - 20) + "EncryptedPackage".encode("utf-16-le") + bytes(9), "encrypted_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptionInfo".encode("utf-16-le"), "encrypted_workbook"),
    ],
)
def test_what_is_no_workbook_gets_its_own_code(tmp_path: Path, content: bytes, code: str) -> None:
    """A sender would not be told what to do: send again, save anew, remove the password."""
    path = tmp_path / "report.xlsx"
    path.write_bytes(content)
    assert refusal(path).code == code


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"[Content_Types].xml": None}, "not_a_workbook"),
        ({"_rels/.rels": None}, "not_a_workbook"),
        ({"_rels/.rels": "<x/>"}, "not_a_workbook"),
        ({"xl/workbook.xml": None}, "damaged_workbook"),
        ({"xl/workbook.xml": "<document/>"}, "not_a_workbook"),
        ({"xl/workbook.xml": "<workbook"}, "invalid_markup"),
        ({"xl/_rels/workbook.xml.rels": None}, "damaged_workbook"),
        ({"xl/worksheets/sheet1.xml": None}, "damaged_workbook"),
        ({"xl/worksheets/sheet1.xml": "<other/>"}, "invalid_markup"),
        ({"xl/worksheets/sheet1.xml": ""}, "invalid_markup"),
        ({"xl/styles.xml": None}, "damaged_workbook"),
    ],
)
def test_missing_or_foreign_parts_are_refused(tmp_path: Path, parts: dict[str, str | None], code: str) -> None:
    """Half a workbook, or a text document, would be read as a table without rows."""
    assert refusal(raw(tmp_path / "w.xlsx", ROWS, parts=parts)).code == code


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_file_cut_off_anywhere_is_damaged(tmp_path: Path, tenth: int) -> None:
    """Half an upload would be taken for the whole delivery, and the other half of the rows deleted."""
    path = raw(tmp_path / "w.xlsx", ROWS)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenth // 10])
    assert refusal(path).code == "damaged_workbook"


@pytest.mark.parametrize("more", [b"\x00", b"garbage" * 100])
def test_bytes_after_the_end_are_damage(tmp_path: Path, more: bytes) -> None:
    """Two files stuck together would be read as one of them, and nobody could say which."""
    path = raw(tmp_path / "w.xlsx", ROWS)
    path.write_bytes(path.read_bytes() + more)
    assert refusal(path).code == "damaged_workbook"


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/media/image1.png", "xl/workbook.xml"])
def test_a_byte_that_changed_in_any_part_is_noticed(tmp_path: Path, part: str) -> None:
    """A digit that flipped on the way would be loaded as an amount, although its checksum gives it away."""
    path = raw(tmp_path / "w.xlsx", ROWS, stored=True, parts={"xl/media/image1.png": b"\x89PNG" + bytes(300)})
    start, length = part_bytes(path, part)
    changed = (path.read_bytes()[start + length - 1] + 1) % 256
    assert refusal(patched(path, start + length - 1, bytes([changed]))).code in ("crc_mismatch", "invalid_markup")


def test_a_digit_changed_under_an_old_checksum(tmp_path: Path) -> None:
    """An amount would be off by whatever a bad disk makes of it."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + '<row r="2"><c r="A2"><v>12345</v></c></row>', stored=True)
    at = path.read_bytes().index(b"12345")
    assert refusal(patched(path, at, b"9")).code == "crc_mismatch"


def test_deflated_garbage_is_damage(tmp_path: Path) -> None:
    """A reader would die of it instead of saying what is wrong."""
    path = raw(tmp_path / "w.xlsx", ROWS)
    start, length = part_bytes(path, "xl/worksheets/sheet1.xml")
    assert refusal(patched(path, start, b"\xff" * length)).code == "damaged_workbook"


DOCTYPE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "docProps/app.xml", "xl/drawings/d.vml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_anywhere_is_unsafe(tmp_path: Path, part: str, encoding: str) -> None:
    """A few bytes of entities would grow until the machine is full."""
    assert refusal(raw(tmp_path / "w.xlsx", ROWS, parts={part: (DOCTYPE + "<x>&b;</x>").encode(encoding)})).code == "unsafe_workbook"


def test_a_doctype_in_a_text_is_only_text(tmp_path: Path) -> None:
    """A remark about HTML would get a whole workbook refused."""
    path = raw(
        tmp_path / "w.xlsx", header_row("<!DOCTYPE html>") + text_row(2, "x"), parts={"docProps/app.xml": "<a><![CDATA[<!DOCTYPE x>]]></a>"}
    )
    assert read(path)[0] == ("<!DOCTYPE html>",)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "xl/../../x", "xl/./x", "C:/x", "xl\\x", "xl/a\x1fb"],
)
def test_names_that_lead_elsewhere_are_unsafe(tmp_path: Path, name: str) -> None:
    """Whoever unpacks the kept bytes later would write outside of the folder."""
    assert refusal(raw(tmp_path / "w.xlsx", ROWS, parts={name: "x"})).code == "unsafe_workbook"


def test_a_folder_entry_is_harmless(tmp_path: Path) -> None:
    """Workbooks that were packed again by a zip program would be refused."""
    assert len(read(raw(tmp_path / "w.xlsx", ROWS, parts={"xl/media/": ""}))[1]) == 38


@pytest.mark.parametrize("twin", ["xl/workbook.xml", "XL/Workbook.XML"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_twin_names_are_unsafe(tmp_path: Path, twin: str) -> None:
    """One program would show one content, and this platform would load the other."""
    path = raw(tmp_path / "w.xlsx", ROWS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(twin, "<x/>")
    assert refusal(path).code == "unsafe_workbook"


def central(path: Path, part: str) -> int:
    """Where a part's entry in the zip directory begins."""
    data = path.read_bytes()
    return data.rindex(part.encode()) - 46


@pytest.mark.parametrize(
    ("offset", "content", "code"),
    [
        (8, struct.pack("<H", 1), "unsafe_workbook"),  # encrypted
        (10, struct.pack("<H", 12), "unsafe_workbook"),  # bzip2
        (24, struct.pack("<L", 5), "damaged_workbook"),  # a size that is not the local header's
        (34, struct.pack("<H", 3), "damaged_workbook"),  # on another disk
        (42, struct.pack("<L", 7), "unsafe_workbook"),  # inside another entry
        (42, struct.pack("<L", 10**6), "damaged_workbook"),  # beyond the end
        (0, b"XXXX", "damaged_workbook"),
        (28, struct.pack("<H", 60000), "damaged_workbook"),  # a name longer than the directory
    ],
)
def test_a_directory_that_lies_is_refused(tmp_path: Path, offset: int, content: bytes, code: str) -> None:
    """Readers that believe the directory would read beyond a part, or another part."""
    path = raw(tmp_path / "w.xlsx", ROWS)
    assert refusal(patched(path, central(path, "xl/worksheets/sheet1.xml") + offset, content)).code == code


def test_entries_that_share_their_bytes_are_unsafe(tmp_path: Path) -> None:
    """A small file could be inflated a thousand times over."""
    path = raw(tmp_path / "w.xlsx", ROWS, parts={"xl/a.xml": "<a/>", "xl/b.xml": "<a/>"})
    data = path.read_bytes()
    offset = data[central(path, "xl/a.xml") + 42 :][:4]
    assert refusal(patched(path, central(path, "xl/b.xml") + 42, offset)).code == "unsafe_workbook"


@pytest.mark.parametrize("claimed", [10, 10**6])
def test_sizes_that_lie_in_both_places_are_found_by_inflating(tmp_path: Path, claimed: int) -> None:
    """A bomb would pass as a small part."""
    path = raw(tmp_path / "w.xlsx", ROWS)
    part = "xl/worksheets/sheet1.xml"
    local = path.read_bytes().index(part.encode()) - 30
    patched(path, local + 22, struct.pack("<L", claimed))
    assert refusal(patched(path, central(path, part) + 24, struct.pack("<L", claimed))).code == "damaged_workbook"


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("source_bytes", 100),
        ("entries", 3),
        ("directory_bytes", 50),
        ("part_bytes", 500),
        ("total_bytes", 1000),
        ("aux_part_bytes", 100),
        ("rows", 10),
        ("columns", 1),
        ("table_cells", 10),
        ("cell_formats", 1),
        ("format_chars", 3),
        ("sheets", 1),
        ("shared_string_chars", 10),
        ("depth", 2),
    ],
)
def test_every_limit_is_a_refusal_that_names_it(tmp_path: Path, limit: str, value: int) -> None:
    """A workbook would eat the machine, or an operator would not know which number to raise."""
    sheets = [RawSheet(ROWS, before="<a><b><c><d/></c></b></a>"), RawSheet(name="two")]
    path = RawWorkbook(sheets, strings=["<si><t>0123456789</t></si>"], formats=(0, 1, "yyyy-mm-dd")).write(tmp_path / "w.xlsx")
    refused = refusal(path, dataclasses.replace(Limits(), **{limit: value}))
    assert (refused.code, refused.details) == ("limit_reached", {"limit": limit, "value": value})
    assert f"{limit} = {value}" in refused.message


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    """A megabyte of zip would keep the intake busy with a gigabyte of blanks."""
    path = raw(tmp_path / "w.xlsx", ROWS, parts={"xl/blank.bin": bytes(3 * MIB)})
    assert refusal(path, Limits(ratio_from_bytes=MIB)).details["limit"] == "ratio"
    assert len(read(path)[1]) == 38


@pytest.mark.parametrize("token", ["<!--{}-->", "<?pi {}?>", '<a b="{}"/>', "<{}/>"])
def test_one_endless_token_is_refused(tmp_path: Path, token: str) -> None:
    """A long comment would be scanned again and again until the day is over."""
    path = RawWorkbook([RawSheet(ROWS, before=token.format("x" * 3 * MIB))]).write(tmp_path / "w.xlsx")
    assert refusal(path).details == {"limit": "token_bytes", "value": MIB}


def test_a_long_comment_before_an_unread_part_is_refused(tmp_path: Path) -> None:
    """The look for a DOCTYPE would itself be what hangs."""
    path = raw(tmp_path / "w.xlsx", ROWS, parts={"docProps/app.xml": "<!--" + "x" * 3 * MIB + "--><a/>"})
    assert refusal(path).details == {"limit": "token_bytes", "value": MIB}


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """A parser's stack would grow with the file."""
    path = RawWorkbook([RawSheet(ROWS, before="<a>" * 1000 + "</a>" * 1000)]).write(tmp_path / "w.xlsx")
    assert refusal(path).details["limit"] == "depth"


ENDLESS = "x" * 3 * MIB


@pytest.mark.parametrize(
    ("cell", "strings"),
    [
        (f'<c t="inlineStr"><is><t>{ENDLESS}</t></is></c>', None),
        (f'<c t="inlineStr"><is>{f"<r><t>{ENDLESS[:100]}</t></r>" * 1000}</is></c>', None),
        (f'<c t="str"><v>{ENDLESS}</v></c>', None),
        ('<c t="s"><v>0</v></c>', [f"<si><t>{ENDLESS}</t></si>"]),
        ('<c t="s"><v>0</v></c>', ["<si>", f"<r><t>{ENDLESS}</t></r>" * 3, "</si>"]),
    ],
)
def test_of_an_endless_text_the_beginning_is_read(tmp_path: Path, cell: str, strings: list[str] | None) -> None:
    """One cell would fill the memory, or cost the whole file."""
    path = raw(tmp_path / "w.xlsx", header_row("a", "b") + f'<row r="2">{cell}<c t="str"><v>y</v></c></row>', strings=strings)
    _, (row,), stats = read(path)
    assert (row.kinds, row.texts) == ("xs", ("x" * 32767, "y"))
    assert (stats.cells, stats.error_cells) == (2, 0)


@pytest.mark.parametrize("kind", ["n", "s", "b", "d"])
def test_the_beginning_of_a_value_is_never_taken_for_the_whole(tmp_path: Path, kind: str) -> None:
    """A number of a million digits would be read as another one."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + f'<row r="2"><c t="{kind}"><v>{"1" * MIB}</v></c></row>', strings=["<si/>"])
    assert refusal(path).code == "invalid_markup"


def test_a_header_that_no_cell_can_hold_is_refused(tmp_path: Path) -> None:
    """A column would be known by the beginning of its name."""
    path = raw(tmp_path / "w.xlsx", header_row(ENDLESS) + text_row(2, "x"))
    assert refusal(path).details == {"limit": "text_chars", "value": 32767}


def test_the_longest_text_of_the_format_is_read(tmp_path: Path) -> None:
    """A legal cell would get its file refused."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + text_row(2, "x" * 32767))
    assert read(path)[1][0].texts == ("x" * 32767,)


def test_ten_thousand_entries_are_legal(tmp_path: Path) -> None:
    """A workbook with many pictures would be refused."""
    path = raw(tmp_path / "w.xlsx", ROWS, stored=True, parts={f"xl/media/{number}.png": "x" for number in range(10_000)})
    assert len(read(path)[1]) == 38


def test_a_zip64_workbook_is_read(tmp_path: Path) -> None:
    """Files of programs that always write zip64 would be refused."""
    path = written(tmp_path / "w.xlsx", [["a"], ["x"]])
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    count, length, start = struct.unpack_from("<HLL", data, end + 10)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    narrow = struct.pack("<4s4H2LH", b"PK\x05\x06", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(bytes(data[:end]) + record + locator + narrow)
    assert read(path)[1][0].texts == ("x",)


def test_a_streamed_zip_is_read(tmp_path: Path) -> None:
    """Workbooks that a web service wrote without seeking (sizes behind the data) would be refused."""
    path = tmp_path / "w.xlsx"
    source = raw(tmp_path / "s.xlsx", ROWS)

    class Unseekable:
        def __init__(self) -> None:
            self.file = path.open("wb")

        def write(self, data: bytes) -> int:
            return self.file.write(data)

        def flush(self) -> None:
            self.file.flush()

    out = Unseekable()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:  # type: ignore[call-overload]
        for name in old.namelist():
            new.writestr(name, old.read(name))
    out.file.close()
    assert len(read(path)[1]) == 38


def spelled_codes() -> set[str]:
    """Every code with which the reading modules refuse, as they spell it."""
    codes = {problem.DAMAGED, problem.MARKUP, problem.UNSAFE}
    for path in Path(problem.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Unreadable":
                codes |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return codes


def test_every_code_of_the_reading_modules_exists() -> None:
    """A refusal would crash the parent, because these modules spell codes as text."""
    assert len(spelled_codes()) > 8
    assert spelled_codes() <= set(Code)


def test_names_in_messages_are_harmless() -> None:
    """A file's name could write into a terminal or forge a line of a log."""
    assert shown("a\nb\x1b[31m\u202e") == "'a\\nb\\x1b[31m\\u202e'"
    assert len(shown("x" * 1000)) < 100


@pytest.mark.parametrize("limit", ["rows", "source_bytes", "child_wait_seconds"])
def test_a_limit_of_nothing_is_refused(limit: str) -> None:
    """A slip in a settings file would silently refuse every delivery."""
    with pytest.raises(ValueError, match=limit):
        Limits(**{limit: 0})
