"""Commands that die at their Nth side effect: each is counted, and at the number asked for everything gets SIGKILL.

A side effect is a statement that changes something and a commit (ledger, warehouse, Dagster's events: every
connection is psycopg2's), before and after; or a file or folder made, renamed or removed under the home. They are
counted in memory that a command's processes share.

Must not live here: expectations, and how commands are started (`warm`).
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

NEVER = 1 << 40
_READS = ("select", "show", "begin", "set ", "savepoint", "release", "lock", "with recursive")
_FILE_EVENTS = frozenset({"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink"})


@dataclass(frozen=True)
class Points:
    """What to count, and where to die.

    Args:
        home: file operations count below this folder.
        stop_at: number of the side effect before which everything is killed.
        alone: kill the process that is at it only, not its parent and children.
        log: file that gets a line per side effect: its number, whose it is (`shp` or `dagster`), what it is.
    """

    home: str
    stop_at: int = NEVER
    alone: bool = False
    log: str = os.devnull


def inject(points: Points) -> None:
    """Count from now on in this process and in those it forks; never undone."""
    count = _Count(points)
    genuine, connection = psycopg2.connect, _counted(count)

    def connect(*arguments: Any, **options: Any) -> Any:
        return genuine(*arguments, **{**options, "connection_factory": connection})

    psycopg2.connect = connect
    sys.addaudithook(count.audit)


class _Count:
    """The number of side effects so far, shared by all processes of a command."""

    def __init__(self, points: Points) -> None:
        self._memory = mmap.mmap(-1, 8)
        self._points = points
        self._log = os.open(points.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def point(self, what: str, *context: str) -> None:
        """A side effect is about to happen; `context` are the statements that it makes last."""
        (number,) = struct.unpack("q", self._memory[:])
        self._memory[:] = struct.pack("q", number + 1)
        owner = "shp" if any("shp" in text or "pg_temp" in text for text in (what, *context)) else "dagster"
        os.write(self._log, f"{number + 1}\t{owner}\t{' '.join(what.split())[:120]}\n".encode())
        if number + 1 == self._points.stop_at:
            os.kill(os.getpid(), signal.SIGKILL) if self._points.alone else os.killpg(0, signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python is about to change a file."""
        if event in _FILE_EVENTS and str(arguments[0]).startswith(self._points.home):
            self.point(f"{event} {Path(str(arguments[0])).name}", "shp")


def _counted(count: _Count) -> type[psycopg2.extensions.connection]:
    class Cursor(psycopg2.extensions.cursor):
        def execute(self, query: Any, parameters: Any = None) -> None:
            text = query.as_string(self) if hasattr(query, "as_string") else _text(query)
            if not text.lstrip().lower().startswith(_READS):
                self.connection.touched.append(text)  # type: ignore[attr-defined]
                count.point(text)
            super().execute(query, parameters)

        def copy_expert(self, query: Any, file: Any, size: int = 8192) -> None:
            text = query.as_string(self) if hasattr(query, "as_string") else _text(query)
            if "STDIN" in text:
                count.point(text)
            super().copy_expert(query, file, size)

    class Connection(psycopg2.extensions.connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.touched: list[str] = []

        def cursor(self, *arguments: Any, **options: Any) -> Any:
            options.setdefault("cursor_factory", Cursor)
            return super().cursor(*arguments, **options)

        def commit(self) -> None:
            touched, self.touched = self.touched, []
            what = "of the warehouse" if any("shp_pub.publications" in text for text in touched) else "of others"
            if touched:
                count.point(f"commit {what}", *touched)
            super().commit()
            if touched:
                count.point(f"committed {what}", *touched)

    return Connection


def _text(query: Any) -> str:
    return query.decode() if isinstance(query, bytes) else str(query)
