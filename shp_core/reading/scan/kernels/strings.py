"""Shared strings: from the bytes of plain `<si><t>text</t></si>` to one run of texts.

Must not live here: runs of rich text and escapes; they are not understood, and the driver has them read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shp_core.reading.scan.kernels.base import carray, inner
from shp_core.reading.scan.kernels.cells import element_text
from shp_core.reading.scan.kernels.layout import (
    BYTES,
    CHARACTERS,
    END,
    FACTS,
    FOUND,
    FULL,
    MORE,
    NAMES,
    PAD,
    POSITION,
    TOKEN_BYTES,
    UNKNOWN,
)
from shp_core.reading.scan.kernels.tags import CLOSED, blanks_end, skip_attributes
from shp_core.reading.scan.kernels.texts import ENTITIES, ESCAPES, characters, has_ink, without_entities

_PHONETIC = np.frombuffer(b"<phoneticPr", np.uint8)


def scan_strings(
    window_at: Any, size: int, cut: int, state_at: Any, facts_at: Any, prefixes_at: Any, prefixes_size: int,
    starts_at: Any, ink_at: Any, room: int, texts_at: Any, texts_size: int, names_at: Any,
) -> int:  # fmt: skip
    """Append strings to the output, which has room for `room` of them; the window is that of `rows.scan_rows`."""
    b, state, facts = carray(window_at, (size + PAD,)), carray(state_at, (4,)), carray(facts_at, (FACTS,))
    tables = (0, carray(prefixes_at, (prefixes_size,)), 0, 0, carray(names_at, (NAMES,)))
    output = carray(starts_at, (room + 1,)), carray(ink_at, (room,)), carray(texts_at, (texts_size,))
    while True:
        at = blanks_end(b, state[POSITION])
        state[POSITION] = at
        if b[at] == 60 and b[at + 1] == 47 and b[at + 2] == 115 and b[at + 3] == 115:
            return END
        if at >= cut:
            return MORE
        if state[FOUND] == room:
            return FULL
        at, start, stop, flags = string(b, at, facts, tables)
        if at < 0:
            return UNKNOWN
        keep(b, start, stop, flags, state, output)
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
    if at < 0 or flags & ESCAPES:
        return -1, 0, 0, 0
    at = blanks_end(b, phonetic_end(b, blanks_end(b, at), facts, tables))
    if b[at] != 60 or b[at + 1] != 47 or b[at + 2] != 115 or b[at + 3] != 105 or b[at + 4] != 62:
        return -1, 0, 0, 0
    return at + 5, start, stop, flags


@inner
def phonetic_end(b: Any, at: int, facts: Any, tables: Any) -> int:
    """Position behind `<phoneticPr …/>`, which Excel writes with each string in Japan, or the same position."""
    for k in range(11):
        if b[at + k] != _PHONETIC[k]:
            return at
    found, end = skip_attributes(b, at + 11, tables[1], tables[4])
    return end if found == CLOSED and end - at <= facts[TOKEN_BYTES] else at


@inner
def keep(b: Any, start: int, stop: int, flags: int, state: Any, output: Any) -> None:
    """Append a text to the output."""
    count, at = state[FOUND], state[BYTES]
    if flags & ENTITIES:
        end = without_entities(b, start, stop, output[2], at)
    else:
        end = at + stop - start
        for k in range(stop - start):
            output[2][at + k] = b[start + k]
    output[1][count] = 1 if has_ink(output[2], at, end) else 0
    output[0][count + 1] = end
    state[FOUND], state[BYTES] = count + 1, end
    state[CHARACTERS] += characters(output[2], at, end)
