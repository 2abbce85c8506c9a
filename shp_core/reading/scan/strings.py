"""The shared strings as one run of bytes that kernels can gather from.

Must not live here: what a string means (`shp_core.reading.strings`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any, overload

import pyarrow as pa

from shp_core.limits import MIB, Limits
from shp_core.reading.container import PIECE, Container
from shp_core.reading.markup import NAMES, events
from shp_core.reading.problem import Unreadable
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.facts import facts
from shp_core.reading.scan.frame import Frame
from shp_core.reading.scan.kernels import layout
from shp_core.reading.scan.kernels.layout import BYTES, CHARACTERS, END, FOUND, FULL, MORE, POSITION, UNKNOWN
from shp_core.reading.scan.library import Library
from shp_core.reading.scan.rooms import Memory, Room, moved
from shp_core.reading.scan.windows import WINDOW, Window
from shp_core.reading.strings import ENTRY_CHARS, shared_strings, string_texts

_ROOM = 1 << 14
_MOST_BYTES = (1 << 31) - (1 << 25)
_SPILL_FROM = 8 * MIB
_OFFSETS = (0, 1 << 29, 1 << 30)
"""Where in a scratch file starts, ink and texts lie; holes between them take no room."""
_FEW, _SHARE = 100, 20
_END = b"</si>"


class SharedStrings(Sequence[str]):
    """The shared strings of a workbook.

    Attributes:
        array: the strings, in Arrow's layout.
        ink: one byte for each, 0 if it is blank; or where these bytes lie.

    Args:
        array: the strings.
        ink: as above.
        rooms: where they lie, if they lie in rooms.
    """

    def __init__(self, array: pa.StringArray, ink: bytes | int, rooms: Sequence[Room] = ()) -> None:
        self.array = array
        self.ink = ink
        self._rooms = rooms
        _, offsets, texts = array.buffers()
        self.starts_at: int = offsets.address
        self.texts_at: int = texts.address
        self.texts_size: int = texts.size

    def drop(self) -> None:
        """Give back the memory of strings that lie in a file."""
        for room in self._rooms:
            room.drop()

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


def read_strings(
    container: Container, part: str | None, limits: Limits, library: Library, scratch: int | None = None
) -> SharedStrings:  # fmt: skip
    """Read the shared strings of a workbook.

    Args:
        container: the open container.
        part: their part, or None.
        limits: what is accepted.
        library: the kernels.
        scratch: descriptor of an empty file for strings that take more than 8 MiB; None: they stay in memory.

    Raises:
        Unreadable: as `shared_strings`.
        Declined: they are too many for one run.
    """
    if part is None:
        return _from_list([], limits)
    try:
        return _scanned(container, part, limits, library, scratch)
    except (Declined, Unreadable):
        return _from_list(shared_strings(container, part, limits), limits)


def _from_list(strings: list[str], limits: Limits) -> SharedStrings:
    if any(len(text) > limits.text_chars for text in strings):
        raise Declined("a text that no cell can hold")
    ink = bytes(not (text.isspace() or not text) for text in strings)
    array = pa.array(strings or [""], pa.string())
    if not isinstance(array, pa.StringArray):
        raise Declined("too many shared strings")
    return SharedStrings(array[: len(strings)], ink)


def _scanned(container: Container, part: str, limits: Limits, library: Library, scratch: int | None) -> SharedStrings:
    window = Window(container.pieces(part), min(WINDOW, max(PIECE, container.part(part).size)))
    frame = Frame(window, b"sst", (NAMES["sst"],), part, limits)
    output = _Output(limits, scratch)
    at = _Scan(window, frame, part, limits, output).run(library)
    frame.close(window.rest(at))
    return output.strings()


class _Output:
    """What the kernel writes: growing buffers, and its state."""

    def __init__(self, limits: Limits, scratch: int | None) -> None:
        self._limits = limits
        self._scratch = scratch
        self.state = (ctypes.c_int64 * 4)()
        self.room = _ROOM
        self._starts: Room = Memory(4)
        self._ink: Room = Memory(4)
        self._texts: Room = Memory(4)
        ctypes.memset(self._starts.address, 0, 4)

    def make_room(self, more: int) -> None:
        """Make room for so many bytes of text, and for another string at least.

        Raises:
            Declined: there is none on the disk.
        """
        try:
            self._grow(more)
            if self._scratch is not None and self._texts.size + self._starts.size > _SPILL_FROM:
                self._spill(self._scratch)
        except OSError as error:
            raise Declined("no room for the shared strings") from error

    def _spill(self, file: int) -> None:
        """Let all of it lie in a file from now on."""
        self._scratch = None
        rooms = [room for room in self._rooms() if isinstance(room, Memory)]
        self._starts, self._ink, self._texts = (moved(room, file, offset) for room, offset in zip(rooms, _OFFSETS, strict=True))

    def _rooms(self) -> tuple[Room, Room, Room]:
        return self._starts, self._ink, self._texts

    def drop(self) -> None:
        """Give back the memory of what lies in a file."""
        for room in self._rooms():
            room.drop()

    def _grow(self, more: int) -> None:
        needed = self.state[BYTES] + more
        if self._texts.size < needed:
            self._texts.resize(max(needed, min(2 * self._texts.size, _MOST_BYTES)))
        if self.state[FOUND] == self.room:
            self.room *= 2
        if self._ink.size < self.room:
            self._starts.resize(4 * (self.room + 1))
            self._ink.resize(self.room)

    def places(self) -> list[int]:
        """What the kernel takes of it, in its order."""
        return [self._starts.address, self._ink.address, self.room, self._texts.address, self._texts.size]

    def add(self, text: str) -> None:
        """Append a string."""
        if len(text) > self._limits.text_chars:
            raise Declined("a text that no cell can hold")
        stored, count, start = text.encode(), self.state[FOUND], self.state[BYTES]
        self.make_room(len(stored))
        ctypes.memmove(self._texts.address + start, stored, len(stored))
        (ctypes.c_uint8 * self.room).from_address(self._ink.address)[count] = bool(text) and not text.isspace()
        (ctypes.c_int32 * (self.room + 1)).from_address(self._starts.address)[count + 1] = start + len(stored)
        self.state[FOUND], self.state[BYTES] = count + 1, start + len(stored)
        self.state[CHARACTERS] += len(text)

    def check(self) -> None:
        """Decline what is too much; the reference says so."""
        characters = self.state[CHARACTERS] + ENTRY_CHARS * self.state[FOUND]
        if characters > self._limits.shared_string_chars or self.state[BYTES] > _MOST_BYTES - (1 << 25):
            raise Declined("too many shared strings")

    def strings(self) -> SharedStrings:
        """What was read."""
        count = self.state[FOUND]
        self.drop()
        starts, texts = self._starts.buffer(4 * (count + 1)), self._texts.buffer(self.state[BYTES])
        array: Any = pa.StringArray.from_buffers(count, starts, texts)
        return SharedStrings(array, self._ink.address, self._rooms())


class _Scan:
    """The loop over windows; strings that the kernel does not understand are read by the reference, one by one."""

    def __init__(self, window: Window, frame: Frame, part: str, limits: Limits, output: _Output) -> None:
        self._window = window
        self._frame = frame
        self._part = part
        self._limits = limits
        self._output = output
        self._facts = facts(limits)
        self._names = (ctypes.c_int64 * layout.NAMES)()
        self._odd = 0

    def run(self, library: Library) -> int:
        """Scan to the end of the strings; its position in the window."""
        state = self._output.state
        state[POSITION] = self._frame.start
        while (status := self._scan(library)) != END:
            if status == UNKNOWN:
                self._read_one()
            elif status == MORE:
                self._output.drop()
                if not self._window.advance(state[POSITION]):
                    raise Declined("a shared string that ends nowhere, or is longer than a window")
                state[POSITION] = 0
            elif status != FULL:
                raise Declined("something unknown")
        return int(state[POSITION])

    def _scan(self, library: Library) -> int:
        window, output, prefixes = self._window, self._output, self._frame.prefixes
        output.make_room(window.size)
        status: int = library.scan_strings(
            *(window.address, window.size, window.cut(b"si"), ctypes.addressof(output.state), ctypes.addressof(self._facts)),
            *(prefixes, len(prefixes), *output.places(), ctypes.addressof(self._names)),
        )
        output.check()
        return status

    def _read_one(self) -> None:
        """Have the reference read the string at the position."""
        state = self._output.state
        start, self._odd = state[POSITION], self._odd + 1
        end = self._window.data.find(_END, start, self._window.size)
        if self._window.data[start : start + 3] != b"<si" or end < 0 or self._odd > _FEW + state[FOUND] // _SHARE:
            raise Declined("a shared string that is not plain")
        end += len(_END)
        (text,) = self._texts(bytes(self._window.data[start:end]))
        self._output.add(text)
        state[POSITION] = end

    def _texts(self, markup: bytes) -> Iterator[str]:
        """The string of an element, given to the reference with the beginning of the part around it."""
        stream = events(iter([self._frame.opening, markup, b"</sst>"]), self._part, self._limits)
        found = list(string_texts(stream, self._part, self._limits))
        if len(found) != 1:
            raise Declined("a shared string that ends elsewhere")
        return iter(found)
