"""Commands in processes of their own without the seconds that importing costs: forked from one that has imported all.

A command gets its whole environment, working directory and output files, a session and process group of its own; it
runs through `main`, like any other, and ends with its exit status.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from shp_ops.late_imports import import_late, importing
from tests.support.holders import REPOSITORY
from tests.support.kill_points import Points, inject
from tests.support.waiting import PATIENCE

_NEEDED = (
    "dagster._core.instance.factory",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.workspace.autodiscovery",
    "dagster._grpc.server",
    "rich._emoji_codes",
    "rich.progress",
    "shp_assets.build",
    "shp_assets.lost",
    "shp_assets.preview_type",
    "shp_ops.cli.ingest",
    "shp_ops.cli.platform",
    "shp_ops.cli.tables",
    "shp_ops.explain",
    "shp_ops.ingest.instance",
    "shp_ops.ingest.one",
    "shp_ops.ingest.run",
    "shp_ops.views",
    "shp_resources.warehouse.rejects",
)
_START = "import os; os.dup2({}, 3); from tests.support.warm import serve; serve()"


@dataclass(frozen=True)
class Order:
    """A command to run.

    Args:
        words: the command line of `shp`.
        environ: its whole environment.
        cwd: its working directory.
        out: file for standard output.
        err: file for standard error.
        points: side effects to count, or to die at.
    """

    words: Sequence[str]
    environ: Mapping[str, str]
    cwd: str
    out: str = os.devnull
    err: str = os.devnull
    points: Points | None = None


def serve() -> None:
    """Import everything, then fork for every line of standard input; answer with the exit status."""
    with importing():
        import_late()
        for name in _NEEDED:
            import_module(name)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        _, status = os.waitpid(pid, 0)
        os.write(3, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _child(order: dict[str, Any]) -> None:
    """Inside the fork; never returns."""
    status = 70
    try:
        _enter(order)
        status = _run(order["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a fork must not go on serving
        traceback.print_exc()
    finally:
        os._exit(status)


def _enter(order: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    if order["points"] is not None:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # one worker: the side effects come in one order
        inject(Points(**order["points"]))


def _run(words: list[str]) -> int:
    from shp_ops.cli.main import main

    sys.argv = ["shp", *words]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)


class Warm:
    """The warm process, from outside; started once per test session by `warm`."""

    def __init__(self) -> None:
        self._answers, theirs = os.pipe()
        bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._folder = tempfile.TemporaryDirectory(prefix="shp-warm-")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START.format(theirs)],
            stdin=subprocess.PIPE,
            text=True,
            env={**bare, "PYTHONPATH": str(REPOSITORY)},
            cwd=self._folder.name,
            pass_fds=(theirs,),
        )
        os.close(theirs)

    def run(self, order: Order) -> int:
        """Run a command to its end, or to where it is killed; its exit status, negative for a signal."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return int(os.read(self._answers, 64))

    def call(self, words: Sequence[str], environ: Mapping[str, str], cwd: Path) -> tuple[int, str, str]:
        """Run a command; exit status, standard output, standard error."""
        out, err = Path(self._folder.name, "out"), Path(self._folder.name, "err")
        status = self.run(Order(words, environ, str(cwd), str(out), str(err)))
        return status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=PATIENCE)
        os.close(self._answers)
        self._folder.cleanup()


@cache
def warm() -> Warm:
    """The session's warm process."""
    made = Warm()
    atexit.register(made.close)
    return made
