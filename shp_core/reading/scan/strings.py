"""The shared strings as one run of bytes that kernels can gather from.

Must not live here: rich text and escapes; where they stand, the reference reads the part.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, overload

import pyarrow as pa

from shp_core.limits import Limits
from shp_core.reading.container import Container
from shp_core.reading.markup import NAMES
from shp_core.reading.problem import Unreadable
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.facts import facts
from shp_core.reading.scan.frame import Frame
from shp_core.reading.scan.library import Library
from shp_core.reading.scan.status import END, FULL, MORE
from shp_core.reading.scan.windows import Window
from shp_core.reading.strings import shared_strings, unescaped

_ENTRY_CHARS = 8  # as `shared_strings` counts
_ROOM = 1 << 14
_MOST_BYTES = (1 << 31) - (1 << 24)


class SharedStrings(Sequence[str]):
    """The shared strings of a workbook.

    Attributes:
        array: the strings, in Arrow's layout.
        ink: one byte for each, 0 if it is blank.

    Args:
        array: the strings.
        ink: as above.
    """

    def __init__(self, array: pa.StringArray, ink: bytes) -> None:
        self.array = array
        self.ink = ink
        _, offsets, texts = array.buffers()
        self.starts_at: int = offsets.address
        self.texts_at: int = texts.address
        self.texts_size: int = texts.size

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One string, or some; `Cells` looks them up as in a list."""
        found: str | list[str] = self.array[index].to_pylist() if isinstance(index, slice) else self.array[index].as_py()
        return found


def read_strings(container: Container, part: str | None, limits: Limits, library: Library) -> SharedStrings:
    """Read the shared strings of a workbook.

    Args:
        container: the open container.
        part: their part, or None.
        limits: what is accepted.
        library: the kernels.

    Raises:
        Unreadable: as `shared_strings`.
        Declined: they are too many for one run.
    """
    if part is None:
        return _from_list([])
    try:
        return _scanned(container, part, limits, library)
    except (Declined, Unreadable):
        return _from_list(shared_strings(container, part, limits))


def _from_list(strings: list[str]) -> SharedStrings:
    ink = bytes(not (text.isspace() or not text) for text in strings)
    try:
        array = pa.array(strings or [""], pa.string())
    except pa.ArrowException:
        raise Declined("shared strings that are no texts") from None
    if not isinstance(array, pa.StringArray):
        raise Declined("too many shared strings")
    return SharedStrings(array[: len(strings)], ink)


def _scanned(container: Container, part: str, limits: Limits, library: Library) -> SharedStrings:
    window = Window(container.pieces(part))
    frame = Frame(window, b"sst", (NAMES["sst"],), part, limits)
    output = _Output(limits, frame.prefixes)
    at = output.run(window, frame.start, library)
    frame.close(window.rest(at))
    return output.strings()


class _Output:
    """What the kernel writes: growing buffers."""

    def __init__(self, limits: Limits, prefixes: bytes) -> None:
        self._limits = limits
        self._prefixes = prefixes
        self._facts = facts(limits)
        self._state = (ctypes.c_int64 * 5)()
        self._names = (ctypes.c_int64 * 64)()
        self._room = _ROOM
        self._texts = pa.allocate_buffer(0, resizable=True)
        self._starts = pa.allocate_buffer(4, resizable=True)
        self._ink = pa.allocate_buffer(0, resizable=True)
        self._escaped = pa.allocate_buffer(0, resizable=True)
        ctypes.memset(self._starts.address, 0, 4)

    def run(self, window: Window, at: int, library: Library) -> int:
        """Scan to the end of the strings; its position in the window."""
        self._state[0] = at
        while True:
            status = self._scan(window, library)
            if status == END:
                return self._state[0]
            if status == FULL:
                self._room *= 2
            elif status != MORE or not window.advance(self._state[0]):
                raise Declined("a shared string that is not plain")
            else:
                self._state[0] = 0

    def _scan(self, window: Window, library: Library) -> int:
        self._make_room(window.size)
        status: int = library.scan_strings(
            *(window.address, window.size, window.cut(b"si"), ctypes.addressof(self._state), ctypes.addressof(self._facts)),
            *(self._prefixes, len(self._prefixes)),
            *(self._starts.address, self._ink.address, self._room, self._texts.address, self._texts.size),
            *(self._escaped.address, ctypes.addressof(self._names)),
        )
        self._check()
        return status

    def _make_room(self, more: int) -> None:
        needed = self._state[2] + more
        if self._texts.size < needed:
            self._texts.resize(max(needed, min(2 * self._texts.size, _MOST_BYTES)))
        if self._ink.size < self._room:
            self._starts.resize(4 * (self._room + 1))
            self._escaped.resize(4 * self._room)
            self._ink.resize(self._room)

    def _check(self) -> None:
        _, count, size, characters, _ = self._state
        if characters + _ENTRY_CHARS * count > self._limits.shared_string_chars or size > _MOST_BYTES - 2 * (1 << 22):
            raise Declined("too many shared strings")

    def strings(self) -> SharedStrings:
        """What was read."""
        _, count, size, _, escaped = self._state
        array: Any = pa.StringArray.from_buffers(count, self._starts, self._texts.slice(0, size))
        places = (ctypes.c_int32 * escaped).from_address(self._escaped.address)
        for place in places:
            text = array[place].as_py()
            if unescaped(text) != text:
                raise Declined("escaped characters in shared strings")
        return SharedStrings(array, ctypes.string_at(self._ink.address, count))
