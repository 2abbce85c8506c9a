"""Ingestions that die at their Nth side effect: a warm process that forks a command and kills it with all its children.

A side effect is a statement that changes something and a commit (ledger, warehouse, Dagster's events: every
connection is psycopg2's), before and after; or a file or folder made, renamed or removed under the home. Each one is
counted in memory that parent and workers share; when the count reaches the number asked for, the whole process group
gets SIGKILL. `python -m tests.support.kill_points` serves orders, one JSON line each.

Must not live here: expectations.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

from tests.support.holders import REPOSITORY

NEVER = 1 << 40
_READS = ("select", "show", "begin", "set ", "savepoint", "release", "lock", "with recursive")
_NEEDED = (
    "dagster._core.storage.noop_compute_log_manager",
    "dagster_postgres",
    "shp_assets.lost",
    "shp_ops.cli.ingest",
    "shp_ops.ingest.instance",
    "shp_ops.ingest.one",
    "shp_ops.ingest.run",
    "shp_resources.dagster_storage",
)
_FILE_EVENTS = frozenset({"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink"})


@dataclass(frozen=True)
class Order:
    """A command to run and to kill.

    Args:
        words: the command line of `shp`.
        environ: variables beside those of the server.
        home: file operations count below this folder.
        stop_at: number of the side effect before which everything is killed.
        alone: kill the process that is at it only, not its parent and children.
        log: file that gets a line per side effect: its number, whose it is (`shp` or `dagster`), what it is.
        out: file that gets the command's standard output.
    """

    words: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    stop_at: int = NEVER
    alone: bool = False
    log: str = os.devnull
    out: str = os.devnull


class _Count:
    """The number of side effects so far, shared by all processes of a command."""

    def __init__(self, order: Order) -> None:
        self._memory = mmap.mmap(-1, 8)
        self._order = order
        self._log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def point(self, what: str, *context: str) -> None:
        """A side effect is about to happen; `context` are the statements that it makes last."""
        (number,) = struct.unpack("q", self._memory[:])
        self._memory[:] = struct.pack("q", number + 1)
        owner = "shp" if any("shp" in text or "pg_temp" in text for text in (what, *context)) else "dagster"
        os.write(self._log, f"{number + 1}\t{owner}\t{' '.join(what.split())[:120]}\n".encode())
        if number + 1 == self._order.stop_at:
            os.kill(os.getpid(), signal.SIGKILL) if self._order.alone else os.killpg(0, signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python is about to change a file."""
        if event in _FILE_EVENTS and str(arguments[0]).startswith(self._order.home):
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


def _inject(count: _Count) -> None:
    genuine, connection = psycopg2.connect, _counted(count)

    def connect(*arguments: Any, **options: Any) -> Any:
        return genuine(*arguments, **{**options, "connection_factory": connection})

    psycopg2.connect = connect
    sys.addaudithook(count.audit)


def _child(order: Order) -> None:
    """Inside the fork: the command, on one core so that the side effects come in one order."""
    os.setsid()
    os.environ.update(order.environ)
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    os.dup2(os.open(order.out, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    _inject(_Count(order))
    from shp_ops.cli.main import run

    os._exit(run(order.words))


def serve() -> None:
    """Import everything, then fork for every line of standard input; answer with the wait status."""
    for name in _NEEDED:
        import_module(name)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _child(Order(**json.loads(line)))
            except BaseException:  # noqa: BLE001 - a fork must not go on serving
                traceback.print_exc()
            finally:
                os._exit(70)
        _, status = os.waitpid(pid, 0)
        os.write(3, f"{os.waitstatus_to_exitcode(status)}\n".encode())


@dataclass
class Server:
    """The warm process, from outside."""

    process: subprocess.Popen[str]
    answers: int

    def run(self, order: Order) -> int:
        """Run a command to its end, or to where it is killed; its exit status, -9 when it was."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asdict(order)) + "\n")
        self.process.stdin.flush()
        return int(os.read(self.answers, 64))


@contextmanager
def serving(environ: Mapping[str, str]) -> Iterator[Server]:
    """A warm process in this environment."""
    answers, theirs = os.pipe()
    code = f"import os; os.dup2({theirs}, 3); from tests.support.kill_points import serve; serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL if "KILL_POINTS_DEBUG" not in os.environ else None,
        stdout=subprocess.DEVNULL,
        text=True,
        env=dict(environ),
        cwd=REPOSITORY,
        pass_fds=(theirs,),
    )
    os.close(theirs)
    try:
        yield Server(process, answers)
    finally:
        process.communicate(timeout=60)
        os.close(answers)
