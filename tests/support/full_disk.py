"""A disk that is full, or fails: at the Nth thing that the intake does to it, and at everything after that.

The fake stands for a file system without room. It counts the calls of `shp_resources.intake` that change its disk:
making a folder, making a file, writing, syncing, renaming. The call at which the disk fills up fails with the error
of a real one; a write takes half of its bytes first, as real ones do, and so does every later call but removing and
closing, which work on a full disk, too. `tests/test_hostile_disk.py` shows on a real, small file system that this is how
one behaves.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shp_resources import intake

_MS_NONE = 0


class FullDisk:
    """Counts calls; from the one with this number on, they fail.

    Args:
        good: how many calls go well.
        error: the number of the error, such as `errno.ENOSPC`.
    """

    def __init__(self, good: int, error: int) -> None:
        self.calls = 0
        self._good = good
        self._error = error

    @property
    def reached(self) -> bool:
        """Whether any call has failed."""
        return self.calls > self._good

    def _fails(self) -> bool:
        self.calls += 1
        return self.calls > self._good

    def failing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A call that counts, and fails on a full disk."""

        def call(*arguments: Any, **options: Any) -> Any:
            if self._fails():
                raise OSError(self._error, os.strerror(self._error))
            return original(*arguments, **options)

        return call

    def writing(self, file: int, data: Any) -> int:
        """A write: the one that fills the disk is a short one."""
        if not self._fails():
            return _WRITE(file, data)
        if self.calls == self._good + 1 and len(data) > 1:
            return _WRITE(file, data[: len(data) // 2])
        raise OSError(self._error, os.strerror(self._error))

    def opening(self, path: Any, flags: int, mode: int = 0o777) -> int:
        """Opening counts only if it makes a file."""
        if flags & os.O_CREAT and self._fails():
            raise OSError(self._error, os.strerror(self._error))
        return _OPEN(path, flags, mode)


_WRITE, _OPEN = os.write, os.open


@contextmanager
def full_disk(good: int, error: int) -> Iterator[FullDisk]:
    """The intake works on a disk that fills up after this many calls."""
    disk = FullDisk(good, error)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake.os, "write", disk.writing)
        patch.setattr(intake.os, "open", disk.opening)
        patch.setattr(intake.os, "fsync", disk.failing(os.fsync))
        patch.setattr(Path, "mkdir", disk.failing(Path.mkdir))
        patch.setattr(Path, "replace", disk.failing(Path.replace))
        yield disk


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path | None]:
    """A real file system of this many bytes in memory; None where this process may not mount one."""
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", _MS_NONE, b"size=%d" % size):
        yield None
        return
    try:
        yield place
    finally:
        libc.umount2(os.fsencode(place), 2)  # lazily, so that a failing test leaves no mount behind
