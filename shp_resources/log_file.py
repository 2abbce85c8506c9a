"""A log file that is rotated by size and age, and that several processes may append to.

Must not live here: what a line says (`shp_core.logs`).
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shp_core.limits import MIB


@dataclass(frozen=True)
class Rotation:
    """When a file is put aside, and how long it is kept.

    Args:
        bytes: a file that has grown to so much is put aside; so is yesterday's, with the first line of a day.
        files: so many that were put aside are kept.
        keep_days: and none that was last written longer ago, in days.
    """

    bytes: int = 10 * MIB
    files: int = 5
    keep_days: float = 14.0


ROTATION = Rotation()
_DAY = 86_400.0


@dataclass
class LogFile:
    """A file of log lines: `web.log`, and `web.log.1` (the newest that was put aside) to `web.log.5`.

    Args:
        path: the file.
        rotation: when it is put aside.
    """

    path: Path
    rotation: Rotation = ROTATION
    _descriptor: int | None = field(default=None, repr=False)

    def write(self, line: str) -> None:
        """Append a line; a disk that is full loses the line, and nothing else.

        Args:
            line: without its end.
        """
        with suppress(OSError):
            self.keep(line)

    def keep(self, line: str) -> None:
        """Append a line that somebody will be told of.

        Args:
            line: without its end.

        Raises:
            OSError: it could not be written.
        """
        os.write(self._open(), f"{line}\n".encode("utf-8", "replace"))

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._is_current() and not due(self.path, self.rotation):
            assert self._descriptor is not None
            return self._descriptor
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rotate(self.path, self.rotation)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _is_current(self) -> bool:
        """Whether what is open is still what lies under the name; another process may have put it aside."""
        if self._descriptor is None:
            return False
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        return False


def due(path: Path, rotation: Rotation) -> bool:
    """Whether a file is to be put aside."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return status.st_size >= rotation.bytes or (status.st_size > 0 and status.st_mtime // _DAY != time.time() // _DAY)


def rotate(path: Path, rotation: Rotation, *, in_place: bool = False) -> None:
    """Put a file aside if that is due; of several processes that see so one does it.

    Args:
        path: the file.
        rotation: when that is due.
        in_place: copy and empty it, for a writer that keeps it open and appends.
    """
    with (path.parent / ".rotating").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not due(path, rotation):
            return
        _aside(path, rotation.files).unlink(missing_ok=True)
        for number in range(rotation.files - 1, 0, -1):
            with suppress(FileNotFoundError):
                _aside(path, number).rename(_aside(path, number + 1))
        if in_place:
            _aside(path, 1).write_bytes(path.read_bytes())
            os.truncate(path, 0)
        else:
            path.rename(_aside(path, 1))
    _forget(path, rotation)


def aside(path: Path) -> list[Path]:
    """The files that were put aside, oldest first."""
    found = [one for one in path.parent.glob(f"{path.name}.*") if one.suffix[1:].isdecimal()]
    return sorted(found, key=lambda one: -int(one.suffix[1:]))


def _forget(path: Path, rotation: Rotation) -> None:
    for old in aside(path):
        with suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime >= rotation.keep_days * _DAY:
                old.unlink()


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
