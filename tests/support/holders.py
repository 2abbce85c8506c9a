"""Other processes that hold an embedded server, to be killed at will."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import PATIENCE

REPOSITORY = Path(__file__).parents[2]
_HOLD = """
import sys
from pathlib import Path
from shp_resources.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])).held() as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


class Holder:
    """A process that holds the server of a home until it is told to let go.

    Args:
        home: the installation's folder.
        prefix: words before the command (a change of user).
    """

    def __init__(self, home: Path, prefix: tuple[str, ...] = ()) -> None:
        command = [*prefix, sys.executable, "-c", _HOLD, str(home)]
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ, cwd="/")

    def dsn(self) -> str:
        """Wait until it holds; the address it got."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def let_go(self) -> int:
        """Let it end by itself; its exit status."""
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def kill(self) -> None:
        """Kill it with a signal that nobody can catch."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@contextmanager
def holder(home: Path, prefix: tuple[str, ...] = ()) -> Iterator[Holder]:
    """A holder that is gone after the block, whatever happened in it."""
    made = Holder(home, prefix)
    try:
        yield made
    finally:
        made.kill()
