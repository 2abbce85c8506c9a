"""One supervised part of the platform: started, looked at, started again with back-off, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_ops.supervisor.scribe import Scribe
from shp_ops.supervisor.services import Service
from shp_ops.supervisor.state import ServiceState
from shp_resources.embedded import EmbeddedServer
from shp_resources.processes import ProcessId, port_is_free, spawn, stop, wait_until

_PORT_SECONDS = 15.0


class Part(Protocol):
    """Something that can be started, looked at and ended."""

    name: str
    port: int | None

    @property
    def process(self) -> ProcessId | None:
        """Its process, if it runs."""

    def start(self) -> None:
        """Start it; it may take a while until it is ready."""

    def stop(self) -> None:
        """End it, and wait until it has."""


class ServiceProcess:
    """A service as a child of ours.

    Args:
        service: what to start.
        scribe: keeps what it writes.
        environ: makes the whole environment at each start.
        cwd: working directory.
    """

    def __init__(self, service: Service, scribe: Scribe, environ: Callable[[], Mapping[str, str]], cwd: Path) -> None:
        self.name, self.port = service.name, service.port
        self._service, self._scribe, self._environ, self._cwd = service, scribe, environ, cwd
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> ProcessId | None:
        """Its process, if it runs."""
        if self._child is None or self._child.poll() is not None:
            return None
        return ProcessId.of(self._child.pid)

    def start(self) -> None:
        """Start it once its predecessor's port is free.

        Two code servers would share one port, and requests would go to old and new code at random.

        Raises:
            OSError: it cannot be started, or somebody holds its port.
        """
        if self.port is not None and not wait_until(lambda: port_is_free(self.port or 0), _PORT_SECONDS):
            raise OSError(f"port {self.port} is in use")
        with self._scribe.pipe() as output:
            self._child = spawn(self._service.command, output, self._environ(), self._cwd)

    def stop(self) -> None:
        """End it, and the workers it started if it has any."""
        if self._child is None:
            return
        if self._service.with_workers:
            _signal_group(self._child.pid)
        stop(self._child, self._service.grace)

    def why_not_ready(self, since: float) -> str | None:
        """None when it is ready, else the reason.

        Raises:
            ShpError: it has died; carries the last lines of its log.
        """
        if self.process is None:
            raise ShpError(Code.SERVICE_FAILED, f"{self.name} ended while it started: {self.last_words()}", f"Read {self._scribe.place}.")
        return self._service.ready(since)

    def last_words(self, lines: int = 12) -> str:
        """The last lines it wrote since its start."""
        return "\n".join(self._scribe.last_words(lines)) or "(it wrote nothing)"


class Database:
    """The embedded server as a part: held by us, its process a child of its keeper.

    Args:
        server: the embedded server.
        moved: told when it came back under another address.
    """

    name = "postgres"
    port: int | None = None

    def __init__(self, server: EmbeddedServer, moved: Callable[[str], None]) -> None:
        self._server, self._moved = server, moved
        self.dsn: str | None = None

    @property
    def process(self) -> ProcessId | None:
        """The server process, if it runs."""
        return self._server.postmaster

    def start(self) -> None:
        """Start it; it is ready when this returns.

        Raises:
            ShpError: it does not start.
        """
        dsn = self._server.start()
        if self.dsn is not None and dsn != self.dsn:
            self._moved(dsn)
        self.dsn = dsn

    def stop(self) -> None:
        """Let go of it; with its last holder it ends."""
        self._server.stop()


@dataclass
class Backoff:
    """How long to wait before the next start.

    Args:
        first: seconds before the first restart.
        cap: seconds at most.
        calm: seconds of life after which a death counts as the first again.
    """

    first: float = 0.5
    cap: float = 30.0
    calm: float = 60.0
    _deaths: int = 0

    def after(self, lived: float) -> float:
        """Seconds to wait after a death.

        Args:
            lived: how many seconds it lived.
        """
        self._deaths = 1 if lived >= self.calm else self._deaths + 1
        return min(self.cap, self.first * 2.0 ** (self._deaths - 1))


class Tended:
    """A part that is kept up.

    Args:
        part: what is kept up.
        tell: told what happens, in one line.
    """

    def __init__(self, part: Part, tell: Callable[[str], None]) -> None:
        self.part, self._tell = part, tell
        self._backoff = Backoff()
        self._due: float | None = None
        self._process: ProcessId | None = None
        self.since, self.restarts = 0.0, 0

    def start(self) -> None:
        """Start it for the first time."""
        self.since = time.time()
        self.part.start()
        self._process = self.part.process

    def renew(self) -> None:
        """Start it again because what it was made from has changed; that is no death."""
        self.part.stop()
        self._start_or_wait(time.monotonic())

    def tend(self, now: float) -> bool:
        """Look at it; start it again when it is due.

        Args:
            now: monotonic seconds.

        Returns:
            Whether anything changed.
        """
        if self._due is None:
            return self._note_death(now)
        if now < self._due:
            return False
        self._restart(now)
        return True

    @property
    def state(self) -> ServiceState:
        """What other processes are told of it."""
        process = str(self._process) if self._process else None
        return ServiceState(process, self.since, self.restarts, self.part.port)

    def _note_death(self, now: float) -> bool:
        if self.part.process is not None:
            return False
        wait = self._backoff.after(time.time() - self.since)
        self._due = now + wait
        self._tell(f"{self.part.name} has died; starting it again in {wait:g} s")
        return True

    def _restart(self, now: float) -> None:
        self.restarts += 1
        self._start_or_wait(now)

    def _start_or_wait(self, now: float) -> None:
        self._due = None
        try:
            self.start()
        except (OSError, ShpError) as error:
            self._due = now + self._backoff.after(0.0)
            self._tell(f"{self.part.name} does not start: {error}")


def _signal_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGTERM)
    except ProcessLookupError:
        return
