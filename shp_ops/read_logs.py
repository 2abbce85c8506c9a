"""Reading the log files of an installation: what was written last, and what is written now.

Must not live here: writing them, and colours.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from shp_core.errors import UsageError
from shp_core.logs.gather import Gathering
from shp_core.logs.line import parsed, stamp, written
from shp_resources.log_file import aside
from shp_resources.logs import log_path
from shp_resources.settings import Settings

_TAIL_BYTES = 1024 * 1024
_LOOK_SECONDS = 0.3


class Line(NamedTuple):
    """A line of a log.

    Args:
        at: when it was written, ISO 8601; sorts.
        process: who wrote it.
        text: the JSON line.
    """

    at: str
    process: str
    text: str


def known_logs(settings: Settings) -> list[str]:
    """The processes that have written something, by name."""
    return sorted(path.stem for path in (settings.home / "logs").glob("*.log"))


def logs_of(settings: Settings, name: str | None) -> list[Path]:
    """The log files that are meant.

    Args:
        settings: the installation.
        name: of one process; None: all.

    Raises:
        UsageError: there is no such log.
    """
    known = known_logs(settings)
    if name is not None and name not in known:
        there = f"There are: {', '.join(known)}." if known else "Nothing has been logged here yet; shp up starts the platform."
        raise UsageError(f"There is no log of {name!r} in {settings.home}.", there)
    return [log_path(settings.home, one) for one in ([name] if name else known)]


def last(paths: Sequence[Path], count: int) -> list[Line]:
    """The last lines of all these logs together, oldest first.

    Args:
        paths: log files.
        count: so many at most.
    """
    return sorted(line for path in paths for line in _tail(path, count))[-count:] if count else []


def follow(paths: Sequence[Path]) -> Iterator[Line]:
    """Lines as they are written from now on; a file that is put aside is followed by its successor."""
    return _news([_Reader(path) for path in paths])


def _news(readers: list[_Reader]) -> Iterator[Line]:
    while True:
        found = sorted(line for reader in readers for line in reader.new())
        yield from found
        if not found:
            time.sleep(_LOOK_SECONDS)


@dataclass
class _Reader:
    """Reads what is appended to a file from now on."""

    path: Path
    _file: int | None = None
    _rest: bytes = b""
    _gathering: Gathering = field(default_factory=lambda: Gathering(_now))

    def __post_init__(self) -> None:
        with suppress(FileNotFoundError):
            self._file = os.open(self.path, os.O_RDONLY)
            os.lseek(self._file, 0, os.SEEK_END)

    def new(self) -> list[Line]:
        """What has been appended since the last call."""
        found = self._read()
        if not found and self._file is not None and self._was_put_aside():
            os.close(self._file)
            self._file = None
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = os.open(self.path, os.O_RDONLY)
            found = self._read()
        *whole, self._rest = (self._rest + found).split(b"\n")
        return _lines(self.path.stem, whole, self._gathering)

    def _read(self) -> bytes:
        return os.read(self._file, _TAIL_BYTES) if self._file is not None else b""

    def _was_put_aside(self) -> bool:
        assert self._file is not None
        status = os.fstat(self._file)
        try:
            return not os.path.samestat(status, self.path.stat()) or status.st_size < os.lseek(self._file, 0, os.SEEK_CUR)
        except FileNotFoundError:
            return False


def _tail(path: Path, count: int) -> list[Line]:
    found: list[Line] = []
    for one in (path, *reversed(aside(path))):
        if len(found) >= count:
            break
        with suppress(FileNotFoundError), one.open("rb") as file:
            file.seek(max(0, one.stat().st_size - _TAIL_BYTES))
            found = [*_lines(path.stem, file.read().split(b"\n"), Gathering(_now)), *found]
    return found[-count:]


def _lines(process: str, raw: list[bytes], gathering: Gathering) -> list[Line]:
    """Lines of ours as they are; those of an embedded server, which writes its own, in our form."""
    found: list[Line] = []
    for line in (one.decode("utf-8", "replace") for one in raw if one):
        known = parsed(line)
        records = [known] if known else [*gathering.take(line), *gathering.flush()]
        found.extend(Line(record.at, process, line if known else written(record, process)) for record in records)
    return found


def _now() -> str:
    return stamp(datetime.now(UTC))
