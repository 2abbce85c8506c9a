"""The loop of the fork server: requests, ended workers, changed files."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value

from shp_ops.forkserver import worker
from shp_ops.forkserver.version import version_on_disk
from shp_resources.fork_client import ForkClient, Workers, reachable, read_message
from shp_resources.processes import ProcessId
from shp_resources.settings import Settings

LISTENER_FD = "SHP_FORKS_FD"
_TICK_SECONDS = 1.0
_KILL_AFTER_SECONDS = 20.0
_DRAIN_SECONDS = 15.0


class ForkServer:
    """Forks a worker for each run.

    Args:
        settings: the installation.
        version: of the code and feed files that were imported.
    """

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._workers = Workers(settings.home)
        self._children = {worker_id.pid: run_id for run_id, worker_id in self._workers.all().items()}
        self._overdue: dict[int, float] = {}
        self._warm: set[CodePointer] = set()
        self._stopping = False
        self._listener = _listener(ForkClient(settings.home))
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ping": self._ping,
            "launch": self._launch,
            "terminate": self._terminate,
        }

    def serve(self) -> None:
        """Serve until SIGTERM; then interrupt the workers, wait for them, and return."""
        waker = self._watch_signals()
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(waker, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select(_TICK_SECONDS):
                    if key.fileobj is self._listener:
                        self._answer()
                    else:
                        os.read(waker, 4096)
                self._look_after()
        self._drain()

    def _watch_signals(self) -> int:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "_stopping", True))
        return reader

    def _look_after(self) -> None:
        self._reap()
        for pid in [pid for pid, when in self._overdue.items() if time.monotonic() > when]:
            self._overdue.pop(pid)
            _signal(pid, signal.SIGKILL)
        if version_on_disk(self._settings) != self._version:
            self._import_anew()

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(5.0)
            request = read_message(connection)
            if request is None:
                return
            if request["op"] == "launch" and version_on_disk(self._settings) != self._version:
                return  # no answer: the client asks again, and what is forked then is not stale
            answer = self._operations[request["op"]](request)
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def _ping(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "pid": os.getpid(), "version": self._version, "workers": len(self._children)}

    def _launch(self, request: dict[str, Any]) -> dict[str, Any]:
        known = self._workers.of(request["run_id"])
        if known is not None and known.alive():  # the answer to the first request was lost
            return {"worker": str(known)}
        self._warm_up(request["args"])
        pid = os.fork()
        if pid == 0:
            self._listener.close()
            worker.execute(request["args"])
        identity = ProcessId.of(pid)
        if identity is None:
            return {"error": "the worker died at once"}
        self._children[pid] = request["run_id"]
        self._workers.note(request["run_id"], identity)
        return {"worker": str(identity)}

    def _warm_up(self, args: str) -> None:
        """Make the definitions ready once, here, so that no worker has to."""
        origin = deserialize_value(args, ExecuteRunArgs).job_origin
        pointer = origin.repository_origin.code_pointer
        if pointer not in self._warm:
            reconstruct_repository_def_from_pointer(pointer).get_implicit_global_asset_job_def()
            self._warm.add(pointer)

    def _terminate(self, request: dict[str, Any]) -> dict[str, Any]:
        identity = self._workers.of(request["run_id"])
        if identity is None or not identity.alive():
            return {"ok": False}
        identity.send(signal.SIGINT)
        self._overdue[identity.pid] = time.monotonic() + _KILL_AFTER_SECONDS
        return {"ok": True}

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, status: int) -> None:
        self._overdue.pop(pid, None)
        run_id = self._children.pop(pid, None)
        if run_id is None:  # a reporter
            return
        self._workers.forget(run_id)
        if status != 0 and os.fork() == 0:
            self._listener.close()
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            worker.report_death(run_id, f"The worker (pid {pid}) {how}.")

    def _import_anew(self) -> None:
        """Become a fresh process under the same pid, with the same listening socket and the same children."""
        _say("code or feed files changed: importing anew")
        os.set_inheritable(self._listener.fileno(), True)
        os.environ[LISTENER_FD] = str(self._listener.fileno())
        signal.set_wakeup_fd(-1)
        os.execv(sys.executable, [sys.executable, "-m", "shp_ops.forkserver"])

    def _drain(self) -> None:
        """Let workers write down that they were interrupted."""
        self._listener.close()
        ForkClient(self._settings.home).socket_path.unlink(missing_ok=True)
        for pid in self._children:
            _signal(pid, signal.SIGINT)
        until = time.monotonic() + _DRAIN_SECONDS
        while self._children and time.monotonic() < until:
            time.sleep(0.05)
            self._reap()
        for pid in self._children:
            _signal(pid, signal.SIGKILL)


def _listener(client: ForkClient) -> socket.socket:
    inherited = os.environ.pop(LISTENER_FD, None)
    if inherited is not None:
        listener = socket.socket(fileno=int(inherited))
        listener.set_inheritable(False)
        return listener
    client.socket_path.parent.mkdir(parents=True, exist_ok=True)
    client.socket_path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        with reachable(client.socket_path) as path:
            listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(128)
    return listener


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n")
    sys.stderr.flush()
