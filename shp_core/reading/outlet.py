"""How batches leave the reading process: all that one consists of in one go.

A batch is some fifty pieces of memory. Written one by one they wake the other side fifty times, and both wait for the pipe's
lock more than they copy. Must not live here: what a batch is (`batches`). Standard library only.
"""

from __future__ import annotations

import io
import os
from typing import Any

_AT_ONCE = 512  # pieces that the system takes in one call, with room to spare


class Outlet(io.RawIOBase):
    """A pipe's writing end as Arrow wants it; what is written is kept where it lies until `flush`.

    Args:
        descriptor: the pipe; it stays open.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._pieces: list[memoryview] = []

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Keep a piece; its memory may not change before `flush`."""
        piece = memoryview(data).cast("B")
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Write what was kept.

        Raises:
            OSError: nobody reads any more.
        """
        pieces, self._pieces = self._pieces, []
        for start in range(0, len(pieces), _AT_ONCE):
            self._write_all(pieces[start : start + _AT_ONCE])

    def _write_all(self, pieces: list[memoryview]) -> None:
        written = os.writev(self._descriptor, pieces)
        for piece in pieces:  # a signal may have cut the call short
            rest = piece[written:]
            written = max(0, written - len(piece))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
