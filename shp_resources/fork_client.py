"""The fork server, seen by those who need it: where it listens, what it is asked, which process works for which run.

Must not live here: the server itself, and Dagster (a process that only asks for the server's health imports little).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shp_resources.processes import ProcessId

_REPLY_SECONDS = 20.0
_PATIENCE_SECONDS = 60.0


class ForkServerAway(Exception):
    """No fork server answers in this home."""


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

        Raises:
            ForkServerAway: nobody answers.
        """
        return self._ask({"op": "ping"}, patience=0.0)

    def launch(self, run_id: str, args: str) -> ProcessId:
        """Have a worker forked for a run; a server that is just importing anew is waited for.

        Args:
            run_id: Dagster's run.
            args: serialized `ExecuteRunArgs`.

        Raises:
            ForkServerAway: nobody answers.
        """
        answer = self._ask({"op": "launch", "run_id": run_id, "args": args}, patience=_PATIENCE_SECONDS)
        worker = ProcessId.parse(answer.get("worker"))
        if worker is None:
            raise ForkServerAway(str(answer.get("error", "no worker")))
        return worker

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run's worker, and end it by force if it does not heed; False when there is none."""
        try:
            return bool(self._ask({"op": "terminate", "run_id": run_id}, patience=0.0).get("ok"))
        except ForkServerAway:
            return False

    def _ask(self, request: dict[str, Any], patience: float) -> dict[str, Any]:
        """One request, one answer; a connection that ends without an answer means that the server imports anew."""
        until = time.monotonic() + patience
        while True:
            answer = self._ask_once(request)
            if answer is not None:
                return answer
            if time.monotonic() > until:
                raise ForkServerAway("the fork server is importing anew")
            time.sleep(0.05)

    def _ask_once(self, request: dict[str, Any]) -> dict[str, Any] | None:
        try:
            with socket.socket(socket.AF_UNIX) as connection, reachable(self.socket_path) as path:
                connection.settimeout(_REPLY_SECONDS)
                connection.connect(path)
                connection.sendall(json.dumps(request).encode() + b"\n")
                return read_message(connection)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ForkServerAway("no fork server listens here") from error
        except ConnectionError:
            return None
        except TimeoutError as error:
            raise ForkServerAway("the fork server does not answer") from error


class Workers:
    """Which process works for which run, as files: they outlive the fork server.

    Args:
        home: the installation's folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "run" / "workers"

    def note(self, run_id: str, worker: ProcessId) -> None:
        """Remember the worker of a run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{run_id}"
        draft.write_text(str(worker), encoding="ascii")
        draft.replace(self._folder / run_id)

    def of(self, run_id: str) -> ProcessId | None:
        """The worker of a run, dead or alive; None when there is none, or it ended and was seen to."""
        try:
            return ProcessId.parse((self._folder / run_id).read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    def forget(self, run_id: str) -> None:
        """The worker has ended."""
        (self._folder / run_id).unlink(missing_ok=True)

    def all(self) -> dict[str, ProcessId]:
        """Every noted worker, by run."""
        names = [path.name for path in self._folder.glob("*")] if self._folder.is_dir() else []
        found = {name: self.of(name) for name in names if not name.startswith(".")}
        return {name: worker for name, worker in found.items() if worker is not None}


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
    """One JSON line; None when the other side closes before its end."""
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece:
            return None
        data += piece
    message: dict[str, Any] = json.loads(data)
    return message
