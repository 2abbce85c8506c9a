"""What a running platform does once a day, in a process of its own: `shp retention`.

Must not live here: what that does. The supervisor must stay small, and retention is no service: it ends by itself.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shp_ops.supervisor.layout import Layout, python
from shp_ops.supervisor.scribe import Scribe
from shp_resources.processes import spawn, stop

_DAY_SECONDS = 24 * 3600.0
_GRACE_SECONDS = 10.0


class Daily:
    """The daily work of one home.

    Args:
        layout: its places; a file in `run` remembers when it was last done, over restarts too.
        scribe: keeps what it writes.
        environ: makes the whole environment of the process.
        cwd: its working directory.
    """

    def __init__(self, layout: Layout, scribe: Scribe, environ: Callable[[], Mapping[str, str]], cwd: Path) -> None:
        self._done, self._scribe = layout.run / "retention", scribe
        self._environ, self._cwd = environ, cwd
        self._child: subprocess.Popen[bytes] | None = None

    def look(self) -> bool:
        """Begin it when a day has passed; whether it was begun. The first day begins with the first look."""
        if self._child is not None and self._child.poll() is None:
            return False
        self._child = None
        if not self._done.exists():
            self._done.touch()
        if time.time() - self._done.stat().st_mtime < _DAY_SECONDS:
            return False
        self._done.touch()
        with self._scribe.pipe() as output:
            self._child = spawn(python("shp_ops.cli.main", "retention"), output, self._environ(), self._cwd)
        return True

    def stop(self) -> None:
        """End it, if it is under way; what it had not done yet it does another day."""
        if self._child is not None:
            stop(self._child, _GRACE_SECONDS)
