"""Shared strings: from the bytes of plain `<si><t>text</t></si>` to one run of texts.

Must not live here: runs of rich text and escapes; they are left open for the reference's functions.
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.scan.kernels.base import END, FULL, MARKUP, MORE, PAD, SPACE, UNKNOWN, carray, inner
from shp_core.reading.scan.kernels.rows import element_text
from shp_core.reading.scan.kernels.texts import ENTITIES, ESCAPES, characters, has_ink, undo_entities

POSITION, STRINGS, BYTES, CHARACTERS, ESCAPED = range(5)
"""State: how far the window is read, strings so far in the output, their bytes, their characters, those left open."""


def scan_strings(
    window_at: Any, size: int, cut: int, state_at: Any, facts_at: Any, prefixes_at: Any, prefixes_size: int,
    starts_at: Any, ink_at: Any, room: int, texts_at: Any, texts_size: int, escaped_at: Any, names_at: Any,
) -> int:  # fmt: skip
    """Append strings to the output, which has room for `room` of them; see `rows.scan_rows` for the window."""
    b, state, facts = carray(window_at, (size + PAD,)), carray(state_at, (5,)), carray(facts_at, (11,))
    tables = (0, carray(prefixes_at, (prefixes_size,)), 0, 0, carray(names_at, (64,)))
    starts, ink, texts = carray(starts_at, (room + 1,)), carray(ink_at, (room,)), carray(texts_at, (texts_size,))
    escaped = carray(escaped_at, (room,))
    while True:
        at = state[POSITION]
        while MARKUP[b[at]] & SPACE:
            at += 1
        state[POSITION] = at
        if b[at] == 60 and b[at + 1] == 47 and b[at + 2] == 115 and b[at + 3] == 115:
            return END
        if at >= cut:
            return MORE
        if state[STRINGS] == room:
            return FULL
        at, start, stop, flags = string(b, at, facts, tables)
        if at < 0:
            return UNKNOWN
        if flags & ENTITIES:
            stop = undo_entities(b, start, stop)
        keep(b, start, stop, flags, state, starts, ink, texts, escaped)
        state[POSITION] = at


@inner
def string(b: Any, at: int, facts: Any, tables: Any) -> tuple[int, int, int, int]:
    """Read one `<si>`; the position behind it (below zero: not understood), its text's place and flags."""
    if b[at] != 60 or b[at + 1] != 115 or b[at + 2] != 105 or b[at + 3] != 62:
        return -1, 0, 0, 0
    at = blanks_end(b, at + 4)
    if b[at] != 60 or b[at + 1] != 116:
        return -1, 0, 0, 0
    at, start, stop, flags = element_text(b, at, 116, facts, tables)
    if at < 0:
        return -1, 0, 0, 0
    at = blanks_end(b, at)
    if b[at] != 60 or b[at + 1] != 47 or b[at + 2] != 115 or b[at + 3] != 105 or b[at + 4] != 62:
        return -1, 0, 0, 0
    return at + 5, start, stop, flags


@inner
def blanks_end(b: Any, at: int) -> int:
    """Position behind white space."""
    while MARKUP[b[at]] & SPACE:
        at += 1
    return at


@inner
def keep(b: Any, start: int, stop: int, flags: int, state: Any, starts: Any, ink: Any, texts: Any, escaped: Any) -> None:
    """Append a text to the output."""
    count, at = state[STRINGS], state[BYTES]
    for k in range(stop - start):
        texts[at + k] = b[start + k]
    ink[count] = 1 if has_ink(b, start, stop) else 0
    if flags & ESCAPES:
        escaped[state[ESCAPED]] = count
        state[ESCAPED] += 1
    state[STRINGS] = count + 1
    state[BYTES] = at + stop - start
    state[CHARACTERS] += characters(b, start, stop)
    starts[count + 1] = state[BYTES]
