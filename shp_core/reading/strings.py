"""Texts: shared strings, runs of rich text, and the escapes of characters that XML cannot hold.

White space is part of a text, with or without `xml:space`: the file says it, so it is kept. Phonetic runs are not part
of it. Must not live here: cells. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from shp_core.limits import Limits
from shp_core.reading.container import Container
from shp_core.reading.markup import NAMES, events, expect_blank, is_name, misplaced
from shp_core.reading.problem import limit_reached, shown

_SST, _SI, _T, _RUN = (NAMES[local] for local in ("sst", "si", "t", "r"))
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ESCAPE_CHARS = 7
_CUT_OFF = "\0"
"""Ends a raw text of which only the beginning was kept; no XML holds it, so that it is never taken for a number."""
ENTRY_CHARS = 8
"""What a shared string counts beside its characters: an empty one takes room, too."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPES = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")


def unescaped(text: str) -> str:
    """Undo `_xHHHH_`: a UTF-16 unit that XML cannot hold, or an escaped underscore (`_x005F_`).

    Two neighbouring escapes may be the halves of one character. Half a character is none: such an escape stays as it
    is spelled.
    """
    return _ESCAPES.sub(_characters, text) if "_x" in text else text


def _characters(escapes: re.Match[str]) -> str:
    units = [int(unit, 16) for unit in _ESCAPE.findall(escapes.group())]
    text = b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "surrogatepass")
    return _SURROGATE.sub(lambda half: f"_x{ord(half.group()):04X}_", text)


def rich_text(stream: Iterator[Any], end: str, part: str, limits: Limits) -> str:
    """The text of an element that holds `<t>` and runs of `<r><t>`.

    Args:
        stream: events (`markup.events`), just after the element's attributes.
        end: the element's name, at whose end it stops.
        part: the part's name, for messages.
        limits: `text_chars` is looked at.

    Returns:
        The text; of one that no cell can hold the beginning, one character longer than a cell may be.

    Raises:
        Unreadable: `invalid_markup` or `limit_reached`.
    """
    texts: list[str] = []
    inside_run, room = False, limits.text_chars
    for event in stream:
        if event is _T:
            next(stream)
            text = unescaped(raw_text(stream, _T, part, limits))
            if room >= 0:
                texts.append(text)
                room -= len(text)
        elif event is end:
            break
        elif event is _RUN:
            inside_run = not inside_run
            if inside_run:
                next(stream)
        else:
            expect_blank(event, part)
    whole = texts[0] if len(texts) == 1 else "".join(texts)
    return whole if room >= 0 else whole[: limits.text_chars + 1]


def raw_text(stream: Iterator[Any], end: str, part: str, limits: Limits) -> str:
    """The characters up to the end of an element, as they are spelled; of far too many only the first ones.

    Raises:
        Unreadable: `invalid_markup`, it holds elements.
    """
    text = next(stream)
    if text is end:
        return ""
    event = next(stream)
    return text if event is end else _long_text(chain((text, event), stream), end, part, limits)


def _long_text(stream: Iterator[Any], end: str, part: str, limits: Limits) -> str:
    """A text in several pieces, as the parser gives long ones."""
    texts: list[str] = []
    room = _ESCAPE_CHARS * limits.text_chars
    for event in stream:
        if event is end:
            break
        if is_name(event):
            raise misplaced(event, part)
        if room >= 0:
            texts.append(event)
            room -= len(event)
    return "".join(texts) if room >= 0 else "".join(texts) + _CUT_OFF


def shared_strings(container: Container, part: str, limits: Limits) -> list[str]:
    """All shared strings of a workbook, by their index.

    Raises:
        Unreadable: the part is damaged, not well-formed, or beyond `shared_string_chars`.
    """
    strings: list[str] = []
    room = limits.shared_string_chars
    for text in string_texts(events(container.pieces(part), part, limits), part, limits):
        strings.append(text)
        room -= len(text) + ENTRY_CHARS
        if room < 0:
            raise limit_reached("shared_string_chars", limits.shared_string_chars, f"the part {shown(part)}")
    return strings


def string_texts(stream: Iterator[Any], part: str, limits: Limits) -> Iterator[str]:
    """The texts of shared strings, one after the other.

    Args:
        stream: events (`markup.events`) of their part.
        part: its name, for messages.
        limits: `text_chars` is looked at.

    Raises:
        Unreadable: as `shared_strings`.
    """
    for event in stream:
        if event is _SI:
            next(stream)
            yield rich_text(stream, _SI, part, limits)
        elif event is not _SST and event.__class__ is not dict:
            expect_blank(event, part)
