"""The parts of a workbook's container as streams of checked bytes.

Lives here: inflating in pieces, true sizes, CRC, the limits on both. Must not live here: what the bytes mean.
Standard library only, Python 3.8 syntax; isal, where it is installed, inflates faster than zlib and is held to it by a test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shp_core.limits import Limits
from shp_core.reading.problem import DAMAGED, Unreadable, limit_reached, shown
from shp_core.reading.zipdir import STORED, Entry, read_directory

if TYPE_CHECKING:
    import zlib
else:
    try:
        from isal import isal_zlib as zlib
    except ImportError:
        import zlib

PIECE = 1 << 16
"""Bytes read from the file at a time, and the most that one piece holds after inflating."""


class Container:
    """An open workbook file with a checked directory; close it, or use it in a `with` block.

    Args:
        path: the private copy.
        limits: `part_bytes`, `total_bytes` and `ratio` are looked at.

    Raises:
        Unreadable: the directory is refused.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.entries = read_directory(self._descriptor, limits)
            self._check_sizes()
        except BaseException:  # the file must not stay open, whatever went wrong
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._descriptor)

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self.entries

    def _check_sizes(self) -> None:
        """Refuse what the directory owns up to; `pieces` refuses parts that are longer than the directory says."""
        for entry in self.entries.values():
            self._check_size("part_bytes", entry.size, entry.stored, f"the part {shown(entry.name)}")
        size = sum(entry.size for entry in self.entries.values())
        stored = sum(entry.stored for entry in self.entries.values())
        self._check_size("total_bytes", size, stored, "all parts together")

    def _check_size(self, limit: str, size: int, stored: int, what: str) -> None:
        limits = self._limits
        if size > getattr(limits, limit):
            raise limit_reached(limit, getattr(limits, limit), f"{what}, {size} bytes")
        if size > limits.ratio_from_bytes and size > limits.ratio * stored:
            raise limit_reached("ratio", limits.ratio, f"{what}, {stored} bytes that inflate to {size}")

    def part(self, name: str) -> Entry:
        """The directory's entry of a part.

        Raises:
            Unreadable: `damaged_workbook`, there is no such part.
        """
        entry = self.entries.get(name.casefold())
        if entry is None:
            raise Unreadable(DAMAGED, f"the part {shown(name)} is missing")
        return entry

    def pieces(self, name: str) -> Iterator[bytes]:
        """Inflate a part.

        The bytes are provisional until the iteration has ended: size and CRC are known only then.

        Args:
            name: the part's name, in any case.

        Yields:
            Pieces of at most `PIECE` bytes.

        Raises:
            Unreadable: `damaged_workbook`, `crc_mismatch` or `limit_reached`.
        """
        entry = self.part(name)
        crc = size = 0
        for piece in _bytes(self._descriptor, entry):
            crc = zlib.crc32(piece, crc)
            size += len(piece)
            if size > entry.size:
                raise Unreadable(DAMAGED, f"the part {shown(entry.name)} is longer than the zip directory says")
            yield piece
        if size != entry.size:
            raise Unreadable(DAMAGED, f"the part {shown(entry.name)} is shorter than the zip directory says")
        if crc != entry.crc:
            raise Unreadable("crc_mismatch", f"the content of the part {shown(entry.name)} does not match its checksum")


def _bytes(descriptor: int, entry: Entry) -> Iterator[bytes]:
    return _stored(descriptor, entry) if entry.method == STORED else _inflated(descriptor, entry)


def _stored(descriptor: int, entry: Entry) -> Iterator[bytes]:
    at, end = entry.start, entry.start + entry.stored
    while at < end:
        data = os.pread(descriptor, min(PIECE, end - at), at)
        if not data:
            raise Unreadable(DAMAGED, f"the part {shown(entry.name)} is cut off")
        at += len(data)
        yield data


def _inflated(descriptor: int, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for data in _stored(descriptor, entry):
            while data and not inflater.eof:
                piece = inflater.decompress(data, PIECE)
                data = inflater.unconsumed_tail
                if piece:
                    yield piece
        yield from _rest(inflater)
    except zlib.error as error:
        raise Unreadable(DAMAGED, f"the part {shown(entry.name)} cannot be inflated") from error
    if not inflater.eof or inflater.unused_data:
        raise Unreadable(DAMAGED, f"the part {shown(entry.name)} does not end where the zip directory says")


def _rest(inflater: zlib._Decompress) -> Iterator[bytes]:
    """What the inflater still holds when all its input is consumed."""
    while not inflater.eof:
        piece = inflater.decompress(inflater.unconsumed_tail, PIECE)
        if not piece:
            return
        yield piece
