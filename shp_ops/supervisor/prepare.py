"""What must be done once before the services start: the ledger's tables.

A process of its own, beside the starting code server: the libraries it needs would stay in the supervisor's memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_ops.supervisor.layout import python

_SECONDS = 300.0


def start(environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the preparation; `finish` waits for it.

    Args:
        environ: the whole environment, with SHP_PG_DSN.
    """
    command = python("shp_ops.supervisor.prepare")
    return subprocess.Popen(
        command,
        env=dict(environ),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the preparation.

    Raises:
        ShpError: it failed.
    """
    said, _ = process.communicate(timeout=_SECONDS)
    if process.returncode == 0:
        return
    last = said.strip().rpartition("\n")[2]
    raise _error_in(last) or ShpError(Code.CODE_BUG, f"The ledger could not be prepared: {last[:300]}", said[-2000:])


def _error_in(line: str) -> ShpError | None:
    try:
        error = json.loads(line)["error"]
    except (ValueError, TypeError, KeyError):
        return None
    return ShpError(Code(error["code"]), error["message"], error["next"])


def main() -> int:
    """Do it; the last line tells an error of ours as JSON."""
    from shp_resources.ledger import migrate

    try:
        migrate(os.environ["SHP_PG_DSN"])
    except ShpError as error:
        sys.stdout.write(json.dumps({"error": error.as_dict()}) + "\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
