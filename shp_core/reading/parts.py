"""Small parts of a package as a list of elements: relationships, the workbook, styles.

Lives here: one way to read markup that is small enough to be held whole. Must not live here: sheets and shared
strings, which are streams (`markup`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple
from xml.parsers import expat

from shp_core.limits import Limits
from shp_core.reading.container import Container
from shp_core.reading.markup import LOOKED_THROUGH, MAIN, SEPARATOR, STRICT_MAIN, bounded, hardened_parser, parse
from shp_core.reading.problem import limit_reached, shown

RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
RELATION_ID = _OFFICE + SEPARATOR + "id"

_SHORT = {MAIN: "", STRICT_MAIN: "", RELATIONSHIPS: "", CONTENT_TYPES: ""}


class Element(NamedTuple):
    """One element: the path of local names down to it, and its attributes.

    Elements of the spreadsheet's and the package's own namespaces have their local names, in both dialects of the
    format; others keep their namespace before them, so that they are never taken for one of ours.
    """

    path: str
    attributes: dict[str, str]


def elements(container: Container, name: str, limits: Limits) -> Iterator[Element]:
    """All elements of a small part, in document order.

    Args:
        container: the open container.
        name: the part's name.
        limits: `aux_part_bytes`, `token_bytes` and `depth` are looked at.

    Raises:
        Unreadable: the part is missing, damaged, too large or not well-formed.
    """
    size = container.part(name).size
    if size > limits.aux_part_bytes:
        raise limit_reached("aux_part_bytes", limits.aux_part_bytes, f"the part {shown(name)}, {size} bytes")
    found: list[Element] = []
    parser = hardened_parser(name, names=False)
    _collect(parser, found, name, limits)
    for piece in chain(bounded(parser, container.pieces(name), name, limits), (None,)):
        parse(parser, piece, name)
        yield from found
        found.clear()


def _collect(parser: expat.XMLParserType, found: list[Element], name: str, limits: Limits) -> None:
    path = [""]

    def start(full: str, attributes: dict[str, str]) -> None:
        if len(path) > limits.depth:
            raise limit_reached("depth", limits.depth, f"the markup of {shown(name)}")
        path.append(path[-1] if full in LOOKED_THROUGH else path[-1] + "/" + _local(full))
        found.append(Element(path[-1], _attributes(attributes)))

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _full: path.pop()


def _local(full: str) -> str:
    namespace, _, local = full.rpartition(SEPARATOR)
    return local if namespace in _SHORT else full


def _attributes(attributes: dict[str, str]) -> dict[str, str]:
    return {name.replace(_STRICT_OFFICE, _OFFICE, 1): value for name, value in attributes.items()}
