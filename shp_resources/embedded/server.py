"""The life of the embedded server: held, started, adopted, released."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL, Signals
from time import sleep
from typing import TYPE_CHECKING

import psycopg2

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_resources.embedded import keeper
from shp_resources.embedded.binaries import Binaries
from shp_resources.embedded.cluster import DATABASE, USER, Cluster, failed, write_private
from shp_resources.processes import LOOPBACK, ProcessId, free_port, spawn, wait_until

if TYPE_CHECKING:
    from shp_resources.embedded.rights import Rights

_START_SECONDS = 60.0  # recovery after a kill replays at most max_wal_size
_STOP_SECONDS = 40.0
_ATTEMPTS = 4


class EmbeddedServer:
    """The PostgreSQL server of one home.

    Whoever needs it calls `start` and later `stop` (or uses `held`). The server runs while anybody holds it; it is
    TCP on the loopback address, with a random password.

    Args:
        home: the installation's folder (`SHP_HOME`).
        options: server settings beside ours (tests turn fsync off).
    """

    def __init__(self, home: Path, options: Mapping[str, str] | None = None) -> None:
        self._cluster = Cluster(home.absolute() / "postgres")
        self._log = home.absolute() / "logs" / "postgres.log"
        self._options = dict(options or {})
        self._hold: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def dsn_file(self) -> Path:
        """Where the address is while the server runs; readable by its owner only."""
        return self._cluster.folder / "dsn"

    @property
    def postmaster(self) -> ProcessId | None:
        """The server process, if it runs."""
        return self._cluster.postmaster()

    def start(self) -> str:
        """Hold the server, and start it if it does not run.

        Returns:
            Address of the database `shp`, as `postgresql://…`.

        Raises:
            UsageError: the server cannot run here (wheel missing, rights, version); says what to do.
            Fault: it did not start; carries the last lines of its log.
        """
        self._acquire()
        try:
            with self._alone():
                return self._dsn() if self.running() else self._launch()
        except BaseException:  # also Ctrl-C: whoever could not start it must not hold it
            self.stop()
            raise

    def stop(self) -> None:
        """Let go of the server; with its last holder it ends before this returns."""
        if self._hold is None:
            return
        fcntl.flock(self._hold, fcntl.LOCK_UN)
        self._end_if_unheld(self._hold)
        os.close(self._hold)
        self._hold = None

    def running(self) -> bool:
        """Whether the server runs and answers a query."""
        return self._keeper_process() is not None and self.postmaster is not None and self._answers()

    @contextmanager
    def held(self) -> Iterator[str]:
        """The server's address, for as long as the block lasts."""
        dsn = self.start()
        try:
            yield dsn
        finally:
            self.stop()

    # holding

    def _acquire(self) -> None:
        if self._hold is None:
            self._hold = self._open_holders()
        fcntl.flock(self._hold, fcntl.LOCK_SH)

    def _open_holders(self) -> int:
        try:
            self._cluster.folder.mkdir(parents=True, exist_ok=True)
            return os.open(self._holders, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(
                f"The folder {self._cluster.folder} cannot be written ({error.strerror}).",
                "Make it writable, or choose another home with --home or SHP_HOME.",
                Code.SETTINGS_INVALID,
            ) from error

    @property
    def _holders(self) -> Path:
        return self._cluster.folder / "holders.lock"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._cluster.folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _end_if_unheld(self, descriptor: int) -> None:
        if _locked(descriptor, fcntl.LOCK_EX):
            self._end_server()
        elif not _locked(descriptor, fcntl.LOCK_SH):  # not even sharing: the keeper, or another leaver, is ending it
            wait_until(lambda: not self._anything_runs(), _STOP_SECONDS)

    # the server and its keeper

    def _launch(self) -> str:
        binaries = Binaries.find()
        self._end_server()  # one without a keeper is left over; nobody would end it
        rights = self._cluster.prepare(binaries)
        self._cluster.password()
        self._cluster.forget_stale_postmaster()
        seen = self._log.stat().st_size if self._log.exists() else 0
        for _ in range(_ATTEMPTS):
            port = free_port(self._port())
            if self._comes_up(binaries, rights, port):
                return self._dsn()
            sleep(0.3)  # a port just taken, or the children of a killed server still going
        raise failed("it ended at once", self._log.read_text(encoding="utf-8", errors="replace")[seen:])

    def _comes_up(self, binaries: Binaries, rights: Rights, port: int) -> bool:
        write_private(self._cluster.folder / "port", str(port))
        self._spawn_keeper(self._cluster.command(binaries, port, self._options), rights)
        wait_until(lambda: self._answers() or self._keeper_process() is None, _START_SECONDS, 0.03)
        if not self._answers():
            self._end_server()
            return False
        self._ensure_database()
        write_private(self.dsn_file, self._dsn())
        return True

    def _spawn_keeper(self, command: list[str], rights: Rights) -> None:
        order = {
            "command": rights.command(*command),
            "popen": rights.popen_arguments(),
            "lock": str(self._holders),
            "address": str(self.dsn_file),
        }
        words: list[str | Path] = [sys.executable, "-I", "-S", Path(keeper.__file__), json.dumps(order)]
        environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        self._keeper = spawn(words, self._log, environ, Path("/"), dies_with_us=False)
        write_private(self._keeper_file, str(ProcessId.of(self._keeper.pid) or ""))

    @property
    def _keeper_file(self) -> Path:
        return self._cluster.folder / "keeper"

    def _keeper_process(self) -> ProcessId | None:
        if self._keeper is not None:
            self._keeper.poll()  # our own child stays a zombie until we look
        try:
            process = ProcessId.parse(self._keeper_file.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        return process if process is not None and process.alive() else None

    def _anything_runs(self) -> bool:
        return self._keeper_process() is not None or self.postmaster is not None

    def _end_server(self) -> None:
        for number, patience in ((keeper.FAST_SHUTDOWN, 30.0), (keeper.IMMEDIATE_SHUTDOWN, 5.0), (SIGKILL, 5.0)):
            if self._ends_by(number, patience):
                break
        self.dsn_file.unlink(missing_ok=True)

    def _ends_by(self, number: Signals, patience: float) -> bool:
        asked: set[ProcessId] = set()  # a server that is just starting writes its pid file a moment later

        def gone() -> bool:
            server = self.postmaster
            if server is not None and server not in asked:
                server.send(number)
                asked.add(server)
            return not self._anything_runs()

        return wait_until(gone, patience)

    # talking to it

    def _port(self) -> int | None:
        try:
            return int((self._cluster.folder / "port").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def _dsn(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{self._cluster.password()}@{LOOPBACK}:{self._port()}/{database}"

    def _answers(self) -> bool:
        try:
            self._ask("postgres", "select 1")
        except psycopg2.OperationalError:
            return False
        return True

    def _ensure_database(self) -> None:
        if not self._ask("postgres", f"select 1 from pg_database where datname = '{DATABASE}'"):
            self._ask("postgres", f"create database {DATABASE}")

    def _ask(self, database: str, statement: str) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(self._dsn(database), connect_timeout=3)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
