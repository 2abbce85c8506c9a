"""Who reads beside whom: many files at once, or one that is alone because its reader was ended before.

A reader that the machine ended may have died of what others took at that moment; so it is tried once more with nobody
beside it. Files are locked, so whoever dies gives way. Must not live here: reading, and who is tried once more.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shp_resources.store.disk import disk

ROOM = "room"


@contextmanager
def reading(folder: Path, *, alone: bool) -> Iterator[None]:
    """Read beside others; or alone, when those who read now have ended, while new ones wait.

    Args:
        folder: where the locks are, one for all processes of a home; made when it is needed.
        alone: whether nobody may read meanwhile.

    Raises:
        Fault: the folder cannot be written, as on a full disk.
    """
    room = _enter(folder, alone=alone)
    try:
        yield
    finally:
        os.close(room)


@disk()
def _enter(folder: Path, *, alone: bool) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "door", fcntl.LOCK_EX):  # who waits to be alone keeps the door: others cannot pass for ever
        return _lock(folder / ROOM, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    handle = _lock(path, how)
    try:
        yield
    finally:
        os.close(handle)


def _lock(path: Path, how: int) -> int:
    """A handle that holds the lock until it is closed; not handed to child processes."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, how)
    except BaseException:  # an interruption: the handle must not stay open
        os.close(handle)
        raise
    return handle
