"""Workbooks made by code: written markup by markup, or comfortably by XlsxWriter.

Lives here: nothing but making and damaging files, and reading them back in this process. No binary file is kept in
the repository, and no test needs one.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xlsxwriter

from shp_core.limits import Limits
from shp_core.reading.textrow import SheetSpec, SheetStats, TextRow
from shp_core.reading.workbook import open_table

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


@dataclass
class RawSheet:
    """A worksheet whose markup is given.

    Args:
        rows: what stands inside `<sheetData>`.
        name: the sheet's name.
        state: `visible`, `hidden` or `veryHidden`.
        kind: the relation's kind; a `chartsheet` is no worksheet.
        before: markup before `<sheetData>`.
        after: markup after it.
    """

    rows: str = ""
    name: str = "Sheet1"
    state: str = "visible"
    kind: str = "worksheet"
    before: str = ""
    after: str = ""


@dataclass
class RawWorkbook:
    """A workbook whose every part can be had otherwise.

    Args:
        sheets: the sheets, in the order of the tabs.
        strings: markup of the `<si>` elements, or None for a workbook without shared strings.
        formats: number formats of the cell styles 0, 1, …: an identifier, or a code.
        date1904: whether serials count from 1904.
        strict: use the namespaces of the strict dialect.
        absolute: write the targets of relations as absolute names.
        parts: further parts, or other contents (None: leave the part out), by name.
        stored: store parts instead of deflating them.
    """

    sheets: Sequence[RawSheet] = field(default_factory=lambda: [RawSheet()])
    strings: Sequence[str] | None = None
    formats: Sequence[int | str] = (0,)
    date1904: bool = False
    strict: bool = False
    absolute: bool = False
    parts: Mapping[str, bytes | str | None] = field(default_factory=dict)
    stored: bool = False

    def write(self, path: Path) -> Path:
        """Write the workbook; returns the path."""
        method = zipfile.ZIP_STORED if self.stored else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in {**self._own_parts(), **self.parts}.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    def _own_parts(self) -> dict[str, str]:
        parts = {
            "[Content_Types].xml": self._content_types(),
            "_rels/.rels": self._relations([("rId1", "officeDocument", self._target("xl", "workbook.xml", root=True))]),
            "xl/workbook.xml": self._workbook(),
            "xl/_rels/workbook.xml.rels": self._relations(self._workbook_relations()),
            "xl/styles.xml": self._styles(),
        }
        for number, sheet in enumerate(self.sheets, 1):
            parts[f"xl/worksheets/sheet{number}.xml"] = self.sheet_markup(sheet)
        if self.strings is not None:
            parts["xl/sharedStrings.xml"] = f'{DECLARATION}<sst xmlns="{self._main}">{"".join(self.strings)}</sst>'
        return parts

    def sheet_markup(self, sheet: RawSheet) -> str:
        """A sheet's part."""
        return (
            f'{DECLARATION}<worksheet xmlns="{self._main}" xmlns:r="{self._office}">'
            f"{sheet.before}<sheetData>{sheet.rows}</sheetData>{sheet.after}</worksheet>"
        )

    @property
    def _main(self) -> str:
        return STRICT_MAIN if self.strict else MAIN

    @property
    def _office(self) -> str:
        return STRICT_OFFICE if self.strict else OFFICE

    def _target(self, folder: str, name: str, root: bool = False) -> str:
        if self.absolute:
            return f"/{folder}/{name}"
        return f"{folder}/{name}" if root else name

    def _content_types(self) -> str:
        main = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        return (
            f'{DECLARATION}<Types xmlns="{TYPES}"><Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{main}"/></Types>'
        )

    def _relations(self, relations: Iterable[tuple[str, str, str]]) -> str:
        listed = "".join(
            f'<Relationship Id="{identifier}" Type="{self._office}/{kind}" Target="{target}"/>' for identifier, kind, target in relations
        )
        return f'{DECLARATION}<Relationships xmlns="{PACKAGE}">{listed}</Relationships>'

    def _workbook_relations(self) -> list[tuple[str, str, str]]:
        relations = [
            (f"rId{number}", sheet.kind, self._target("xl", f"worksheets/sheet{number}.xml")) for number, sheet in enumerate(self.sheets, 1)
        ]
        relations.append(("rIdStyles", "styles", self._target("xl", "styles.xml")))
        if self.strings is not None:
            relations.append(("rIdStrings", "sharedStrings", self._target("xl", "sharedStrings.xml")))
        return relations

    def _workbook(self) -> str:
        sheets = "".join(
            f'<sheet name={quoteattr(sheet.name)} sheetId="{number}" state="{sheet.state}" r:id="rId{number}"/>'
            for number, sheet in enumerate(self.sheets, 1)
        )
        return (
            f'{DECLARATION}<workbook xmlns="{self._main}" xmlns:r="{self._office}">'
            f'<workbookPr date1904="{int(self.date1904)}"/><sheets>{sheets}</sheets></workbook>'
        )

    def _styles(self) -> str:
        custom, styles = "", ""
        for number, code in enumerate(self.formats):
            identifier = code if isinstance(code, int) else 164 + number
            styles += f'<xf numFmtId="{identifier}"/>'
            if isinstance(code, str):
                custom += f'<numFmt numFmtId="{identifier}" formatCode={quoteattr(code)}/>'
        return f'{DECLARATION}<styleSheet xmlns="{self._main}"><numFmts>{custom}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>'


def raw(path: Path, rows: str, **options: Any) -> Path:
    """A workbook of one sheet with these rows; `options` are those of `RawWorkbook`."""
    return RawWorkbook([RawSheet(rows)], **options).write(path)


def text_row(number: int, *texts: str | None) -> str:
    """Markup of a row of inline texts; None leaves the cell out."""
    cells = (
        f'<c r="{chr(65 + column)}{number}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'
        for column, text in enumerate(texts)
        if text is not None
    )
    return f'<row r="{number}">{"".join(cells)}</row>'


def header_row(*texts: str) -> str:
    """Markup of a header in row 1."""
    return text_row(1, *texts)


def written(path: Path, rows: Iterable[Sequence[Any]], sheet: str = "Sheet1", **options: Any) -> Path:
    """A workbook written by XlsxWriter.

    Args:
        path: where to.
        rows: rows of texts, numbers, booleans, dates and times; None leaves a cell out.
        sheet: the sheet's name.
        options: options of `xlsxwriter.Workbook`.
    """
    book = xlsxwriter.Workbook(path, options)
    page = book.add_worksheet(sheet)
    formats = {date: book.add_format({"num_format": "yyyy-mm-dd"}), datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})}
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            write_cell(page, y, x, value, formats)
    book.close()
    return path


def write_cell(page: Any, y: int, x: int, value: Any, formats: Mapping[type, Any]) -> None:
    """Write one cell by its Python type, guessing nothing."""
    if isinstance(value, bool):
        page.write_boolean(y, x, value)
    elif isinstance(value, (int, float)):
        page.write_number(y, x, value)
    elif isinstance(value, (date, datetime)):
        page.write_datetime(y, x, value, formats[type(value)])
    elif value is not None:
        page.write_string(y, x, value)


def read(path: Path, limits: Limits | None = None, **spec: Any) -> tuple[tuple[str, ...], list[TextRow], SheetStats]:
    """Header, text rows and counts of a table, read in this process; `spec` is that of `SheetSpec`."""
    with open_table(path, SheetSpec(**spec), limits or Limits()) as table:
        return table.header, list(table), table.stats


def cells(path: Path, limits: Limits | None = None, **spec: Any) -> list[tuple[str, str | None]]:
    """Kind and text of every cell below the header, row after row, cells right of the header left out."""
    _, rows, _ = read(path, limits, **spec)
    return [cell for row in rows for cell in zip(row.kinds, row.texts, strict=True)]


def part_bytes(path: Path, part: str) -> tuple[int, int]:
    """Where a part's stored bytes begin in the file, and how many there are."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(part)
    data = path.read_bytes()
    name_length, extra_length = struct.unpack_from("<2H", data, info.header_offset + 26)
    return info.header_offset + 30 + name_length + extra_length, info.compress_size


def patched(path: Path, at: int, content: bytes) -> Path:
    """Write other bytes over some of a file."""
    data = bytearray(path.read_bytes())
    data[at : at + len(content)] = content
    path.write_bytes(data)
    return path
