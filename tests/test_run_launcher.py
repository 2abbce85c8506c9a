"""The run launcher: through the fork server where there is one, else as Dagster does; and who is still there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from shp_ops.supervisor.probes import graphql
from shp_resources.fork_client import ForkClient, ForkServerAway, reachable, read_message
from shp_resources.processes import LOOPBACK, ProcessId, free_port, wait_until
from shp_resources.run_health import health
from shp_resources.workers import Worker, Workers
from tests.support.code_servers import CodeServer, code_server
from tests.support.forks import ENDED, SMALL_RUNS, Forks, forks_in
from tests.support.postgres import fresh_database
from tests.support.waiting import PATIENCE

DEAD = Worker(ProcessId(os.getpid(), "earlier-1"))
ALIVE = Worker(ProcessId.current())


@pytest.fixture
def forks(postgres_server: str, platform_template: str, tmp_path: Path) -> Iterator[Forks]:
    """A home where no fork server runs."""
    with fresh_database(postgres_server, platform_template) as dsn, forks_in(tmp_path, dsn) as made:
        yield made


@pytest.fixture(scope="module")
def code(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    """A code server on a home where no fork server runs."""
    with (
        fresh_database(postgres_server, platform_template) as dsn,
        forks_in(tmp_path_factory.mktemp("code"), dsn) as forks,
        code_server(forks) as made,
    ):
        yield made


def run_of(forks: Forks, run_id: str) -> DagsterRun:
    """The run as it is now."""
    run = forks.instance.get_run_by_id(run_id)
    assert run is not None
    return run


def serving(home: Path, *answers: bytes | None) -> threading.Thread:
    """A stand-in for the fork server that gives these answers, one a connection; None: it hangs up without one."""
    client = ForkClient(home)
    client.socket_path.parent.mkdir(parents=True, exist_ok=True)
    client.socket_path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with reachable(client.socket_path) as path:
        listener.bind(path)
    listener.listen()

    def serve() -> None:
        with listener:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    read_message(connection)
                    connection.sendall(answer or b"")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


# asking the fork server


def test_a_server_that_imports_anew_is_asked_again(tmp_path: Path) -> None:
    """Every edit of a feed file would send the next runs the slow way, or fail them."""
    thread = serving(tmp_path, None, None, b'{"worker": "1@x"}\n')
    ForkClient(tmp_path).launch("a-run", "{}", "here")
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_run_that_has_begun_meanwhile_is_not_asked_for_again(tmp_path: Path) -> None:
    """A worker whose fork server died before it could answer would get a second one beside it."""
    serving(tmp_path, None, b'{"error": "asked twice"}\n')
    ForkClient(tmp_path).launch("a-run", "{}", "here", wanted=lambda: False)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ((b'{"error": "no"}\n',), "no"),
        ((b"{}\n",), "does not understand"),
        ((), "no fork server listens here"),
    ],
)
def test_why_it_does_not_start_a_run_is_told(tmp_path: Path, answers: tuple[bytes, ...], why: str) -> None:
    """Runs would be slow and nobody could say why."""
    if answers:
        serving(tmp_path, *answers)
    with pytest.raises(ForkServerAway, match=why):
        ForkClient(tmp_path).launch("a-run", "{}", "here")


def test_a_socket_without_a_server_is_no_server(tmp_path: Path) -> None:
    """After a crash every run would wait for a minute."""
    serving(tmp_path).join(PATIENCE)
    with pytest.raises(ForkServerAway, match="no fork server listens here"):
        ForkClient(tmp_path).ping()


# notes


def test_notes_are_read_back_and_forgotten(tmp_path: Path) -> None:
    """Nobody would know which process to interrupt, or a dead one would be looked after for ever."""
    workers = Workers(tmp_path)
    assert workers.all() == {}
    assert workers.of("a-run") is None
    workers.note("a-run", ALIVE)
    workers.note("another", DEAD)
    assert workers.all() == {"a-run": ALIVE, "another": DEAD}
    workers.forget("another")
    workers.forget("another")
    assert workers.all() == {"a-run": ALIVE}


def test_only_a_living_worker_can_be_interrupted(tmp_path: Path) -> None:
    """The signal would hit the stranger who has the number now."""
    workers = Workers(tmp_path)
    workers.note("a-run", DEAD)
    assert not workers.interrupt("a-run")
    assert not workers.interrupt("no-run")
    assert workers.of("a-run") == DEAD


def test_a_second_request_to_end_does_not_give_more_time(tmp_path: Path) -> None:
    """Somebody who clicks "Terminate" again and again would keep a hanging run alive."""
    child = subprocess.Popen(["sh", "-c", "trap '' INT; echo here; while :; do sleep 0.1; done"], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"here\n"
    process = ProcessId.of(child.pid)
    assert process is not None
    workers = Workers(tmp_path)
    workers.note("a-run", Worker(process))
    assert workers.interrupt("a-run", heed_seconds=0.0)
    assert workers.interrupt("a-run", heed_seconds=100.0)
    known = workers.of("a-run")
    assert known is not None and known.overdue and known.alive()
    child.kill()
    child.wait()
    assert not known.alive()


# who is still there


def test_a_noted_worker_decides(forks: Forks) -> None:
    """A run that works would be failed, or one whose worker is gone would stay STARTED."""
    run = run_of(forks, forks.create("quick_job"))
    assert health(run, ALIVE, forks.instance).status is WorkerStatus.RUNNING
    assert health(run, DEAD, forks.instance).status is WorkerStatus.FAILED


def test_a_launched_run_without_a_note_has_lost_its_worker(forks: Forks) -> None:
    """A run whose end could not be written down would stay STARTED for ever."""
    run_id = forks.create("quick_job")
    with pytest.raises(Exception, match="workspace"):  # nobody launches it: no fork server, no code server
        forks.instance.launch_run(run_id, cast(Any, None))
    assert health(run_of(forks, run_id), None, forks.instance).status is WorkerStatus.NOT_FOUND


def test_a_run_that_nobody_launched_is_left_alone(forks: Forks) -> None:
    """`dagster asset materialize` and `shp ingest` beside a running platform would have their runs failed within seconds."""
    run = run_of(forks, forks.create("quick_job"))
    assert health(run, None, forks.instance).status is WorkerStatus.RUNNING
    assert forks.instance.run_launcher.supports_check_run_worker_health
    assert forks.instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_run_of_the_code_server_is_there_as_long_as_its_process(code: CodeServer) -> None:
    """After a crash of the code server its runs would stay STARTED for ever, or those that still work would be failed."""
    forks, instance = code.forks, code.forks.instance
    run = code.create("wait_job", {"seconds": 60})
    instance.report_engine_event("launching", run)
    DefaultRunLauncher.launch_run_from_grpc_client(instance, run, code.client)
    assert wait_until(lambda: forks.status(run.run_id) is DagsterRunStatus.STARTED, PATIENCE, 0.1)
    run = run_of(forks, run.run_id)
    (worker,) = [child for child in psutil.Process(code.process.pid).children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
    assert health(run, None, instance).status is WorkerStatus.RUNNING
    code.kill()
    assert health(run, None, instance).status is WorkerStatus.RUNNING
    worker.kill()
    assert wait_until(lambda: health(run, None, instance).status is WorkerStatus.FAILED, PATIENCE, 0.1)
    elsewhere = run.with_tags({**run.tags, ".dagster/grpc_info": json.dumps({"host": "192.0.2.1", "port": 1})})
    assert health(elsewhere, None, instance).status is WorkerStatus.RUNNING  # nobody here knows: perhaps it works


# falling back


def test_without_a_fork_server_dagsters_own_way_is_taken_and_told(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain Dagster deployment, or a platform whose fork server cannot import the code, could not run anything."""
    handed_on: list[str] = []
    monkeypatch.setattr(DefaultRunLauncher, "launch_run", lambda self, context: handed_on.append(context.dagster_run.run_id))
    run_id = forks.launch("quick_job")
    assert handed_on == [run_id]
    assert "Launched through the code server, which is slower: no fork server listens here." in "\n".join(forks.messages(run_id))


def test_a_run_that_a_worker_has_is_not_handed_on(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run would be worked at by two processes when the fork server dies in the wrong moment."""
    handed_on: list[str] = []
    monkeypatch.setattr(DefaultRunLauncher, "launch_run", lambda self, context: handed_on.append(context.dagster_run.run_id))
    noted, ended = forks.create("quick_job"), forks.create("quick_job")
    forks.workers.note(noted, ALIVE)
    forks.instance.report_run_failed(run_of(forks, ended))
    for run_id in (noted, ended):
        forks.instance.run_launcher.launch_run(LaunchRunContext(run_of(forks, run_id), cast(Any, None)))
    assert handed_on == []
    forks.workers.forget(noted)


def test_terminating_a_run_without_a_worker_says_that_there_is_none(forks: Forks) -> None:
    """The UI would claim to have ended a run that nobody works for, or one that has ended."""
    run_id = forks.create("quick_job")
    assert forks.instance.run_launcher.terminate("no-run") is False
    assert forks.instance.run_launcher.terminate(run_id) is False
    forks.instance.report_run_canceled(run_of(forks, run_id))
    assert forks.instance.run_launcher.terminate(run_id) is False


@pytest.mark.platform
def test_dagster_dev_works_with_the_same_dagster_yaml(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who only knows Dagster could not try the code with `dagster dev`."""
    port = free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-m", forks.module, "-h", LOOPBACK, "-p", str(port)]
    with (forks.home / "dev.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=forks.home, process_group=0)
    try:
        url = f"http://{LOOPBACK}:{port}"
        assert wait_until(lambda: _serves(url), PATIENCE, 0.5), (forks.home / "dev.log").read_text()
        run_id = _launched(url, "quick_job")
        assert wait_until(lambda: forks.status(run_id) in ENDED, PATIENCE, 0.2)
        assert forks.status(run_id) is DagsterRunStatus.SUCCESS
        assert "Launched through the code server" in "\n".join(forks.messages(run_id))
        assert forks.workers.all() == {}
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)


def _serves(url: str) -> bool:
    try:
        return (
            graphql(url, "{ repositoriesOrError { __typename ... on RepositoryConnection { nodes { name } } } }")["repositoriesOrError"][
                "nodes"
            ]
            != []
        )
    except (OSError, ValueError, KeyError):
        return False


def _launched(url: str, job: str) -> str:
    where = f'{{repositoryLocationName: "{SMALL_RUNS}", repositoryName: "__repository__", jobName: "{job}"}}'
    said = graphql(
        url,
        f"mutation {{ launchRun(executionParams: {{selector: {where}}}) {{ __typename ... on LaunchRunSuccess {{ run {{ id }} }} "
        "... on PythonError { message } ... on PipelineNotFoundError { message } } }",
    )
    return str(said["launchRun"]["run"]["id"])
