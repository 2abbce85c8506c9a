"""The platform: all its processes under one lock per home, started in order, kept up, ended in order."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from uuid import uuid4

from shp_core.codes import Code
from shp_core.errors import Fault, ShpError, UsageError
from shp_core.healing.faults import Evidence
from shp_ops.hadoop.machine import HadoopMachine
from shp_ops.supervisor import guardian, prepare, probes, services
from shp_ops.supervisor.access import Access
from shp_ops.supervisor.daily import Daily
from shp_ops.supervisor.feed_files import FeedFiles
from shp_ops.supervisor.layout import Layout, make_landing_folders
from shp_ops.supervisor.parts import Database, ServiceProcess, Tended
from shp_ops.supervisor.readiness import await_ready
from shp_ops.supervisor.scribe import Scribes
from shp_ops.supervisor.state import HADOOP, PlatformState
from shp_resources.embedded import EmbeddedServer
from shp_resources.hdfs.cluster import forget_cluster, tell_cluster
from shp_resources.processes import LOOPBACK, MARK, ProcessId, free_port, port_is_free, sweep
from shp_resources.role_access import Login
from shp_resources.settings import Settings

_LOOK_SECONDS = 0.5
Tell = Callable[[str], None]


class StopAsked(Exception):
    """Somebody asked the platform to stop while it was starting."""


class Platform:
    """All processes of one installation.

    `run` does everything and returns when it was asked to stop; `running` does the same beside a block of code.

    Args:
        settings: the installation.
        port: port of the UI; one that is free by default, the same at every start.
        tell: told what happens, in one line each.
        hadoop: a Hadoop to run beside it, None: none.
        viewers: port of a second UI in which nothing can be changed; 0: one that is free, None: there is none.
    """

    def __init__(
        self,
        settings: Settings,
        port: int | None = None,
        tell: Tell = lambda line: None,
        hadoop: HadoopMachine | None = None,
        viewers: int | None = None,
    ) -> None:
        self._settings, self._wanted_port, self._hadoop = settings, port, hadoop
        self._layout, self._say, self._scribes = Layout(settings.home), tell, Scribes(settings)
        self._feed_files, self._viewers, self._access = FeedFiles(settings, self._tell), viewers, Access(settings)
        self._daily = Daily(self._layout, self._scribes.of("retention"), self._owners_environment, settings.home)
        self._asked, self._ready = threading.Event(), threading.Event()
        self._parts: list[Tended] = []
        self._mark = uuid4().hex
        self._lock: int | None = None
        self._guardian: subprocess.Popen[bytes] | None = None
        self._database: Database | None = None
        self._ports: dict[str, int] = {}
        self._failure: BaseException | None = None
        self._state: PlatformState | None = None

    def _tell(self, line: str) -> None:
        self._say(line)
        if self._lock is not None:  # before that the logs are another supervisor's
            self._scribes.of("supervisor").say(line)

    @property
    def ui_url(self) -> str:
        """Address of the UI."""
        return f"http://{LOOPBACK}:{self._ports['web']}"

    @property
    def dsn(self) -> str:
        """Address of the ledger's database."""
        known = self._database.dsn if self._database is not None else self._settings.pg_dsn
        if known is None:
            raise ShpError(Code.LEDGER_UNREACHABLE, "The embedded PostgreSQL has not been started yet.")
        return known

    def ask_to_stop(self) -> None:
        """Make `run` return; safe in a signal handler and from any thread."""
        self._asked.set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start everything, keep it up until asked to stop, stop everything.

        Args:
            ready: called once when everything is ready.

        Raises:
            ShpError: it could not be started; everything is stopped again.
        """
        try:
            self._start()
            ready()
            self._watch()
        except StopAsked:
            self._tell("stopping before it was ready")
        except ShpError as error:
            self._note_failure(error)
            raise
        finally:
            self._stop()

    @contextmanager
    def running(self) -> Iterator[Platform]:
        """The platform, ready, for as long as the block lasts.

        Raises:
            ShpError: it could not be started.
        """
        thread = threading.Thread(target=self._run_beside, name="supervisor", daemon=True)
        thread.start()
        try:
            self._ready.wait()
            if self._failure is not None:
                raise self._failure
            yield self
        finally:
            self.ask_to_stop()
            thread.join()

    def _run_beside(self) -> None:
        # One thread for all of it: children get SIGTERM when the thread that started them ends.
        try:
            self.run(self._ready.set)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
            self._failure = error
        finally:
            self._ready.set()

    def _start(self) -> None:
        self._take_lock()
        self._guardian = guardian.start(self._mark)
        self._choose_ports()
        self._write_files()
        hadoop = self._start_hadoop()
        self._start_database()
        preparation = prepare.start(self._owners_environment())
        code = self._add(services.code_server(self._ports["code"]))
        self._await(code)  # first: what keeps Dagster from being imported is told by the service that is made of it
        for line in prepare.finish(preparation, self._stop_if_asked):
            self._tell(line)
        others = [
            self._add(services.fork_server(self._layout)),
            self._add(services.webserver(self._layout, self._ports["web"])),
            self._add(services.daemon(self._layout, self.dsn)),
        ]
        if self._viewers is not None:
            others.append(self._add(services.viewers(self._layout, self._ports["viewers"]), lambda: self._environment("reader")))
        others.append(self._add(services.watchdog(self._ports["watchdog"]), self._watchdogs_environment))  # it watches what was started
        for part in (*others, *hadoop):
            self._await(part)
        self._save(ready_at=time.time())

    def _take_lock(self) -> None:
        self._lock = self._open_lock()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise UsageError(
                f"A platform runs in {self._settings.home} already.", "Run: shp status (what it does), or shp down (stop it)."
            ) from error
        self._end_left_over()
        self._state = PlatformState(str(ProcessId.current()), self._mark, "")

    def _open_lock(self) -> int:
        try:
            self._layout.run.mkdir(parents=True, exist_ok=True)
            return os.open(self._layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(
                f"The home {self._settings.home} cannot be written ({error.strerror}).",
                "Make it writable, or choose another one with --home or SHP_HOME.",
                Code.SETTINGS_INVALID,
            ) from error

    def _end_left_over(self) -> None:
        left = PlatformState.load(self._layout.state)
        if left is not None and sweep(left.mark):
            self._tell("ended what an earlier supervisor had left")

    def _choose_ports(self) -> None:
        known = self._layout.remembered_ports()
        for wanted, option in ((self._wanted_port, "--port"), (self._viewers, "--viewers")):
            if wanted and not port_is_free(wanted):
                raise UsageError(f"Port {wanted} is in use.", f"Choose another one with {option}, or none: a free one is found.")
        self._ports["web"] = self._wanted_port or free_port(known.get("web"))
        self._ports["code"] = free_port(known.get("code"), taken=[self._ports["web"]])
        self._ports["watchdog"] = free_port(known.get("watchdog"), taken=self._ports.values())
        if self._viewers is not None:
            self._ports["viewers"] = self._viewers or free_port(known.get("viewers"), taken=self._ports.values())
        for name in self._hadoop.port_names if self._hadoop is not None else ():
            self._ports[name] = free_port(known.get(name), taken=self._ports.values())
        self._layout.remember_ports(known | self._ports)
        self._save(ui=self.ui_url)

    def _write_files(self) -> None:
        self._layout.write_dagster_home()
        self._layout.write_workspace(self._ports["code"])
        make_landing_folders(self._settings)
        self._feed_files.begin()

    def _start_hadoop(self) -> list[Tended]:
        """Start its daemons together (a NameNode with blocks waits for its DataNode); they become ready meanwhile."""
        forget_cluster(self._settings)
        if self._hadoop is None:
            return []
        machine = self._hadoop
        machine.prepare(self._ports, self._tell)
        # Told before it is ready: a run that is early is refused and comes again; it must not take a local folder for the lake.
        tell_cluster(self._settings, machine.cluster(self._ports))
        return [self._add(service, lambda: machine.environment({MARK: self._mark})) for service in machine.services(self._ports)]

    def _start_database(self) -> None:
        if self._settings.embedded:
            self._database = Database(EmbeddedServer(self._settings.home), self._follow_database)
            self._keep(Tended(self._database, self._tell)).start()
        why = probes.postgres(self.dsn)
        if why is not None:
            evidence = Evidence("ledger", text=why)
            raise Fault(
                Code.LEDGER_UNREACHABLE, f"The database of SHP_PG_DSN does not answer: {why}", evidence, "Start it, or correct SHP_PG_DSN."
            )
        self._tell("postgres is ready")

    def _add(self, service: services.Service, environ: Callable[[], Mapping[str, str]] | None = None) -> Tended:
        part = ServiceProcess(service, self._scribes.of(service.name), environ or self._environment, self._settings.home)
        tended = self._keep(Tended(part, self._tell))
        tended.start()
        self._save()
        return tended

    def _keep(self, part: Tended) -> Tended:
        self._parts.append(part)
        return part

    def _stop_if_asked(self) -> None:
        if self._asked.wait(0.1):
            raise StopAsked

    def _await(self, tended: Tended) -> None:
        part = tended.part
        assert isinstance(part, ServiceProcess)
        await_ready(part, tended.since, self._tell, self._stop_if_asked)
        self._tell(f"{part.name} is ready ({time.time() - tended.since:.1f} s)")

    def _environment(self, login: Login = "writer") -> Mapping[str, str]:
        return self._access.environment(self.dsn, self._mark, login)

    def _owners_environment(self) -> Mapping[str, str]:
        return self._access.owners_environment(self.dsn, self._mark)

    def _watchdogs_environment(self) -> Mapping[str, str]:
        return {**self._environment(), **self._settings.alerts.as_environment()}  # it alone is told the passwords of mail and webhooks

    # keeping up

    def _watch(self) -> None:
        while not self._asked.wait(_LOOK_SECONDS):
            now = time.monotonic()
            with suppress(OSError):  # a full disk; retention is tried again at the next look
                self._daily.look()
            changed = [part.tend(now) for part in self._parts]
            if any(changed):
                self._try_to_save()
            if self._feed_files.changed(now):
                self._follow_feed_files()
            self._scribes.look(now)

    def _follow_feed_files(self) -> None:
        """Code server and watchdog load them when they start; UI and daemon see that it is another one, the fork server looks itself."""
        self._tell("feed files were changed; starting code again")
        make_landing_folders(self._settings)
        for tended in self._parts:
            if tended.part.name in ("code", "watchdog"):
                tended.renew()
        self._try_to_save()

    def _follow_database(self, dsn: str) -> None:
        self._tell("postgres came back under another address; restarting the others")
        for tended in self._parts:
            if isinstance(tended.part, ServiceProcess) and tended.part.name not in HADOOP:
                tended.part.stop()

    def _save(self, **changes: object) -> None:
        assert self._state is not None
        states = {tended.part.name: tended.state for tended in self._parts}
        self._state = replace(self._state, services=states, **changes)  # type: ignore[arg-type]
        self._state.save(self._layout.state)

    def _try_to_save(self, **changes: object) -> None:
        try:
            self._save(**changes)
        except OSError as error:  # a full disk must not stop what still runs
            self._tell(f"the state could not be written: {error}")

    # stopping

    def _note_failure(self, error: ShpError) -> None:
        if self._lock is not None and self._state is not None:
            self._try_to_save(failure=error.as_dict())

    def _stop(self) -> None:
        if self._lock is None:
            return
        self._daily.stop()
        for name in ("watchdog", "viewers", "daemon", "web", "runs", "code", *reversed(HADOOP)):
            self._stop_part(name)
        forget_cluster(self._settings)
        sweep(self._mark)  # workers whose code server died before
        self._stop_part("postgres")
        self._try_to_save(stopped_at=time.time())
        self._release()

    def _stop_part(self, name: str) -> None:
        for tended in self._parts:
            if tended.part.name == name:
                with suppress(ShpError, OSError):  # whatever one part's end meets, the others must end too
                    tended.part.stop()

    def _release(self) -> None:
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            self._guardian.wait()
        self._tell("stopped")
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
