"""Files made to hurt, beside those of `tests/test_reading_hostile.py`: zip directories that lie, markup that grows.

Lives here: making them, by code, small on the disk. Must not live here: what the platform should say of them.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from shp_core.limits import MIB
from tests.support.workbooks import DECLARATION, MAIN, RawSheet, RawWorkbook, header_row, raw, text_row

GOOD = header_row("a") + text_row(2, "x")
END, CENTRAL, LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
Maker = Callable[[Path], Path]


def local_header(name: bytes, data: bytes, size: int, crc: int, method: int = 8) -> bytes:
    """What stands before a part's bytes."""
    return LOCAL + struct.pack("<5H3L2H", 20, 0, method, 0, 0, crc, len(data), size, len(name), 0) + name


def central_header(name: bytes, stored: int, size: int, crc: int, offset: int, method: int = 8, comment: bytes = b"") -> bytes:
    """A part's entry in the directory."""
    shared = struct.pack("<H5H3L2H", 20, 20, 0, method, 0, 0, crc, stored, size, len(name), 0)
    return CENTRAL + shared + struct.pack("<3H2L", len(comment), 0, 0, 0, offset) + name + comment


def with_directory(path: Path, body: bytes, entries: Iterable[bytes], count: int | None = None) -> Path:
    """A good workbook with more bytes behind its parts, and more entries in its directory."""
    raw(path, GOOD)
    data = path.read_bytes()
    end = data.rindex(END)
    had, _, start = struct.unpack_from("<HLL", data, end + 10)
    more = list(entries)
    directory = data[start:end] + b"".join(more)
    total = had + len(more) if count is None else count
    tail = _end(total, len(directory), start + len(body))
    path.write_bytes(data[:start] + body + directory + tail)
    return path


def _end(count: int, length: int, start: int) -> bytes:
    if count < 0xFFFF:
        return struct.pack("<4s4H2LH", END, 0, 0, count, count, length, start, 0)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + length, 1)
    return record + locator + struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def parts_end(path: Path) -> int:
    """Where the directory of a good workbook begins; further parts would begin there."""
    data = raw(path, GOOD).read_bytes()
    start: int = struct.unpack_from("<L", data, data.rindex(END) + 16)[0]
    return start


def deflated(content: bytes) -> bytes:
    """Raw deflate."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


def nested_archives(path: Path) -> Path:
    """Four zip files inside each other, ten times a megabyte at the bottom: whoever unpacks them all has ten gigabytes."""
    content = bytes(MIB)
    for _ in range(4):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{number}.zip", content)
        content = file.getvalue()
    return raw(path, GOOD, parts={"xl/embeddings/a.zip": content})


def below_the_floor(path: Path) -> Path:
    """64 MB of zeros: not many enough for the ratio to count, so they are inflated."""
    pieces = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = b"".join(pieces.compress(bytes(MIB)) for _ in range(64)) + pieces.flush()
    crc = 0
    for _ in range(64):
        crc = zlib.crc32(bytes(MIB), crc)
    at, name, size = parts_end(path), b"xl/media/a.bin", 64 * MIB
    return with_directory(path, local_header(name, data, size, crc) + data, [central_header(name, len(data), size, crc, at)])


def overlapping_entries(path: Path) -> Path:
    """A thousand entries of the directory that all lead to the same megabyte."""
    name, content = b"xl/media/a.bin", bytes(MIB)
    data, crc, at = deflated(content), zlib.crc32(content), parts_end(path)
    entries = [central_header(name[:-1] + b"%d" % number, len(data), MIB, crc, at) for number in range(1000)]
    return with_directory(path, local_header(name, data, MIB, crc) + data, entries)


def quoted_entries(path: Path) -> Path:
    """Twenty entries; each holds the next one's header as a stored block, so that all end in the same megabyte."""
    inner, start = bytes(MIB), parts_end(path)
    whole, body, entries = deflated(inner), b"", []
    for number in range(20):
        name, crc = b"xl/media/%02d.bin" % number, zlib.crc32(inner)
        header = local_header(name, whole, len(inner), crc)
        entries.append((name, len(whole), len(inner), crc))
        body, inner = header + whole, header + inner
        whole = b"\x00" + struct.pack("<HH", len(header), len(header) ^ 0xFFFF) + body
    return with_directory(path, body, [central_header(*entry, start + body.index(entry[0]) - 30) for entry in entries])


def _empty_entries(path: Path, number: int, count: int | None = None) -> Path:
    """That many empty parts; the end record may say another number."""
    start, body, entries = parts_end(path), bytearray(), []
    for index in range(number):
        name = b"m/%d" % index
        entries.append(central_header(name, 0, 0, 0, start + len(body), method=0))
        body += local_header(name, b"", 0, 0, method=0)
    return with_directory(path, bytes(body), entries, count)


def hundred_thousand_entries(path: Path) -> Path:
    """A file that is nearly all directory."""
    return _empty_entries(path, 100_000)


def entries_that_wrap_around(path: Path) -> Path:
    """70,000 entries, of which a counter of 16 bits shows 4,464."""
    return _empty_entries(path, 70_000, 70_000 % 65_536)


def countless_entries(path: Path) -> Path:
    """A directory of seven that says it has 2 to the 62nd."""
    return with_directory(path, b"", [], 1 << 62)


def directory_of_comments(path: Path) -> Path:
    """17 MB of comments in the directory."""
    start = parts_end(path)
    body, entries = bytearray(), []
    for number in range(300):
        name = b"m/%d" % number
        entries.append(central_header(name, 0, 0, 0, start + len(body), method=0, comment=b"x" * 60_000))
        body += local_header(name, b"", 0, 0, method=0)
    return with_directory(path, bytes(body), entries)


def giant_inline_string(path: Path) -> Path:
    """An inline text of 16 MB."""
    return raw(path, header_row("a") + text_row(2, "x" * 16 * MIB))


def text_in_crumbs(path: Path) -> Path:
    """A text of 30,000 pieces, each in a section of its own."""
    return raw(path, header_row("a") + f'<row r="2"><c t="inlineStr"><is><t>{"<![CDATA[x]]>" * 30_000}</t></is></c></row>')


def text_of_runs(path: Path) -> Path:
    """A text of 100,000 empty runs."""
    return raw(path, header_row("a") + f'<row r="2"><c t="inlineStr"><is>{"<r><t/></r>" * 100_000}<r><t>x</t></r></is></c></row>')


def giant_number_formats(path: Path) -> Path:
    """70,000 number formats of one's own."""
    formats = "".join(f'<numFmt numFmtId="{number}" formatCode="0"/>' for number in range(200, 70_200))
    styles = f'{DECLARATION}<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts></styleSheet>'
    return raw(path, GOOD, parts={"xl/styles.xml": styles})


def endless_number_format(path: Path) -> Path:
    """A number format of 200 kB."""
    return raw(path, GOOD, formats=[0, "y" * 200_000])


def blank_cells(path: Path) -> Path:
    """A hundred thousand cells that hold nothing but a format."""
    row = '<row r="{}">' + '<c s="0"/>' * 1000 + "</row>"
    return raw(path, GOOD + "".join(row.format(number) for number in range(3, 103)))


def blank_rows(path: Path) -> Path:
    """A hundred thousand rows without a cell."""
    return raw(path, GOOD + "".join(f'<row r="{number}" ht="15"/>' for number in range(3, 100_003)))


LAUGHS = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 10))
PLACES = {
    "workbook": "xl/workbook.xml",
    "strings": "xl/sharedStrings.xml",
    "sheet": "xl/worksheets/sheet1.xml",
    "styles": "xl/styles.xml",
    "relations": "xl/_rels/workbook.xml.rels",
    "types": "[Content_Types].xml",
}
"""Where entities may hide."""


def laughing(place: str) -> Maker:
    """Entities of entities in this part."""

    def make(path: Path) -> Path:
        return raw(path, GOOD, parts={PLACES[place]: f'<!DOCTYPE x [<!ENTITY e0 "ha">{LAUGHS}]><x a="&e9;">&e9;</x>'})

    make.__name__ = f"entities_in_the_{place}"
    make.__doc__ = f"Ten to the ninth times `ha`, in the part {PLACES[place]}."
    return make


def quadratic_entity(path: Path) -> Path:
    """One entity of 100 kB, named ten thousand times: no nesting that a depth would catch."""
    markup = f'<!DOCTYPE x [<!ENTITY e "{"x" * 100_000}">]><x>{"&e;" * 10_000}</x>'
    return raw(path, GOOD, parts={PLACES["sheet"]: markup})


def parameter_entity(path: Path) -> Path:
    """An entity of the DOCTYPE itself."""
    return raw(path, GOOD, parts={PLACES["sheet"]: '<!DOCTYPE x [<!ENTITY % e "<!ELEMENT x ANY>"> %e;]><x/>'})


def other_code_page(path: Path) -> Path:
    """A sheet in an encoding whose tables the reader would have to load."""
    return raw(path, "", parts={PLACES["sheet"]: RawWorkbook().sheet_markup(RawSheet(GOOD)).replace("UTF-8", "windows-1252")})


def unread_code_page(path: Path) -> Path:
    """The same in a part that nobody reads."""
    return raw(path, GOOD, parts={"docProps/app.xml": '<?xml version="1.0" encoding="windows-1252"?><x/>'})


def comment_in_the_strings(path: Path) -> Path:
    """A comment of 12 MB among the shared strings."""
    return raw(path, GOOD, strings=["<!--", "x" * 12 * MIB, "-->"])


def instruction_without_end(path: Path) -> Path:
    """A processing instruction of 12 MB that never ends."""
    return RawWorkbook([RawSheet(GOOD, before="<?x " + "x" * 12 * MIB)]).write(path)


def nesting_in_the_strings(path: Path) -> Path:
    """300,000 elements inside each other, among the shared strings."""
    return raw(path, GOOD, strings=["<x>" * 300_000, "</x>" * 300_000])


def many_namespaces(path: Path) -> Path:
    """A tag that declares thirty thousand namespaces."""
    return RawWorkbook([RawSheet(GOOD, before="<x " + " ".join(f'xmlns:n{n}="u{n}"' for n in range(30_000)) + "/>")]).write(path)


def declared_too_large(path: Path) -> Path:
    """A sheet that says it reaches from A1 to XFD1048576, with three cells."""
    return RawWorkbook([RawSheet(GOOD + text_row(3, "y"), before='<dimension ref="A1:XFD1048576"/>')]).write(path)


def declared_too_small(path: Path) -> Path:
    """A sheet that says it is A1, with six cells."""
    rows = header_row("a", "b") + text_row(2, "x", "y") + text_row(3, "x", "z")
    return RawWorkbook([RawSheet(rows, before='<dimension ref="A1"/>')]).write(path)


def rows_out_of_order(path: Path) -> Path:
    """The header last."""
    return raw(path, text_row(3, "y") + text_row(2, "x") + header_row("a"))


def twin_addresses(path: Path) -> Path:
    """Two cells that are both A2."""
    return raw(path, header_row("a") + '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>')


def column_too_far(path: Path) -> Path:
    """A cell right of XFD."""
    return raw(path, header_row("a") + '<row r="2"><c r="XFE2"><v>1</v></c></row>')


def row_too_far(path: Path) -> Path:
    """A row below 1,048,576."""
    return raw(path, header_row("a") + '<row r="1048577"><c r="A1048577"><v>1</v></c></row>')


HOSTILE: list[tuple[Maker, str]] = [
    (nested_archives, "1 rows"),
    (below_the_floor, "1 rows"),
    (overlapping_entries, "damaged_workbook"),
    (quoted_entries, "unsafe_workbook"),
    (hundred_thousand_entries, "limit_reached entries"),
    (entries_that_wrap_around, "damaged_workbook"),
    (countless_entries, "limit_reached entries"),
    (directory_of_comments, "limit_reached directory_bytes"),
    (giant_inline_string, "1 rows"),
    (text_in_crumbs, "1 rows"),
    (text_of_runs, "1 rows"),
    (giant_number_formats, "limit_reached cell_formats"),
    (endless_number_format, "limit_reached format_chars"),
    (blank_cells, "1 rows"),
    (blank_rows, "1 rows"),
    *[(laughing(place), "unsafe_workbook") for place in PLACES],
    (quadratic_entity, "unsafe_workbook"),
    (parameter_entity, "unsafe_workbook"),
    (other_code_page, "invalid_markup"),
    (unread_code_page, "1 rows"),
    (comment_in_the_strings, "limit_reached token_bytes"),
    (instruction_without_end, "limit_reached token_bytes"),
    (nesting_in_the_strings, "limit_reached depth"),
    (many_namespaces, "1 rows"),
    (declared_too_large, "2 rows"),
    (declared_too_small, "2 rows"),
    (rows_out_of_order, "2 rows"),
    (twin_addresses, "twin_address"),
    (column_too_far, "limit_reached columns"),
    (row_too_far, "limit_reached rows"),
]
"""Each maker, and the code with which its file is refused (with the limit's name), or the rows that it holds."""
