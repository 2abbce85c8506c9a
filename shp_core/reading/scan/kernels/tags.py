"""Tags: attributes in double quotes, names without surprises.

What is not as spreadsheet programs write it (single quotes, entities or characters beyond ASCII in a value, undeclared
prefixes, an attribute twice) is not understood. Must not live here: what an attribute means (`rows`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import MARKUP, NAME_NEXT, NAME_START, SPACE, inner

OPEN, CLOSED, ATTRIBUTE, BROKEN = 0, 1, 2, 3
"""What was found in a tag: its end `>`, its end `/>`, an attribute, something that is not understood."""

_NAMES = 16


@inner
def next_attribute(b: Any, at: int) -> tuple[int, int, int, int]:
    """Look behind a tag's name or its last attribute.

    Returns:
        What was found, where its name begins, where the name ends, and where the value begins; for an end, the
        position behind it stands in the second place.
    """
    start = at
    at = blanks_end(b, at)
    if b[at] == 62:
        return OPEN, at + 1, 0, 0
    if b[at] == 47 and b[at + 1] == 62:
        return CLOSED, at + 2, 0, 0
    if at == start or not MARKUP[b[at]] & NAME_START:
        return BROKEN, at, 0, 0
    name = at
    while MARKUP[b[at]] & NAME_NEXT:
        at += 1
    if b[at] == 58 and MARKUP[b[at + 1]] & NAME_START:
        at += 1
        while MARKUP[b[at]] & NAME_NEXT:
            at += 1
    if b[at] != 61 or b[at + 1] != 34:
        return BROKEN, at, 0, 0
    return ATTRIBUTE, name, at, at + 2


@inner
def blanks_end(b: Any, at: int) -> int:
    """Position behind white space."""
    while MARKUP[b[at]] & SPACE:
        at += 1
    return at


@inner
def value_end(b: Any, at: int) -> int:
    """Position of the quote that ends a value, or of what is not understood (then it is no quote)."""
    while 32 <= b[at] < 128 and b[at] != 34 and b[at] != 60 and b[at] != 38:
        at += 1
    return at


@inner
def skip_attributes(b: Any, at: int, prefixes: Any, names: Any) -> tuple[int, int]:
    """Read attributes that mean nothing here; what ended the tag, and the position behind it."""
    count = 0
    while True:
        found, name, name_end, value = next_attribute(b, at)
        if found != ATTRIBUTE:
            return found, name
        if not new_name(b, name, name_end, prefixes, names, count):
            return BROKEN, name
        count += 1
        at = value_end(b, value)
        if b[at] != 34:
            return BROKEN, at
        at += 1


@inner
def new_name(b: Any, name: int, end: int, prefixes: Any, names: Any, count: int) -> bool:
    """Note an attribute's name: is it declared, and not yet there? At most one may have a prefix."""
    if count >= _NAMES or is_xmlns(b, name, end):
        return False
    colon = colon_in(b, name, end)
    if colon >= 0 and not declared(b, name, colon, prefixes):
        return False
    names[2 * count], names[2 * count + 1] = name, end
    for other in range(count):
        start, stop = names[2 * other], names[2 * other + 1]
        if same(b, name, end, start, stop) or (colon >= 0 and colon_in(b, start, stop) >= 0):
            return False
    return True


@inner
def is_xmlns(b: Any, at: int, end: int) -> bool:
    """Whether a name is `xmlns` (with a prefix it is never declared)."""
    return end - at == 5 and b[at] == 120 and b[at + 1] == 109 and b[at + 2] == 108 and b[at + 3] == 110 and b[at + 4] == 115


@inner
def colon_in(b: Any, at: int, end: int) -> int:
    """Position of the colon in a name, or -1."""
    while at < end:
        if b[at] == 58:
            return at
        at += 1
    return -1


@inner
def same(b: Any, at: int, end: int, other: int, other_end: int) -> bool:
    """Whether two names are equal."""
    if end - at != other_end - other:
        return False
    for k in range(end - at):
        if b[at + k] != b[other + k]:
            return False
    return True


@inner
def declared(b: Any, at: int, colon: int, prefixes: Any) -> bool:
    """Whether a prefix is one of `prefixes`, each of which ends with a colon."""
    start = 0
    for k in range(prefixes.shape[0]):
        if prefixes[k] == 58:
            equal = k - start == colon - at
            if equal:
                for i in range(k - start):
                    equal = equal and prefixes[start + i] == b[at + i]
            if equal:
                return True
            start = k + 1
    return False
