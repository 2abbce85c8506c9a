"""Texts between tags: where they end, entities, UTF-8, whether a text is blank.

Must not live here: tags (`tags`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import AMPERSAND, CLASS, GREATER, HIGH, PLAIN, STOP, UNDERSCORE, inner
from shp_core.reading.scan.kernels.words import eight, ordinary

ENTITIES, ESCAPES, BAD = 1, 2, 4
"""Flags of a text: it holds entities, it holds escapes (`_xHHHH_`), it is not understood."""


@inner
def text_end(b: Any, at: int) -> tuple[int, int]:
    """Position of what ends a text (`<` or the window's end), and the text's flags."""
    flags = 0
    while True:
        at = ordinary_end(b, at)
        while CLASS[b[at]] == PLAIN:
            at += 1
        what = CLASS[b[at]]
        if what == STOP:
            return at, flags
        step = 1
        if what == AMPERSAND:
            step = entity_length(b, at)
            flags |= ENTITIES
        elif what == UNDERSCORE:
            if is_escape(b, at):
                flags |= ESCAPES
        elif what == HIGH:
            step = character_length(b, at)
        elif what == GREATER:
            if at >= 2 and b[at - 1] == 93 and b[at - 2] == 93:
                step = 0
        else:
            step = 0
        if step == 0:
            return at, flags | BAD
        at += step


@inner
def ordinary_end(b: Any, at: int) -> int:
    """Position behind ordinary bytes; perhaps not all of them."""
    count = ordinary(eight(b, at))
    while count == 8:
        at += 8
        count = ordinary(eight(b, at))
    return at + count


@inner
def entity_length(b: Any, at: int) -> int:
    """Length of one of XML's five entities, 0 for anything else."""
    first, second = b[at + 1], b[at + 2]
    if (first == 108 or first == 103) and second == 116 and b[at + 3] == 59:  # &lt; &gt;
        return 4
    if first == 97 and second == 109 and b[at + 3] == 112 and b[at + 4] == 59:  # &amp;
        return 5
    if first == 97 and second == 112 and b[at + 3] == 111 and b[at + 4] == 115 and b[at + 5] == 59:  # &apos;
        return 6
    if first == 113 and second == 117 and b[at + 3] == 111 and b[at + 4] == 116 and b[at + 5] == 59:  # &quot;
        return 6
    return 0


@inner
def is_escape(b: Any, at: int) -> bool:
    """Whether an underscore begins an escape."""
    if b[at + 1] != 120 or b[at + 6] != 95:
        return False
    for k in range(at + 2, at + 6):
        digit = b[k] | 32
        if not (48 <= b[k] <= 57 or 97 <= digit <= 102):
            return False
    return True


@inner
def without_entities(b: Any, at: int, end: int, to: Any, place: int) -> int:
    """Copy a text with its entities replaced; the end of the copy."""
    while at < end:
        byte = b[at]
        if byte == 38:
            byte = entity_character(b, at)
            at += entity_length(b, at)
        else:
            at += 1
        to[place] = byte
        place += 1
    return place


@inner
def entity_character(b: Any, at: int) -> int:
    """The character that an entity stands for."""
    first = b[at + 1]
    if first == 108:
        return 60
    if first == 103:
        return 62
    if first == 113:
        return 34
    return 38 if b[at + 2] == 109 else 39


@inner
def character_length(b: Any, at: int) -> int:
    """Bytes of a character beyond ASCII, 0 if it is not UTF-8 or not one that XML allows."""
    first, second = b[at], b[at + 1]
    if first < 0xC2 or (second & 0xC0) != 0x80:
        return 0
    if first < 0xE0:
        return 2
    third = b[at + 2]
    if (third & 0xC0) != 0x80:
        return 0
    if first < 0xF0:
        overlong, surrogate = first == 0xE0 and second < 0xA0, first == 0xED and second > 0x9F
        no_character = first == 0xEF and second == 0xBF and third > 0xBD
        return 0 if overlong or surrogate or no_character else 3
    if (b[at + 3] & 0xC0) != 0x80 or first > 0xF4:
        return 0
    overlong, beyond = first == 0xF0 and second < 0x90, first == 0xF4 and second > 0x8F
    return 0 if overlong or beyond else 4


@inner
def characters(b: Any, at: int, end: int) -> int:
    """Number of characters of a text."""
    count = 0
    while at < end:
        if (b[at] & 0xC0) != 0x80:
            count += 1
        at += 1
    return count


@inner
def has_ink(b: Any, at: int, end: int) -> bool:
    """Whether a text holds more than white space (`str.isspace`); the text is valid UTF-8."""
    while at < end:
        byte = b[at]
        if byte < 0x80:
            if byte > 32 or (byte != 32 and not 9 <= byte <= 13 and not 28 <= byte <= 31):
                return True
            at += 1
        else:
            length = space_length(b, at)
            if length == 0:
                return True
            at += length
    return False


@inner
def space_length(b: Any, at: int) -> int:
    """Bytes of a white-space character beyond ASCII, 0 if it is another one."""
    first, second = b[at], b[at + 1]
    if first == 0xC2:
        return 2 if second == 0x85 or second == 0xA0 else 0
    if first < 0xE1 or first > 0xE3:
        return 0
    code = (first << 16) | (second << 8) | b[at + 2]
    if 0xE28080 <= code <= 0xE2808A or code == 0xE280A8 or code == 0xE280A9 or code == 0xE280AF:
        return 3
    return 3 if code == 0xE19A80 or code == 0xE2819F or code == 0xE38080 else 0
