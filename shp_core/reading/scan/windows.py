"""A part's bytes in windows: a buffer that kernels read, filled from pieces, the rest carried over.

Must not live here: what the bytes mean.
"""

from __future__ import annotations

from collections.abc import Iterator

from shp_core.limits import MIB
from shp_core.reading.scan.grid import address_of
from shp_core.reading.scan.kernels.layout import PAD

WINDOW = 2 * MIB
"""Bytes of a window; what must be seen at once, a row or all that stands before the rows, may not be longer."""


class Window:
    """A window over a stream of pieces.

    Attributes:
        data: the buffer.
        size: how many bytes of it are filled; zero bytes follow.
        address: where it lies in memory.
        ended: whether the part's last byte is in it.

    Args:
        pieces: the part's bytes.
        capacity: bytes of the window; no piece may be longer.
    """

    def __init__(self, pieces: Iterator[bytes], capacity: int = WINDOW) -> None:
        self._pieces = pieces
        self._capacity = capacity
        self._waiting = b""
        self.data = bytearray(capacity + PAD)
        self.address = address_of(self.data)
        self.size = 0
        self.ended = False

    def advance(self, start: int) -> bool:
        """Drop what lies before `start` and fill up; whether anything was added."""
        kept = self.size - start
        self.data[:kept] = self.data[start : self.size]
        self.size = kept
        while self._add(self._waiting or next(self._pieces, b"")):
            pass
        self.data[self.size : self.size + PAD] = bytes(PAD)
        return self.size > kept

    def _add(self, piece: bytes) -> bool:
        """Add a piece; if there is no room for it, it waits."""
        self.ended = not piece
        fits = self.size + len(piece) <= self._capacity
        self._waiting = b"" if fits else piece
        if fits:
            self.data[self.size : self.size + len(piece)] = piece
            self.size += len(piece)
        return fits and bool(piece)

    def cut(self, tag: bytes) -> int:
        """Where the last element of a kind begins, if it may not be whole: those before it are."""
        return self.size if self.ended else self.data.rfind(b"<" + tag, 0, self.size)

    def rest(self, start: int) -> Iterator[bytes]:
        """Everything from `start` on, to the part's end; the window is of no use afterwards."""
        yield bytes(self.data[start : self.size])
        if self._waiting:
            yield self._waiting
        yield from self._pieces
