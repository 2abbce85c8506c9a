"""Markup as a stream of events: expat with namespaces, hardened and bounded.

Lives here: which elements a reader sees, DOCTYPE refusal, the size of tokens, the depth of what is passed over.
Must not live here: what an element means. Standard library only, Python 3.8 syntax.

A stream of events is flat, because a Python call per event is what makes readers slow:

    name, {attributes}      an element begins
    name                    it ends
    text                    characters, in one or more pieces

Names are the very objects of `NAMES` (compare with `is`; a text is never the same object, whatever it says). Elements
that are not in `NAMES` are passed over together with all they hold, except that markup-compatibility wrappers are
looked through: of `mc:AlternateContent` the `mc:Fallback` is read, which is made for readers that know nothing else.
Only the names of these wrappers are in the stream, once where they begin and once where they end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NoReturn
from xml.parsers import expat

from shp_core.limits import Limits
from shp_core.reading.problem import MARKUP, UNSAFE, Unreadable, limit_reached, shown

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"
SEPARATOR = "|"
_NO_MEMORY = 1
_ENCODINGS = frozenset({"utf-8", "utf-16", "utf-16be", "utf-16le", "iso-8859-1", "us-ascii"})
"""What expat knows by itself. A workbook may be in the first two; for others Python would load a codec, which no reading process can."""

SHEET_NAMES = ("worksheet", "sheetData", "row", "c", "v", "f", "is", "t", "r")
NAMES = {local: MAIN + SEPARATOR + local for local in (*SHEET_NAMES, "sst", "si")}
LOOKED_THROUGH = tuple(COMPATIBILITY + SEPARATOR + local for local in ("AlternateContent", "Fallback"))
_ALL_NAMES = (*NAMES.values(), *LOOKED_THROUGH)
_NAMESPACES = (MAIN, COMPATIBILITY)


def events(pieces: Iterable[bytes], part: str, limits: Limits) -> Iterator[Any]:
    """The flat stream of a part's events.

    Args:
        pieces: the part's bytes; it is read to its end, so its size and CRC are known when the stream has ended.
        part: its name, for messages.
        limits: `token_bytes` and `depth` are looked at.

    Raises:
        Unreadable: `invalid_markup`, `unsafe_workbook` or `limit_reached`.
    """
    return chain.from_iterable(_Stream(part, limits).lists(pieces))


class _Stream:
    def __init__(self, part: str, limits: Limits) -> None:
        self._part = part
        self._limits = limits
        self._found: list[Any] = []
        self._depth = 0
        self._parser = hardened_parser(part, names=True)
        self._parser.buffer_text = True
        self._parser.buffer_size = 1 << 14
        self._look()

    def lists(self, pieces: Iterable[bytes]) -> Iterator[list[Any]]:
        """One list of events per piece."""
        for data in chain(bounded(self._parser, pieces, self._part, self._limits), (None,)):
            parse(self._parser, data, self._part)
            found = self._found[:]
            self._found.clear()
            yield found

    def _look(self) -> None:
        """Note events; the one Python call per element is its start, ends and texts go straight to the list."""
        append = self._found.append
        known = frozenset(NAMES.values())

        def start(name: str, attributes: dict[str, str]) -> None:
            if name in known:
                append(name)
                append(attributes)
            elif name in LOOKED_THROUGH:
                append(name)
            else:
                self._pass_over()

        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = append
        self._parser.CharacterDataHandler = append

    def _pass_over(self) -> None:
        self._depth = 1
        self._parser.StartElementHandler = self._deeper
        self._parser.EndElementHandler = self._shallower
        self._parser.CharacterDataHandler = None

    def _deeper(self, _name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > self._limits.depth:
            raise limit_reached("depth", self._limits.depth, f"the markup of {shown(self._part)}")

    def _shallower(self, _name: str) -> None:
        self._depth -= 1
        if not self._depth:
            self._look()


def is_name(event: Any) -> bool:
    """Whether an event is the beginning or the end of an element, and no text that reads like it."""
    return event.__class__ is str and event.startswith(_NAMESPACES) and any(event is name for name in _ALL_NAMES)


def expect_blank(event: Any, part: str) -> None:
    """Pass over what may stand between elements: white space, and wrappers that are looked through.

    Raises:
        Unreadable: `invalid_markup`, it is something else.
    """
    if event.__class__ is dict or (event.strip() and not any(event is name for name in LOOKED_THROUGH)):
        raise misplaced(event, part)


def misplaced(event: Any, part: str) -> Unreadable:
    """The refusal of an element or a text that stands where the format has none."""
    what = f"an element <{event.rpartition(SEPARATOR)[2]}>" if is_name(event) else "text"
    return Unreadable(MARKUP, f"the part {shown(part)} has {what} where there can be none")


def hardened_parser(part: str, names: bool) -> expat.XMLParserType:
    """A parser with namespaces that refuses any DOCTYPE, and with it every entity but the five of XML.

    Args:
        part: the part's name, for messages.
        names: whether known names are given as the objects of `NAMES`, strict ones as their transitional twins.
    """

    def doctype(*_: object) -> NoReturn:
        raise Unreadable(UNSAFE, f"the part {shown(part)} has a DOCTYPE")

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise _not_well_formed(part, f"unknown encoding {shown(encoding)}, it must be UTF-8 or UTF-16")

    parser = expat.ParserCreate(None, SEPARATOR, _interned() if names else {})
    parser.StartDoctypeDeclHandler = doctype
    parser.XmlDeclHandler = declaration
    return parser


def _interned() -> dict[str, Any]:
    """Expat takes the objects it finds here for the names it reads, and keeps further names here."""
    strict = {STRICT_MAIN + SEPARATOR + local: name for local, name in NAMES.items()}
    return {**strict, **{name: name for name in _ALL_NAMES}}


def bounded(parser: expat.XMLParserType, pieces: Iterable[bytes], part: str, limits: Limits) -> Iterator[bytes]:
    """Hand over pieces as long as expat keeps up; a token that it cannot finish is scanned again with every piece.

    Raises:
        Unreadable: `limit_reached`, a single token is too long.
    """
    given = 0
    for piece in pieces:
        yield piece
        given += len(piece)
        if given - max(parser.CurrentByteIndex, 0) > limits.token_bytes:
            raise limit_reached("token_bytes", limits.token_bytes, f"a single tag or comment of {shown(part)}")


def parse(parser: expat.XMLParserType, data: bytes | None, part: str) -> None:
    """Parse one more piece, or the end (None).

    Raises:
        Unreadable: `invalid_markup`.
    """
    try:
        parser.Parse(b"" if data is None else data, data is None)
    except expat.ExpatError as error:
        if error.code == _NO_MEMORY:
            raise MemoryError from error
        raise _not_well_formed(part, str(error)) from error
    except (LookupError, ValueError) as error:  # an encoding that Python or expat does not know
        raise _not_well_formed(part, "unknown encoding") from error


def _not_well_formed(part: str, why: str) -> Unreadable:
    return Unreadable(MARKUP, f"the part {shown(part)} is not well-formed: {why}")
