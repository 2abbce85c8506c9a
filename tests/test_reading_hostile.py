"""Files made to hurt, through the real process: the expected code, at once, in little memory, and a good file after.

The memory of each reader is limited to little more than an idle one has, so a reader that holds what a file makes it
hold would answer `reader_out_of_memory` instead of the code that is expected.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shp_core.errors import Refusal
from shp_core.limits import GIB, MIB, Limits
from shp_core.reading.textrow import SheetSpec
from shp_resources.reader import WorkbookReader
from tests.support.waiting import worked
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, text_row

LIMITS = Limits(child_memory_bytes=400 * MIB, disorder_cells=100_000)
GOOD = header_row("a") + text_row(2, "x")
SECONDS = 3.0
"""Of processor time, with the reading process's; two would do on an idle machine."""


def answer(path: Path) -> str:
    """The code of a refusal, with its limit, or the number of rows."""
    try:
        with WorkbookReader(LIMITS).open(path, SheetSpec()) as rows:
            return f"{sum(batch.num_rows for batch in rows)} rows"
    except Refusal as refusal:
        limit = refusal.details.get("limit")
        return f"{refusal.code} {limit}" if limit else str(refusal.code)


def appended(path: Path, entries: list[tuple[str, bytes, int, int]]) -> Path:
    """A workbook with further parts whose stored bytes, sizes and checksums are given: (name, deflated, size, crc)."""
    raw(path, GOOD)
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    count, _, start = struct.unpack_from("<HLL", data, end + 10)
    body, directory = bytearray(data[:start]), bytearray(data[start:end])
    for name, deflated, size, crc in entries:
        offset = len(body)
        shared = struct.pack("<5H3L2H", 20, 0, 8, 0, 0, crc, len(deflated), size, len(name), 0)
        body += b"PK\x03\x04" + shared + name.encode() + deflated
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + shared + struct.pack("<3H2L", 0, 0, 0, 0, offset) + name.encode()
    total = count + len(entries)
    path.write_bytes(body + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, total, total, len(directory), len(body), 0))
    return path


def deflated_zeros(size: int) -> bytes:
    """Raw deflate of many zero bytes, made in pieces."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [deflater.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join(pieces) + deflater.flush()


def flat_bomb(path: Path) -> Path:
    """300 MB of zeros in 300 kB."""
    return appended(path, [("xl/media/a.bin", deflated_zeros(300 * MIB), 300 * MIB, 0)])


def many_bombs(path: Path) -> Path:
    """Many parts, none of which is large enough to be looked at alone."""
    bomb = deflated_zeros(64 * MIB)
    return appended(path, [(f"xl/media/{number}.bin", bomb, 64 * MIB, 0) for number in range(20)])


def lying_bomb(path: Path) -> Path:
    """300 MB that say they are 1000 bytes."""
    return appended(path, [("xl/media/a.bin", deflated_zeros(300 * MIB), 1000, 0)])


def boasting_part(path: Path) -> Path:
    """A part that says it is larger than any limit."""
    return appended(path, [("xl/media/a.bin", b"\x03\x00", 4 * GIB - 2, 0)])


def thirty_thousand_entries(path: Path) -> Path:
    """A file that is nearly all directory."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{number}", b"")
    return path


def one_giant_string(path: Path) -> Path:
    """A shared string of 60 MB."""
    return raw(path, GOOD, strings=["<si><t>", "x" * 60 * MIB, "</t></si>"])


def giant_string_table(path: Path) -> Path:
    """A million empty shared strings in 5 kB."""
    return raw(path, GOOD, strings=["<si/>" * 100_000] * 10)


def giant_styles(path: Path) -> Path:
    """A million cell formats."""
    return raw(path, GOOD, formats=[0] * 1_000_000)


def blanks(path: Path) -> Path:
    """60 MB of white space between two rows."""
    return raw(path, GOOD + " " * 60 * MIB + text_row(3, "y"))


def long_comment(path: Path) -> Path:
    """A comment of 60 MB."""
    return RawWorkbook([RawSheet(GOOD, before="<!--" + "x" * 60 * MIB + "-->")]).write(path)


def long_attribute(path: Path) -> Path:
    """An attribute of 60 MB."""
    return RawWorkbook([RawSheet(GOOD, before='<x a="' + "x" * 60 * MIB + '"/>')]).write(path)


def deep_nesting(path: Path) -> Path:
    """Three million elements inside each other, where no reader looks."""
    return RawWorkbook([RawSheet(GOOD, after="<x>" * 3_000_000 + "</x>" * 3_000_000)]).write(path)


def deep_nesting_in_the_workbook(path: Path) -> Path:
    """A million elements inside each other, in a part that is read whole."""
    return raw(path, GOOD, parts={"xl/workbook.xml": "<x>" * 1_000_000 + "</x>" * 1_000_000})


def many_attributes(path: Path) -> Path:
    """A tag of fifty thousand attributes."""
    return RawWorkbook([RawSheet(GOOD, before="<x " + " ".join(f'a{n}="1"' for n in range(50_000)) + "/>")]).write(path)


def billion_laughs(path: Path) -> Path:
    """Entities of entities."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return raw(path, "", parts={"xl/worksheets/sheet1.xml": f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e9;</x>'})


def external_entity(path: Path) -> Path:
    """An entity that names a file of this machine."""
    return raw(path, "", parts={"xl/sharedStrings.xml": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'})


def two_far_cells(path: Path) -> Path:
    """A1 and XFD1048576."""
    return raw(path, header_row("a") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def wide_table(path: Path) -> Path:
    """A header of 16,384 columns, and twenty thousand rows of one cell: 330 million places for 20,000 values."""
    wide = "".join("<c><v>1</v></c>" for _ in range(16384))
    return raw(path, f'<row r="1">{wide}</row>' + "<row><c><v>1</v></c></row>" * 20_000)


def twin_rows(path: Path) -> Path:
    """The same row again and again."""
    return raw(path, header_row("a") + '<row r="2"><c r="A2"><v>1</v></c></row>' * 40_000)


def turned_upside_down(path: Path) -> Path:
    """More cells than are held, in rows from the last to the first."""
    return raw(path, "".join(f'<row r="{number}"><c><v>1</v></c></row>' for number in range(60_000, 0, -1)))


HOSTILE: list[tuple[Callable[[Path], Path], str]] = [
    (flat_bomb, "limit_reached ratio"),
    (many_bombs, "limit_reached ratio"),
    (lying_bomb, "damaged_workbook"),
    (boasting_part, "limit_reached ratio"),
    (thirty_thousand_entries, "limit_reached entries"),
    (one_giant_string, "1 rows"),
    (giant_string_table, "1 rows"),
    (giant_styles, "limit_reached cell_formats"),
    (blanks, "2 rows"),
    (long_comment, "limit_reached token_bytes"),
    (long_attribute, "limit_reached token_bytes"),
    (deep_nesting, "limit_reached depth"),
    (deep_nesting_in_the_workbook, "limit_reached depth"),
    (many_attributes, "1 rows"),
    (billion_laughs, "unsafe_workbook"),
    (external_entity, "unsafe_workbook"),
    (two_far_cells, "1 rows"),
    (twin_rows, "twin_address"),
    (turned_upside_down, "limit_reached disorder_cells"),
]


@pytest.mark.parametrize(("make", "expected"), HOSTILE, ids=[make.__name__ for make, _ in HOSTILE])
def test_a_hostile_file_gets_its_answer_at_once(tmp_path: Path, make: Callable[[Path], Path], expected: str) -> None:
    """One file would stop the intake of all others, or take the machine down."""
    path = make(tmp_path / "hostile.xlsx")
    before = worked()
    assert answer(path) == expected
    assert worked() - before < SECONDS
    assert answer(raw(tmp_path / "good.xlsx", GOOD)) == "1 rows"


def test_a_table_of_nothing_is_refused_by_its_places(tmp_path: Path) -> None:
    """A small file would be laid out as hundreds of millions of blanks."""
    path = wide_table(tmp_path / "w.xlsx")
    with pytest.raises(Refusal) as caught, WorkbookReader(Limits(table_cells=10_000_000)).open(path, SheetSpec()) as rows:
        for batch in rows:
            assert batch.num_rows <= 4 * MIB // (4 * 16384) + 1
    assert caught.value.details == {"limit": "table_cells", "value": 10_000_000}
