"""A fork server on a home of a test's own, and runs launched through it as Dagster's daemon does.

Must not live here: expectations; the whole platform (`homes`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import dagster as dg
import psutil
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin

from shp_resources.fork_client import ForkClient, ForkServerAway, place_of
from shp_resources.processes import wait_until
from shp_resources.settings import Settings
from shp_resources.workers import Worker, Workers
from tests.support.holders import REPOSITORY
from tests.support.small_runs import HERE
from tests.support.waiting import PATIENCE

SMALL_RUNS = "tests.support.small_runs"
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_NO_WORKSPACE = cast(Any, None)


@dataclass
class Forks:
    """One home with a fork server.

    Args:
        home: its SHP_HOME.
        module: the code location.
    """

    home: Path
    module: str = SMALL_RUNS
    process: subprocess.Popen[bytes] | None = None
    _instance: dg.DagsterInstance | None = field(default=None, repr=False)

    @property
    def client(self) -> ForkClient:
        """Talks to the server."""
        return ForkClient(self.home)

    @property
    def workers(self) -> Workers:
        """The noted workers."""
        return Workers(self.home)

    @property
    def log(self) -> str:
        """What server and workers wrote."""
        return (self.home / "runs.log").read_text()

    @property
    def instance(self) -> dg.DagsterInstance:
        """The instance as the daemon has it."""
        if self._instance is None:
            self._instance = dg.DagsterInstance.get()
        return self._instance

    @property
    def server(self) -> psutil.Process:
        """The server's process."""
        assert self.process is not None
        return psutil.Process(self.process.pid)

    def start(self) -> Forks:
        """Have a server that answers, the one that runs or a new one."""
        if self.process is None or self.process.poll() is not None:
            with (self.home / "runs.log").open("ab") as log:
                command = [sys.executable, "-m", "shp_ops.forkserver", self.module]
                self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        process = self.process
        assert wait_until(lambda: self.answers() or process.poll() is not None, PATIENCE) and self.answers(), self.log
        return self

    def answers(self) -> bool:
        """Whether the server answers."""
        try:
            return bool(self.client.ping()["ok"])
        except ForkServerAway:
            return False

    def kill(self) -> None:
        """Kill the server with a signal that nobody can catch."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask the server to end; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def create(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        """A run that waits to be launched; its id."""
        definitions: dg.Definitions = import_module(self.module).defs
        pointer = ModuleCodePointer(self.module, "defs", str(self.home))
        repository = RepositoryPythonOrigin(
            executable_path=sys.executable,
            code_pointer=pointer,
            container_image=None,
            entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
            container_context=None,
        )
        return self.instance.create_run_for_job(
            definitions.resolve_job_def(job),
            run_id=str(uuid4()),
            run_config={"ops": {job.removesuffix("_job"): {"config": config}}} if config else {},
            status=dg.DagsterRunStatus.NOT_STARTED,
            job_code_origin=JobPythonOrigin(job, repository),
        ).run_id

    def launch(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        """Launch a run as the daemon does; its id."""
        run_id = self.create(job, config)
        self.instance.launch_run(run_id, _NO_WORKSPACE)
        return run_id

    def request(self, run_id: str) -> dict[str, str]:
        """What the launcher asks the server for this run."""
        run = self.instance.get_run_by_id(run_id)
        args: str = self.instance.run_launcher._arguments(run)  # type: ignore[attr-defined]
        return {"op": "launch", "run_id": run_id, "args": args, "place": place_of(Settings.load())}

    def begun(self, job: str, config: Mapping[str, Any] | None = None) -> tuple[str, Worker]:
        """Launch a run and wait until it is under way, deep in its work if it is one that waits; its id and its worker."""
        run_id = self.launch(job, config)
        assert wait_until(lambda: self.status(run_id) is dg.DagsterRunStatus.STARTED, PATIENCE, 0.05), self.log
        if self.module == SMALL_RUNS:
            assert wait_until(lambda: HERE in "".join(self.messages(run_id)), PATIENCE, 0.05), self.log
        worker = self.workers.of(run_id)
        assert worker is not None
        return run_id, worker

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        """The run's status now."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def end_of(self, run_id: str, seconds: float = PATIENCE) -> dg.DagsterRunStatus:
        """Wait for a run's end and for its worker's; how it ended, or its status when the time is over."""
        wait_until(lambda: self.status(run_id) in ENDED and self.workers.of(run_id) is None, seconds, 0.05)
        return self.status(run_id)

    def messages(self, run_id: str) -> list[str]:
        """All events of a run, in words."""
        return [f"{entry.dagster_event_type} {entry.user_message} {entry.message}" for entry in self.instance.all_logs(run_id)]

    def count(self, run_id: str, kind: dg.DagsterEventType) -> int:
        """How many events of a kind a run has."""
        return len(self.instance.all_logs(run_id, of_type=kind))


@contextmanager
def forks_in(base: Path, dsn: str, module: str = SMALL_RUNS, path: Path | None = None) -> Iterator[Forks]:
    """A home below this folder whose runs are in this database; nothing of it is left afterwards.

    Args:
        base: a folder.
        dsn: a database.
        module: the code location.
        path: where that module lies, if not in the repository.
    """
    home = base / "var"
    (home / "dagster").mkdir(parents=True)
    shutil.copy(REPOSITORY / "dagster.yaml", home / "dagster")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SHP_", "DAGSTER_"))]:
            patch.delenv(name)
        patch.chdir(home)
        patch.setenv("SHP_HOME", str(home))
        patch.setenv("SHP_FEEDS", str(base / "feeds"))
        patch.setenv("SHP_PG_DSN", dsn)
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, [REPOSITORY, *([path] if path else [])])))
        made = Forks(home, module)
        try:
            yield made
        finally:
            _end(made)


def _end(made: Forks) -> None:
    for worker in made.workers.all().values():
        if worker.alive():
            psutil.Process(worker.process.pid).kill()
    if made.process is not None and made.process.poll() is None:
        made.kill()
    if made._instance is not None:
        made._instance.dispose()
