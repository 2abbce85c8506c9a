"""The private copy: nothing ever parses a file that somebody else may still be writing.

Lives here: copying and hashing a delivered file, once, into the store's folder. Must not live here: what the bytes
are (`shp_core.reading`), where copies are kept (the store), and any change to what people dropped.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.healing.faults import Evidence
from shp_core.limits import MIB, Limits
from shp_core.reading.problem import shown

_PIECE = MIB
_TICK_NS = 20_000_000
_GONE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESTALE))
_NOT_A_FILE = frozenset((errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR))


@dataclass(frozen=True)
class Copied:
    """A private copy of a delivered file.

    Args:
        path: where the copy is.
        sha256: hash of its bytes, 64 hexadecimal digits; the delivery's name.
        size: its size, in bytes.
        mtime_ns: the source's time of last change, in nanoseconds since 1970.
        inode: the source's inode number.
    """

    path: Path
    sha256: str
    size: int
    mtime_ns: int
    inode: int


def private_copy(source: Path, into: Path, limits: Limits, name: Callable[[str], str] = str) -> Copied:
    """Copy a delivered file and hash it on the way.

    The copy appears under its name whole or not at all; it is on the disk when this returns, and only its owner can
    read it. A copy of the same bytes that is already there is replaced by an equal one. Nothing else is left behind.

    Args:
        source: the delivered file; it is never changed, and never followed if it is a link.
        into: the folder of the copy; it is made if need be. The copy may lie in a subfolder of it.
        limits: `source_bytes` is looked at.
        name: the copy's name in that folder, from the hash.

    Raises:
        Refusal: `not_a_regular_file`, `limit_reached`.
        Fault: `source_missing` (gone, or not readable), `still_moving` (it changed meanwhile), `store_refused`.
    """
    with _opened(source) as descriptor:
        before = os.fstat(descriptor)
        _check_regular(source, before)
        _let_the_clock_tick(before)
        with _temporary(into) as (partial, file):
            sha256, size = _copy(source, descriptor, file, limits)
            _check_unchanged(source, before, os.fstat(descriptor), size)
            copy = into / name(sha256)
            _publish(partial, file, copy)
    return Copied(copy, sha256, size, before.st_mtime_ns, before.st_ino)


@contextmanager
def _opened(source: Path) -> Iterator[int]:
    """The source, opened without following a link and without waiting for the other end of a pipe."""
    try:
        _check_regular(source, os.lstat(source))  # opening a device may already do something
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _not_opened(source, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _not_opened(source: Path, error: OSError) -> Refusal | Fault:
    if error.errno in _NOT_A_FILE:
        return Refusal(Code.NOT_A_REGULAR_FILE, f"{shown(source.name)} is a link or something else that is no file")
    what = "is not there" if error.errno in _GONE else f"cannot be opened ({os.strerror(error.errno or 0)})"
    return Fault(Code.SOURCE_MISSING, f"{shown(source.name)} {what}", _evidence("landing", error))


def _check_regular(source: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Refusal(Code.NOT_A_REGULAR_FILE, f"{shown(source.name)} is a folder, link, pipe, socket or device")


def _let_the_clock_tick(before: os.stat_result) -> None:
    """Wait until another change would get another time; file systems keep time in ticks of up to 10 ms."""
    age = time.time_ns() - before.st_ctime_ns
    if 0 <= age < _TICK_NS:
        time.sleep((_TICK_NS - age) / 1e9)


@contextmanager
def _temporary(into: Path) -> Iterator[tuple[Path, int]]:
    """A new file in the folder, gone again unless it was renamed."""
    partial = into / f".partial-{os.getpid()}-{secrets.token_hex(8)}"
    with stored():
        into.mkdir(parents=True, exist_ok=True)
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield partial, file
    finally:
        os.close(file)
        with suppress(OSError):
            partial.unlink()


@contextmanager
def stored() -> Iterator[None]:
    """Whatever the file system says in here, it says about the store."""
    try:
        yield
    except OSError as error:
        message = f"the store cannot be written: {os.strerror(error.errno or 0)}"
        raise Fault(Code.STORE_REFUSED, message, _evidence("store", error)) from error


def _copy(source: Path, descriptor: int, file: int, limits: Limits) -> tuple[str, int]:
    """Copy all bytes; their hash and their number."""
    digest, size = hashlib.sha256(), 0
    while piece := _read(source, descriptor):
        size += len(piece)
        if size > limits.source_bytes:
            message = f"{shown(source.name)}: the limit source_bytes = {limits.source_bytes} is reached"
            raise Refusal(Code.LIMIT_REACHED, message, {"limit": "source_bytes", "value": limits.source_bytes})
        digest.update(piece)
        with stored():
            write_all(file, piece)
    return digest.hexdigest(), size


def _read(source: Path, descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        message = f"{shown(source.name)} cannot be read: {os.strerror(error.errno or 0)}"
        raise Fault(Code.SOURCE_MISSING, message, _evidence("landing", error)) from error


def write_all(file: int, piece: bytes) -> None:
    """Write all of it to a file's descriptor."""
    view = memoryview(piece)
    while view:
        view = view[os.write(file, view) :]


def _check_unchanged(source: Path, before: os.stat_result, after: os.stat_result, size: int) -> None:
    """The file that was copied is the file that is there now, and nobody wrote to it meanwhile."""
    try:
        there = os.lstat(source)
    except OSError as error:
        raise _not_opened(source, error) from error
    if not _mark(before) == _mark(after) == _mark(there) or size != before.st_size:
        evidence = Evidence("landing", text=f"size {before.st_size}, copied {size}, then {there.st_size}")
        raise Fault(Code.STILL_MOVING, f"{shown(source.name)} changed while it was copied", evidence)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _publish(partial: Path, file: int, copy: Path) -> None:
    """Put the copy on the disk and give it its name."""
    with stored():
        os.fsync(file)
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(copy)
        folder = os.open(copy.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _evidence(system: str, error: OSError) -> Evidence:
    return Evidence(system, errno=error.errno, text=type(error).__name__)
