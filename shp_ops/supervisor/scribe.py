"""What the platform's processes write, kept as JSON lines: one rotated file for each, without secrets.

Each process writes into a pipe; a thread here reads it. So whatever writes (a library, an interpreter that crashes, a Java
program) is kept in the same form, and no process has to rotate anything. Must not live here: what a line looks like.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from shp_core.logs.gather import Gathering
from shp_core.logs.line import Record, readable, stamp, written
from shp_core.logs.redact import Redaction
from shp_resources.log_file import ROTATION, LogFile, due, rotate
from shp_resources.logs import log_path, redaction_of
from shp_resources.settings import Settings

_WITH_CELLS = frozenset({"runs"})
_LOOK_SECONDS = 60.0
_PAUSE_SECONDS = 0.3
_LONGEST_LINE = 256 * 1024
_LAST = 40


class Scribe:
    """Keeps what one process writes.

    Args:
        process: its name.
        file: where its lines go.
        redact: takes secrets out of a line.
        hide_values: leave out what exceptions say; of processes that have cells in their hands.
    """

    def __init__(self, process: str, file: LogFile, redact: Callable[[str], str], *, hide_values: bool = False) -> None:
        self._process, self._file, self._redact, self._hide = process, file, redact, hide_values
        self._last: deque[str] = deque(maxlen=_LAST)
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @classmethod
    def over(cls, path: Path) -> Scribe:
        """One that keeps the lines in this file, named like the process; of processes that know no secret.

        Args:
            path: the file.
        """
        return cls(path.stem, LogFile(path), Redaction())

    @property
    def place(self) -> str:
        """Where its lines are, for people."""
        return str(self._file.path)

    @contextmanager
    def pipe(self) -> Iterator[int]:
        """A pipe for a process that is started in this block; it is read until every process that has it has closed it."""
        writer = self._inlet()
        try:
            yield writer
        finally:
            os.close(writer)

    def _inlet(self) -> int:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self._last.clear()
        thread = threading.Thread(target=self._read, args=(reader,), name=f"scribe-{self._process}", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()
        return writer

    def say(self, message: str, level: str = "info") -> None:
        """Write a line of the supervisor's own."""
        self._keep(Record(_now(), level, message))

    def last_words(self, lines: int) -> list[str]:
        """The last lines that came since the last `pipe`, as a person reads them, oldest first."""
        for thread in self._threads:
            thread.join(2 * _PAUSE_SECONDS)  # what was written before the death is on its way
        return list(self._last)[-lines:]

    def _read(self, reader: int) -> None:
        gathering = Gathering(_now, hide_values=self._hide)
        for line in _lines(reader):
            for record in gathering.flush() if line is None else gathering.take(line):
                self._keep(record)
        for record in gathering.flush():
            self._keep(record)
        os.close(reader)

    def _keep(self, record: Record) -> None:
        line = self._redact(written(record, self._process))
        with self._lock:
            self._file.write(line)
            self._last.extend(_said(line))


class Scribes:
    """The scribes of an installation's processes, made when they are first asked for.

    Args:
        settings: the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, Scribe] = {}
        self._look_at = 0.0

    def of(self, process: str) -> Scribe:
        """The scribe of a process."""
        if process not in self._known:
            file = LogFile(log_path(self._settings.home, process))
            self._known[process] = Scribe(process, file, self._redact, hide_values=process in _WITH_CELLS)
        return self._known[process]

    def look(self, now: float) -> None:
        """Put aside what a process writes that keeps its file open: the embedded server may outlive us.

        Args:
            now: monotonic seconds.
        """
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        path = log_path(self._settings.home, "postgres")
        with suppress(OSError):  # a full disk: looked at again
            if due(path, ROTATION):
                rotate(path, ROTATION, in_place=True)

    def _redact(self, text: str) -> str:
        return redaction_of(self._settings)(text)


def _said(line: str) -> list[str]:
    """What was said, without time and level."""
    head, _, story = readable(line).partition("\n")
    return [*(story.splitlines() if story else ()), head.split("  ", 2)[-1].strip()]


def _lines(reader: int) -> Iterator[str | None]:
    """Lines as they come; None when nothing more has come for a while."""
    rest, waiting = b"", True
    while True:
        if waiting and not select.select([reader], [], [], _PAUSE_SECONDS)[0]:
            waiting = False
            yield None
            continue
        found = os.read(reader, 65_536)
        *whole, rest = (rest + found).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
        if not found or len(rest) > _LONGEST_LINE:
            yield rest.decode("utf-8", "replace")
            rest = b""
        if not found:
            return
        waiting = True


def _now() -> str:
    return stamp(datetime.now(UTC))
