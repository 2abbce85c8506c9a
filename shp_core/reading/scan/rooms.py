"""Growing rooms of bytes that kernels write: in memory, or in a mapped file that costs none while nobody looks at it.

Must not live here: what is kept in them (`strings`).
"""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any

import pyarrow as pa

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = _LIBC.mremap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64)
_LIBC.mremap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int)
_LIBC.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_LIBC.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_FAILED = ctypes.c_void_p(-1).value
_MAY_MOVE, _DONTNEED = 1, 4

SCRATCH_BYTES = 3 << 30
"""No scratch file is longer."""


class Memory:
    """A room in memory.

    Attributes:
        size: its bytes.
    """

    def __init__(self, size: int) -> None:
        self._buffer = pa.allocate_buffer(size, resizable=True)

    @property
    def size(self) -> int:
        """Its bytes."""
        return int(self._buffer.size)

    @property
    def address(self) -> int:
        """Where it lies."""
        return int(self._buffer.address)

    def resize(self, size: int) -> None:
        """Let it grow; it may move."""
        self._buffer.resize(size)

    def buffer(self, size: int) -> Any:
        """Its first bytes, for Arrow."""
        return self._buffer.slice(0, size)

    def drop(self) -> None:
        """It is needed where it is."""


class Mapped:
    """A room in a file; Python's own `mmap` cannot be used, it needs another descriptor and none is left.

    Args:
        file: descriptor of a file of this process's own.
        offset: where in the file the room begins.
        size: its bytes.

    Raises:
        OSError: there is no room on the disk.
        MemoryError: there is none in the address space.
    """

    def __init__(self, file: int, offset: int, size: int) -> None:
        self._file, self._offset = file, offset
        self.size = self._allocated(size)
        writable = mmap.PROT_READ | mmap.PROT_WRITE
        self.address = _place(_LIBC.mmap(None, self.size, writable, mmap.MAP_SHARED, file, offset))

    def _allocated(self, size: int) -> int:
        """Whole pages; a disk that is full must say so now, not when a page is written."""
        size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        os.posix_fallocate(self._file, self._offset, size)
        return size

    def resize(self, size: int) -> None:
        """Let it grow; it may move.

        Raises:
            OSError: there is no room on the disk.
            MemoryError: there is none in the address space.
        """
        size = self._allocated(size)
        self.address = _place(_LIBC.mremap(self.address, self.size, size, _MAY_MOVE))
        self.size = size

    def buffer(self, size: int) -> Any:
        """Its first bytes, for Arrow; they keep the room."""
        return pa.foreign_buffer(self.address, size, base=self)

    def drop(self) -> None:
        """Give back the memory of what was looked at; it stays in the file."""
        _LIBC.madvise(self.address, self.size, _DONTNEED)

    def __del__(self) -> None:
        if hasattr(self, "address"):
            _LIBC.munmap(self.address, self.size)


Room = Memory | Mapped


def _place(address: int | None) -> int:
    if address is None or address == _FAILED:
        raise MemoryError
    return address


def moved(room: Memory, file: int, offset: int) -> Mapped:
    """The same bytes in a file.

    Raises:
        OSError, MemoryError: as `Mapped`.
    """
    mapped = Mapped(file, offset, room.size)
    ctypes.memmove(mapped.address, room.address, room.size)
    return mapped
