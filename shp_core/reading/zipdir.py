"""The directory of a zip file, read by us and believed only where it can be checked.

Lives here: where each part's bytes lie, and the refusal of directories that no spreadsheet program writes.
Must not live here: inflating (`container`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import os
import re
import struct
from typing import NamedTuple

from shp_core.limits import Limits
from shp_core.reading.problem import DAMAGED, UNSAFE, Unreadable, limit_reached, shown

STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x0001, 0x0008, 0x0800
_BAD_NAME = re.compile(r"^/|^[A-Za-z]:|\\|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)")


class Entry(NamedTuple):
    """One part: its name, how and where it is stored (`start`: of its data), its sizes and its CRC-32."""

    name: str
    method: int
    start: int
    stored: int
    size: int
    crc: int


class _Header(NamedTuple):
    name: bytes
    text: str
    flags: int
    method: int
    crc: int
    stored: int
    size: int
    offset: int


def read_directory(descriptor: int, limits: Limits) -> dict[str, Entry]:
    """Read and check the directory.

    Args:
        descriptor: the open file.
        limits: `entries` and `directory_bytes` are looked at.

    Returns:
        The parts by case-folded name (the format's names are case-insensitive); folders are left out.

    Raises:
        Unreadable: `damaged_workbook`, `unsafe_workbook` or `limit_reached`.
    """
    size = os.fstat(descriptor).st_size
    count, length, start = _find(descriptor, size)
    if count > limits.entries:
        raise limit_reached("entries", limits.entries, f"{count} entries in the zip directory")
    if length > limits.directory_bytes:
        raise limit_reached("directory_bytes", limits.directory_bytes, f"a zip directory of {length} bytes")
    headers = _headers(_exactly(descriptor, start, length), count)
    _check_names(headers)
    return _entries(descriptor, headers, start)


def _exactly(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset) if offset >= 0 else b""
    if len(data) != length:
        raise Unreadable(DAMAGED, "the file is cut off")
    return data


def _find(descriptor: int, size: int) -> tuple[int, int, int]:
    """Entries, length and offset of the directory."""
    tail_start = max(0, size - _END.size - 0xFFFF)
    tail = _exactly(descriptor, tail_start, size - tail_start)
    at = _end_record(tail)
    _, disk, disk_start, here, count, length, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if 0xFFFF in (disk, disk_start, here, count) or 0xFFFFFFFF in (length, start):
        return _find64(descriptor, end)
    if disk or disk_start or here != count or start + length != end:
        raise Unreadable(DAMAGED, "the zip directory is not where its end record says")
    return count, length, start


def _end_record(tail: bytes) -> int:
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[7] == len(tail):
            return at
        at = tail.rfind(b"PK\x05\x06", 0, at)
    raise Unreadable(DAMAGED, "the zip directory has no end: the file is cut off, or something follows it")


def _find64(descriptor: int, end: int) -> tuple[int, int, int]:
    locator = _END64_LOCATOR.unpack(_exactly(descriptor, end - _END64_LOCATOR.size, _END64_LOCATOR.size))
    if locator[0] != b"PK\x06\x07" or locator[1] or locator[3] != 1:
        raise Unreadable(DAMAGED, "the zip64 locator is missing")
    record = _END64.unpack(_exactly(descriptor, locator[2], _END64.size))
    signature, _, _, _, disk, disk_start, here, count, length, start = record
    if signature != b"PK\x06\x06" or disk or disk_start or here != count or start + length != locator[2]:
        raise Unreadable(DAMAGED, "the zip64 directory is not where its end record says")
    return count, length, start


def _headers(data: bytes, count: int) -> list[_Header]:
    headers, at = [], 0
    for _ in range(count):
        if at + _CENTRAL.size > len(data):
            raise Unreadable(DAMAGED, "the zip directory is shorter than it says")
        header, at = _header(data, at)
        headers.append(header)
    if at != len(data):
        raise Unreadable(DAMAGED, "the zip directory is longer than it says")
    return headers


def _header(data: bytes, at: int) -> tuple[_Header, int]:
    fields = _CENTRAL.unpack_from(data, at)
    signature, flags, method, crc, stored, size = fields[0], fields[3], fields[4], fields[7], fields[8], fields[9]
    name_length, extra_length, comment_length, disk, offset = *fields[10:14], fields[16]
    name_end = at + _CENTRAL.size + name_length
    extra_end = name_end + extra_length
    if signature != b"PK\x01\x02" or extra_end + comment_length > len(data) or disk not in (0, 0xFFFF):
        raise Unreadable(DAMAGED, "the zip directory is broken")
    name = data[at + _CENTRAL.size : name_end]
    size, stored, offset = _wide(data[name_end:extra_end], size, stored, offset)
    text = name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    return _Header(name, text, flags, method, crc, stored, size, offset), extra_end + comment_length


def _wide(extra: bytes, *narrow: int) -> list[int]:
    """Numbers that do not fit 32 bits stand in the zip64 extra field, in this order."""
    if 0xFFFFFFFF not in narrow:
        return list(narrow)
    wide = _zip64_field(extra)
    numbers = []
    for number in narrow:
        if number == 0xFFFFFFFF:
            if len(wide) < 8:
                raise Unreadable(DAMAGED, "a zip64 entry lacks its sizes")
            number, wide = struct.unpack("<Q", wide[:8])[0], wide[8:]
        numbers.append(number)
    return numbers


def _zip64_field(extra: bytes) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _check_names(headers: list[_Header]) -> None:
    seen: set[str] = set()
    for header in headers:
        if not header.text or _BAD_NAME.search(header.text):
            raise Unreadable(UNSAFE, f"an entry is named {shown(header.text)}")
        if header.flags & _ENCRYPTED:
            raise Unreadable(UNSAFE, f"the entry {shown(header.text)} is encrypted")
        if header.method not in (STORED, DEFLATED):
            raise Unreadable(UNSAFE, f"the entry {shown(header.text)} is compressed by method {header.method}")
        key = header.text.casefold()
        if key in seen:
            raise Unreadable(UNSAFE, f"two entries are named {shown(header.text)}")
        seen.add(key)


def _entries(descriptor: int, headers: list[_Header], directory: int) -> dict[str, Entry]:
    entries, after = {}, 0
    for header in sorted(headers, key=lambda header: header.offset):
        if header.offset < after:
            raise Unreadable(UNSAFE, f"the entry {shown(header.text)} overlaps another one")
        start = _data_start(descriptor, header)
        after = start + header.stored
        if after > directory:
            raise Unreadable(DAMAGED, f"the entry {shown(header.text)} reaches into the zip directory")
        if not header.text.endswith("/"):
            entries[header.text.casefold()] = Entry(header.text, header.method, start, header.stored, header.size, header.crc)
    return entries


def _data_start(descriptor: int, header: _Header) -> int:
    """Where an entry's data begins; its local header must tell the same story as the directory."""
    local = _LOCAL.unpack(_exactly(descriptor, header.offset, _LOCAL.size))
    signature, flags, method, crc, stored, size, name_length, extra_length = (local[0], *local[2:4], *local[6:11])
    name = _exactly(descriptor, header.offset + _LOCAL.size, name_length)
    if signature != b"PK\x03\x04" or name != header.name or method != header.method:
        raise Unreadable(DAMAGED, f"the entry {shown(header.text)} is not where the zip directory says")
    known = not flags & _SIZES_FOLLOW and 0xFFFFFFFF not in (stored, size)
    if known and (crc, stored, size) != (header.crc, header.stored, header.size):
        raise Unreadable(DAMAGED, f"the entry {shown(header.text)} has other sizes than the zip directory says")
    return header.offset + _LOCAL.size + int(name_length) + int(extra_length)
