"""Two ways to run Dagster's runs, each with a home, processes and a database of its own on one server.

Lives here: starting, freezing and ending their processes, and asking for runs as Dagster's own front ends do.
Must not live here: what is measured (`runs`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any, cast
from uuid import uuid4

import dagster as dg
import psutil
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from benchmarks import noop
from benchmarks.database import fresh_database
from benchmarks.one_sink import warehouse_only
from shp_ops.forkserver.__main__ import OUR_DEFINITIONS
from shp_ops.supervisor import services
from shp_ops.supervisor.layout import LOCATION, Layout, environment, feed_names, make_landing_folders, python_path
from shp_resources.dagster_storage import sqlalchemy_url
from shp_resources.ledger import migrate
from shp_resources.processes import LOOPBACK, MARK, free_port, spawn, sweep, wait_until
from shp_resources.settings import Settings

_REPOSITORY = Path(__file__).parents[1]
_READY_SECONDS = 120.0
NOOP = "benchmarks.noop"


@dataclass(frozen=True)
class Way:
    """A way to run.

    Args:
        name: its name in the result.
        what: what it is, for people.
        ours: whether it is the platform's own; else Dagster's launcher, storage and compute logs, everything else equal.
    """

    name: str
    what: str
    ours: bool


WAYS = (
    Way("shp", "fork server, pooled storage, one commit an event, no helper processes for output", True),
    Way("default", "DefaultRunLauncher, DagsterPostgresStorage, LocalComputeLogManager; queue, executor and graph the same", False),
)


@dataclass
class RunHome:
    """The processes of one way to run.

    Args:
        way: which one.
        settings: its installation.
        dsn: its database.
        module: the code location.
        mark: what its processes carry in their environment.
    """

    way: Way
    settings: Settings
    dsn: str
    module: str
    mark: str = field(default_factory=lambda: uuid4().hex)
    processes: dict[str, psutil.Process] = field(default_factory=dict)
    port: int = 0

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return Layout(self.settings.home)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its processes."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SHP_", "DAGSTER_"))}
        return clean | python_path() | environment(self.settings, self.dsn) | {MARK: self.mark}

    def start(self) -> None:
        """Start its processes, each when the one before it is ready."""
        self.layout.write_dagster_home()
        if not self.way.ours:
            _undo_ours(self.layout.dagster_home / "dagster.yaml", self.dsn)
        make_landing_folders(self.settings)
        migrate(self.dsn)
        with self.instance():
            pass  # makes Dagster's tables
        self.port = free_port()
        self.layout.write_workspace(self.port)
        for service in self._services():
            self._start(service)

    def _services(self) -> list[services.Service]:
        forks = [services.fork_server(self.layout)] if self.way.ours else []
        return [services.code_server(self.port), *forks, services.daemon(self.layout, self.dsn)]

    def _start(self, service: services.Service) -> None:
        words = [self.module if word == OUR_DEFINITIONS else word for word in service.command]
        command = [*words, *([self.module] if service.name == "runs" else [])]
        child = spawn(command, self.layout.log(service.name), self.environ, self.settings.home)
        process = psutil.Process(child.pid)
        since = process.create_time() - 1
        wait_until(lambda: service.ready(since) is None or child.poll() is not None, _READY_SECONDS, 0.2)
        if child.poll() is not None or service.ready(since) is not None:
            raise RuntimeError(f"{self.way.name}: {service.name} is not ready, see {self.layout.log(service.name)}")
        self.processes[service.name] = process

    def stop(self) -> None:
        """End all its processes."""
        self.thaw()
        sweep(self.mark)

    def freeze(self, *names: str) -> None:
        """Stop all its processes, or some, where they stand."""
        self._signal(SIGSTOP, names)

    def thaw(self, *names: str) -> None:
        """Let them go on."""
        self._signal(SIGCONT, names)

    def _signal(self, number: int, names: tuple[str, ...]) -> None:
        for name, process in self.processes.items():
            if not names or name in names:
                with contextlib.suppress(psutil.NoSuchProcess):
                    for one in (process, *process.children(recursive=True)):
                        one.send_signal(number)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Its Dagster instance."""
        with _environ(self.environ), dg.DagsterInstance.from_config(str(self.layout.dagster_home)) as made:
            yield made

    def ask_for(self, instance: dg.DagsterInstance, job: str = noop.JOB) -> str:
        """Put a run of a job without partitions into the queue; its id."""
        repository = RepositoryPythonOrigin(
            executable_path=sys.executable,
            code_pointer=ModuleCodePointer(self.module, "defs", str(self.settings.home)),
            container_image=None,
            entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
            container_context=None,
        )
        location = GrpcServerCodeLocationOrigin(LOOPBACK, self.port, location_name=LOCATION)
        run = instance.create_run_for_job(
            noop.defs.resolve_job_def(job),
            status=dg.DagsterRunStatus.NOT_STARTED,
            job_code_origin=JobPythonOrigin(job, repository),
            remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job),
        )
        instance.submit_run(run.run_id, cast(Any, None))
        return run.run_id


@contextmanager
def homes(base: Path, server_dsn: str, module: str) -> Iterator[list[RunHome]]:
    """Both ways to run, ready; all of it is gone afterwards.

    Args:
        base: an empty folder.
        server_dsn: where their databases are made.
        module: the code location.
    """
    with contextlib.ExitStack() as stack:
        made = []
        for way in WAYS:
            dsn = stack.enter_context(fresh_database(server_dsn, way.name))
            home = RunHome(way, _settings(base / way.name, dsn), dsn, module)
            stack.callback(home.stop)
            home.start()
            made.append(home)
        yield made


@contextmanager
def alone(home: RunHome, among: list[RunHome]) -> Iterator[None]:
    """Only this one runs while the block lasts."""
    others = [other for other in among if other is not home]
    for other in others:
        other.freeze()
    try:
        yield
    finally:
        for other in others:
            other.thaw()


def _settings(base: Path, dsn: str) -> Settings:
    shutil.copytree(_REPOSITORY / "marts", base / "marts")
    made = Settings.load({"SHP_FEEDS": str(warehouse_only(base / "feeds")), "SHP_PG_DSN": dsn}, home=base / "var")
    assert feed_names(made), "the repository has feeds"
    return made


def _undo_ours(path: Path, dsn: str) -> None:
    """Take from our `dagster.yaml` what makes runs fast."""
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in ("run_launcher", "compute_logs"):
        known.pop(name, None)
    known["storage"] = {"postgres": {"postgres_url": sqlalchemy_url(dsn)}}
    known["run_coordinator"] = {
        "module": "dagster.core.run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_interval_seconds": 1},
    }
    path.write_text(yaml.safe_dump(known), encoding="utf-8")


@contextmanager
def _environ(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
