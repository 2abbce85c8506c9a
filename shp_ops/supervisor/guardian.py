"""The supervisor's guardian: whatever kills the supervisor, none of its processes stays.

It waits for the end of its standard input, which is a pipe that only the supervisor holds open; then it ends every
process that carries the supervisor's mark, children of children included. It polls nothing and imports little.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shp_resources.processes import MARK, sweep


def start(mark: str) -> subprocess.Popen[bytes]:
    """Start the guardian; closing its `stdin`, or dying, wakes it.

    Args:
        mark: what the environments of the guarded processes carry.
    """
    from shp_ops.supervisor.layout import python, python_path  # what the guardian itself would carry for nothing

    environ = {name: value for name, value in os.environ.items() if name != MARK} | python_path()
    command = python("shp_ops.supervisor.guardian", mark)
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environ, cwd=Path("/"), start_new_session=True)


def main(mark: str) -> None:
    """Wait for the supervisor's end, then end what it left."""
    sys.stdin.buffer.read()
    sweep(mark)


if __name__ == "__main__":
    main(sys.argv[1])
