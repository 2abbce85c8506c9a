"""The fork server, seen by those who need it: where it listens and what it is asked.

Must not live here: the server itself, which process works for which run (`workers`), and Dagster (a process that only
asks for the server's health imports little).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from shp_resources.settings import Settings

_PING_SECONDS = 20.0
_LAUNCH_SECONDS = 60.0


class ForkServerAway(Exception):
    """No fork server starts this run; the message says why."""


class ForkClient:
    """Talks to the fork server of one installation.

    Args:
        home: the installation's folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def socket_path(self) -> Path:
        """Where the server listens."""
        return self._home / "run" / "forks.sock"

    def ping(self) -> dict[str, Any]:
        """The server's state: `pid`, `version` of what it has imported, `workers` (runs under way).

        A server that is just importing anew is waited for.

        Raises:
            ForkServerAway: nobody answers.
        """
        deadline = time.monotonic() + _PING_SECONDS
        while (answer := self._ask({"op": "ping"}, deadline)) is None:
            self._pause(deadline)
        return answer

    def launch(self, run_id: str, args: str, place: str, wanted: Callable[[], bool] = lambda: True) -> None:
        """Have a worker forked for a run; a server that is just importing anew is waited for.

        Args:
            run_id: Dagster's run.
            args: serialized `ExecuteRunArgs`.
            place: code, folders and databases of who asks; a server with others would run other code, or look for the run elsewhere.
            wanted: asked before the request is repeated, for the first one may have been heard and only its answer lost.

        Raises:
            ForkServerAway: nobody answers, or the server declines.
        """
        deadline = time.monotonic() + _LAUNCH_SECONDS
        request = {"op": "launch", "run_id": run_id, "args": args, "place": place}
        while (answer := self._ask(request, deadline)) is None:
            self._pause(deadline)
            if not wanted():
                return
        if "worker" not in answer:
            raise ForkServerAway(str(answer.get("error", "the fork server does not understand")))

    def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise ForkServerAway("the fork server is importing anew, again and again")
        time.sleep(0.05)

    def _ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any] | None:
        """One request, one answer; None when the connection ends without one: the server has died or imports anew."""
        try:
            with socket.socket(socket.AF_UNIX) as connection, reachable(self.socket_path) as path:
                connection.settimeout(max(1.0, deadline - time.monotonic()))
                connection.connect(path)
                connection.sendall(json.dumps(request).encode() + b"\n")
                return read_message(connection)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ForkServerAway("no fork server listens here") from error
        except TimeoutError as error:
            raise ForkServerAway("the fork server does not answer") from error
        except ConnectionError:
            return None


def place_of(settings: Settings) -> str:
    """Code, folders and databases of a process, told apart from others: a hash, for it covers addresses with passwords.

    Args:
        settings: the installation as this process sees it.
    """
    known = [Path(__file__).parent, settings.home, settings.feeds, settings.landing, settings.store]
    return sha256("\0".join(map(str, [*known, settings.ledger_dsn(), settings.sink_dsn()])).encode()).hexdigest()[:16]


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A path short enough for a socket's address (108 bytes), however deep its folder lies.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def read_message(connection: socket.socket) -> dict[str, Any] | None:
    """One JSON line; None when the other side closes before its end.

    Raises:
        ValueError: it is no JSON.
        TimeoutError: the other side stays silent.
    """
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece:
            return None
        data += piece
    message: dict[str, Any] = json.loads(data)
    return message
