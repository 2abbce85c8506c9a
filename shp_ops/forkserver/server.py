"""The loop of the fork server: requests, ended workers, changed files.

All it knows of workers is what `Workers` has noted, so it makes no difference whether a worker is its own child, was
forked before it imported anew, or is left from a fork server that was killed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from dagster._core.code_pointer import ModuleCodePointer

from shp_ops.forkserver import worker
from shp_ops.forkserver.code import code_of
from shp_ops.forkserver.listener import become_new, hung_up, listen
from shp_ops.forkserver.version import Version
from shp_resources.fork_client import ForkClient, place_of, read_message
from shp_resources.logs import about
from shp_resources.processes import ProcessId, wait_until
from shp_resources.settings import Settings
from shp_resources.workers import Worker, Workers

_log = logging.getLogger("shp.forkserver")
_TICK_SECONDS = 1.0
_REQUEST_SECONDS = 5.0
_REPORT_SECONDS = 5.0
_DRAIN_SECONDS = 15.0


class ForkServer:
    """Forks a worker for each run.

    Args:
        settings: the installation.
        version: the code and feed files that were imported.
    """

    def __init__(self, settings: Settings, version: Version) -> None:
        self._settings, self._version = settings, version
        self._client, self._workers = ForkClient(settings.home), Workers(settings.home)
        self._listener = listen(self._client)
        self._deaths: dict[str, tuple[str, float]] = {}
        self._stopping = False
        self._operations: dict[str, Callable[[dict[str, Any], socket.socket], dict[str, Any]]] = {
            "ping": self._ping,
            "launch": self._launch,
        }

    def serve(self) -> None:
        """Serve until SIGTERM; then interrupt the workers, wait for them, and return."""
        waker = self._watch_signals()
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(waker, selectors.EVENT_READ)
            while not self._stopping:
                self._look_after()
                for key, _ in selector.select(_TICK_SECONDS):
                    if key.fileobj is self._listener:
                        self._answer()
                    else:
                        os.read(waker, 4096)
        self._drain()

    def _watch_signals(self) -> int:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "_stopping", True))
        return reader

    # requests

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_REQUEST_SECONDS)
            answer = self._answer_to(connection)
            if answer is not None:
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def _answer_to(self, connection: socket.socket) -> dict[str, Any] | None:
        try:
            request = read_message(connection)
            return self._operations[request["op"]](request, connection) if request else None
        except _NoAnswer:
            return None
        except Exception as error:  # noqa: BLE001 - boundary: no request may end the process that all runs hang on
            _log.exception("a request failed")
            return {"error": f"the fork server failed ({type(error).__name__}), its log says why"}

    def _ping(self, request: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
        return {"ok": True, "pid": os.getpid(), "version": str(self._version), "workers": len(self._workers.all())}

    def _launch(self, request: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
        run_id, args = request["run_id"], request["args"]
        known = self._workers.of(run_id)
        if known is not None:  # the answer to the first request was lost
            return {"worker": str(known.process)}
        pointer = code_of(args)
        if not isinstance(pointer, ModuleCodePointer) or pointer.module != self._version.module:
            return {"error": f"the fork server works for {self._version.module} only"}
        if request["place"] != place_of(self._settings):
            return {"error": "the fork server works with other code, folders or databases"}
        if self._version.is_stale or hung_up(connection):
            raise _NoAnswer
        return {"worker": str(self._fork(run_id, args))}

    def _fork(self, run_id: str, args: str) -> ProcessId:
        """Fork a worker, note it, let it begin; without a note it never does, so no run is worked at unseen."""
        gate, latch = os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                worker.execute(args, gate)
            process = ProcessId.of(pid)
            if process is None:
                raise ChildProcessError(f"the worker (pid {pid}) was killed before it began")
            self._workers.note(run_id, Worker(process))
            os.write(latch, b"!")
        finally:
            os.close(gate)
            os.close(latch)
        return process

    # workers and files

    def _look_after(self) -> None:
        self._see_to_workers(_reap())
        if self._version.is_stale:
            _log.info("code or feed files changed: importing anew")
            signal.set_wakeup_fd(-1)
            become_new(self._listener, self._version.module)

    def _see_to_workers(self, statuses: Mapping[int, int]) -> None:
        noted = self._workers.all()
        self._deaths = {run_id: death for run_id, death in self._deaths.items() if run_id in noted}
        for run_id, known in noted.items():
            if not known.alive():
                self._see_to_end(run_id, known, statuses.get(known.process.pid))
            elif known.overdue:
                _log.warning("the worker (pid %d) does not heed: ending it by force", known.process.pid, extra=about(run=run_id))
                known.process.send(signal.SIGKILL)

    def _see_to_end(self, run_id: str, ended: Worker, status: int | None) -> None:
        """Forget a worker that did its work; have the run of any other one ended, again until that is done."""
        if status == 0:
            self._workers.forget(run_id)
            return
        why, due = self._deaths.get(run_id, (_how_it_ended(ended, status), 0.0))
        if time.monotonic() < due:
            return
        self._deaths[run_id] = (why, time.monotonic() + _REPORT_SECONDS)
        with contextlib.suppress(OSError):  # no process to be had just now: tried again
            if os.fork() == 0:
                worker.end_run(run_id, why, self._workers)

    def _drain(self) -> None:
        """Let workers write down that they were interrupted, end those that do not, and have their runs ended."""
        self._listener.close()
        self._client.socket_path.unlink(missing_ok=True)
        for known in self._workers.all().values():
            known.process.send(signal.SIGINT)
        if not wait_until(self._is_idle, _DRAIN_SECONDS, 0.05):
            for known in self._workers.all().values():
                known.process.send(signal.SIGKILL)
            wait_until(self._is_idle, _REPORT_SECONDS, 0.05)

    def _is_idle(self) -> bool:
        self._see_to_workers(_reap())
        return not self._workers.all()


class _NoAnswer(Exception):
    """What was imported is stale: the client asks again, and what is forked then is not. Or nobody listens any more."""


def _reap() -> dict[int, int]:
    """The exit statuses of children that have ended, by pid; negative: the signal."""
    statuses: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return statuses
        if pid == 0:
            return statuses
        statuses[pid] = os.waitstatus_to_exitcode(status)


def _how_it_ended(ended: Worker, status: int | None) -> str:
    how = "is gone" if status is None else f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"The worker (pid {ended.process.pid}) {how}."
