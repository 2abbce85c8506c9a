"""What a workbook consists of: its sheets, epoch, styles and shared strings, found through relationships.

Must not live here: cells. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from shp_core.limits import Limits
from shp_core.reading.container import Container
from shp_core.reading.formats import BUILTIN, shows
from shp_core.reading.parts import RELATION_ID, Element, elements
from shp_core.reading.problem import DAMAGED, MARKUP, Unreadable, limit_reached, shown

_ROOT_RELATIONS = "_rels/.rels"
_PREFIXES = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/",
    "http://purl.oclc.org/ooxml/officeDocument/relationships/",
)
_KINDS = frozenset(("officeDocument", "worksheet", "styles", "sharedStrings"))
_TRUE, _FALSE = ("1", "true", "on"), ("0", "false", "off")


@dataclass(frozen=True)
class Sheet:
    """One worksheet: its name, whether it is hidden, its part. Chart and dialog sheets are not worksheets."""

    name: str
    hidden: bool
    part: str


@dataclass(frozen=True)
class Workbook:
    """What reading a sheet needs to know of its workbook.

    Args:
        sheets: the worksheets, in the order of the tabs.
        date1904: whether serial numbers count from 1904.
        dated: by style number as cells spell it, what its number format shows (`formats`); other styles are left out.
        strings: the part that holds the shared strings, or None.
    """

    sheets: tuple[Sheet, ...]
    date1904: bool
    dated: dict[str, str]
    strings: str | None

    def find(self, wanted: int | str) -> Sheet | None:
        """The sheet that is meant: a position among the visible ones, from 1, or a name, even of a hidden one."""
        if isinstance(wanted, str):
            return next((sheet for sheet in self.sheets if sheet.name == wanted), None)
        visible = [sheet for sheet in self.sheets if not sheet.hidden]
        return visible[wanted - 1] if 1 <= wanted <= len(visible) else None


@dataclass(frozen=True)
class _Relation:
    kind: str
    part: str


def read_package(container: Container, limits: Limits) -> Workbook:
    """Find out what a workbook consists of.

    Args:
        container: the open container.
        limits: what is accepted.

    Raises:
        Unreadable: `not_a_workbook` (another kind of document), `damaged_workbook`, `invalid_markup`, ...
    """
    if _ROOT_RELATIONS not in container:
        raise Unreadable("not_a_workbook", f"a zip file without {_ROOT_RELATIONS} is not a workbook")
    main = _first(_relations(container, _ROOT_RELATIONS, "", limits), "officeDocument")
    if main is None:
        raise Unreadable("not_a_workbook", "the file holds no document of an office program")
    relations = _relations(container, _relations_part(main), posixpath.dirname(main), limits)
    sheets, date1904 = _workbook(container, main, relations, limits)
    styles = _first(relations, "styles")
    dated = _dated_styles(container, styles, limits) if styles else {}
    return Workbook(sheets, date1904, dated, _first(relations, "sharedStrings"))


def _relations_part(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", name + ".rels")


def _relations(container: Container, part: str, folder: str, limits: Limits) -> dict[str, _Relation]:
    """The relations that matter, by their identifiers."""
    if part not in container:
        return {}
    found: dict[str, _Relation] = {}
    for element in elements(container, part, limits):
        kind = _kind(element.attributes.get("Type", ""))
        if element.path == "/Relationships/Relationship" and kind and element.attributes.get("TargetMode") != "External":
            found[element.attributes.get("Id", "")] = _Relation(kind, _resolve(folder, element.attributes.get("Target", "")))
        if len(found) > limits.sheets:
            raise limit_reached("sheets", limits.sheets, f"the part {shown(part)}")
    return found


def _kind(type_name: str) -> str:
    """The last word of a relation's type, if it is one that matters."""
    for prefix in _PREFIXES:
        if type_name.startswith(prefix) and type_name[len(prefix) :] in _KINDS:
            return type_name[len(prefix) :]
    return ""


def _resolve(folder: str, target: str) -> str:
    """A part's name from a target that is absolute or relative to the folder of the part that names it."""
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")


def _first(relations: dict[str, _Relation], kind: str) -> str | None:
    return next((relation.part for relation in relations.values() if relation.kind == kind), None)


def _workbook(container: Container, part: str, relations: dict[str, _Relation], limits: Limits) -> tuple[tuple[Sheet, ...], bool]:
    sheets: list[Sheet] = []
    date1904, is_workbook = False, False
    for element in elements(container, part, limits) if not part.endswith(".bin") else ():
        is_workbook = is_workbook or element.path == "/workbook"
        if element.path == "/workbook/workbookPr":
            date1904 = _flag(element, "date1904", part)
        elif element.path == "/workbook/sheets/sheet":
            _add_sheet(sheets, element, relations, limits)
    if not is_workbook:
        raise Unreadable("not_a_workbook", f"the document {shown(part)} is not a workbook (.xlsx)")
    _check_sheets(container, sheets)
    return tuple(sheets), date1904


def _flag(element: Element, name: str, part: str) -> bool:
    spelled = element.attributes.get(name, "0").strip().lower()
    if spelled not in _TRUE + _FALSE:
        raise Unreadable(MARKUP, f"the part {shown(part)} says {name}={shown(spelled)}")
    return spelled in _TRUE


def _add_sheet(sheets: list[Sheet], element: Element, relations: dict[str, _Relation], limits: Limits) -> None:
    relation = relations.get(element.attributes.get(RELATION_ID, ""))
    if relation is None or relation.kind != "worksheet":
        return
    hidden = element.attributes.get("state", "visible") != "visible"
    sheets.append(Sheet(element.attributes.get("name", ""), hidden, relation.part))
    if len(sheets) > limits.sheets:
        raise limit_reached("sheets", limits.sheets, "the workbook")


def _check_sheets(container: Container, sheets: list[Sheet]) -> None:
    if not sheets:
        raise Unreadable(DAMAGED, "the workbook has no worksheet")
    names: set[str] = set()
    for sheet in sheets:
        container.part(sheet.part)
        if sheet.name.casefold() in names:
            raise Unreadable(MARKUP, f"two sheets are named {shown(sheet.name)}")
        names.add(sheet.name.casefold())


def _dated_styles(container: Container, part: str, limits: Limits) -> dict[str, str]:
    custom: dict[int, str | None] = {}
    formats: list[int] = []
    for element in elements(container, part, limits):
        if element.path == "/styleSheet/numFmts/numFmt":
            custom[_number(element, part)] = _shows(element.attributes.get("formatCode", ""), limits)
        elif element.path == "/styleSheet/cellXfs/xf":
            formats.append(_number(element, part))
        if len(formats) > limits.cell_formats or len(custom) > limits.cell_formats:
            raise limit_reached("cell_formats", limits.cell_formats, f"the part {shown(part)}")
    shown_by = ((str(style), custom.get(number, BUILTIN.get(number))) for style, number in enumerate(formats))
    return {style: what for style, what in shown_by if what}


def _number(element: Element, part: str) -> int:
    spelled = element.attributes.get("numFmtId", "0").strip()
    if not (spelled.isascii() and spelled.isdigit() and len(spelled) < 11):
        raise Unreadable(MARKUP, f"the part {shown(part)} says numFmtId={shown(spelled)}")
    return int(spelled)


def _shows(code: str, limits: Limits) -> str | None:
    if len(code) > limits.format_chars:
        raise limit_reached("format_chars", limits.format_chars, "a number format")
    return shows(code)
