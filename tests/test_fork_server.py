"""The fork server: what it forks, what it notices, what it survives. Real processes, real runs, a real PostgreSQL."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.errors import DagsterImportError
from dagster._daemon.monitoring.run_monitoring import check_run_timeout

from shp_ops.forkserver.code import import_everything
from shp_resources.fork_client import ForkServerAway, reachable
from shp_resources.processes import ProcessId, wait_until
from shp_resources.workers import Worker
from tests.support.forks import Forks, forks_in
from tests.support.postgres import fresh_database, rows
from tests.support.waiting import PATIENCE

SUCCESS, FAILURE, CANCELED = DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED


@pytest.fixture(scope="module")
def shared(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """One fork server for most tests of this module."""
    with fresh_database(postgres_server, platform_template) as dsn, forks_in(tmp_path_factory.mktemp("forks"), dsn) as made:
        yield made.start()


@pytest.fixture
def forks(shared: Forks) -> Forks:
    """The shared server, alive."""
    return shared.start()


def open_sockets(process: psutil.Process) -> list[str]:
    """What the process has open beside plain files, without what every Python process has."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir()]
    return [link for link in links if link.startswith("socket:")]


def last_words(forks: Forks, run_id: str) -> str:
    """Everything the run's events say."""
    return "\n".join(forks.messages(run_id))


# what it is


def test_it_has_one_thread_and_no_connection(forks: Forks) -> None:
    """A fork would copy locks that nobody releases and connections that two processes talk on: runs would hang or mix rows."""
    assert forks.end_of(forks.launch("quick_job")) is SUCCESS
    assert len(list(Path(f"/proc/{forks.server.pid}/task").iterdir())) == 1
    assert forks.server.net_connections("inet") == []
    assert len(open_sockets(forks.server)) == 1  # the listener


def test_a_run_takes_a_second_and_happens_once(forks: Forks) -> None:
    """Catching up would take hours, or a run would happen twice."""
    run_id = forks.launch("quick_job")
    assert forks.end_of(run_id) is SUCCESS
    assert forks.count(run_id, DagsterEventType.STEP_SUCCESS) == 3
    assert forks.count(run_id, DagsterEventType.RUN_START) == 1
    stats = forks.instance.get_run_stats(run_id)
    assert stats.launch_time is not None and stats.end_time is not None
    assert stats.end_time - stats.launch_time < PATIENCE  # half a second on an idle machine


def test_a_failing_run_says_why(forks: Forks) -> None:
    """People would see a failed run and no reason."""
    run_id = forks.launch("fail_job")
    assert forks.end_of(run_id) is FAILURE
    assert "nobody expected this" in last_words(forks, run_id) + str(forks.instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE))
    assert forks.count(run_id, DagsterEventType.RUN_FAILURE) == 1


def test_output_is_where_dagster_looks_for_it_and_the_log_stays_quiet(forks: Forks) -> None:
    """The UI's tab "stdout" would be empty, or a week's log of workers would fill the disk with what is in the database."""
    run_id = forks.launch("speak_job")
    assert forks.end_of(run_id) is SUCCESS
    (captured,) = forks.instance.all_logs(run_id, of_type=DagsterEventType.LOGS_CAPTURED)
    key = [run_id, "compute_logs", captured.get_dagster_event().logs_captured_data.file_key]
    kept = forks.instance.compute_log_manager.get_log_data(key)
    assert kept.stdout is not None and kept.stdout.startswith(b"said out loud by ")
    assert kept.stderr is not None and b"said in anger" in kept.stderr
    assert b"DEBUG" not in kept.stderr
    assert forks.instance.compute_log_manager.is_capture_complete(key)
    assert "said to the log" in last_words(forks, run_id)
    assert run_id not in forks.log


def test_workers_share_no_random_numbers_and_nothing_open(forks: Forks) -> None:
    """Two workers would make the same names up, or one would hold the other's connection open."""
    first, second = forks.begun("wait_job", {"seconds": 20}), forks.begun("wait_job", {"seconds": 20})
    pids = [worker.process.pid for _, worker in (first, second)]
    assert len({os.getsid(pid) for pid in (*pids, forks.server.pid)}) == 3
    held = [open_sockets(process) for process in (forks.server, *map(psutil.Process, pids))]
    assert all(held)
    assert len({link for links in held for link in links}) == sum(map(len, held))  # no socket is in two processes
    for run_id, _ in (first, second):
        assert forks.instance.run_launcher.terminate(run_id)
        assert forks.end_of(run_id) is CANCELED


# requests


def test_nonsense_does_not_end_it(forks: Forks) -> None:
    """One stray program that connects to the socket would stop all runs."""
    for said in (b"", b"hello\n", b'{"op": "dance"}\n', b'{"op": "launch"}\n', b"[1]\n", b'{"op": "launch", "run_id": "x", "args": "y"}\n'):
        with socket.socket(socket.AF_UNIX) as connection, reachable(forks.client.socket_path) as path:
            connection.connect(path)
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile().readline()
            assert not answer or "error" in json.loads(answer)
    assert forks.client.ping()["pid"] == forks.server.pid


def test_only_its_own_user_may_ask(forks: Forks) -> None:
    """Anybody on the machine could have code run as us."""
    assert forks.client.socket_path.stat().st_mode & 0o077 == 0


def test_a_request_whose_answer_was_lost_starts_no_second_worker(forks: Forks) -> None:
    """A run would be worked at twice."""
    run_id, worker = forks.begun("wait_job", {"seconds": 20})
    forks.client.launch(run_id, "whatever the arguments are", "anywhere")
    assert forks.workers.of(run_id) == worker
    assert forks.instance.run_launcher.terminate(run_id)
    assert forks.end_of(run_id) is CANCELED
    assert forks.count(run_id, DagsterEventType.RUN_START) == 1


def test_who_hung_up_gets_no_worker(forks: Forks) -> None:
    """A run that was given to the code server meanwhile would be worked at twice."""
    run_id = forks.create("quick_job")
    request = json.dumps(forks.request(run_id)) + "\n"
    os.kill(forks.server.pid, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as connection, reachable(forks.client.socket_path) as path:
        connection.connect(path)
        connection.sendall(request.encode())
    os.kill(forks.server.pid, signal.SIGCONT)
    forks.client.ping()
    assert forks.workers.of(run_id) is None
    assert forks.status(run_id) is DagsterRunStatus.NOT_STARTED


def test_it_declines_code_that_it_has_not_imported(forks: Forks) -> None:
    """Another code location's run would be executed with this one's code."""
    run_id = forks.create("quick_job")
    args = forks.request(run_id)["args"].replace(forks.module, "tests.support.other_runs")
    with pytest.raises(ForkServerAway, match=r"works for tests\.support\.small_runs only"):
        forks.client.launch(run_id, args, "anywhere")
    assert forks.workers.of(run_id) is None


def test_it_declines_runs_of_another_installation(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dagster dev` on a trial database beside the platform would have its runs looked for in the platform's, or load into it."""
    run_id = forks.create("quick_job")
    args = forks.request(run_id)["args"]
    monkeypatch.setenv("SHP_WAREHOUSE_DSN", "postgresql://somewhere/else")
    with pytest.raises(ForkServerAway, match="other code, folders or databases"):
        forks.client.launch(run_id, args, forks.request(run_id)["place"])
    assert forks.workers.of(run_id) is None


# ends


def test_a_killed_workers_run_fails_at_once(forks: Forks) -> None:
    """A run would stay STARTED for ever and hold its place in the queue."""
    run_id, worker = forks.begun("wait_job")
    os.kill(worker.process.pid, signal.SIGKILL)
    assert forks.end_of(run_id) is FAILURE
    assert f"The worker (pid {worker.process.pid}) was killed by signal 9." in last_words(forks, run_id)


def test_a_worker_that_vanishes_is_no_success(forks: Forks) -> None:
    """A crash in a C library would leave the run STARTED."""
    run_id = forks.launch("vanish_job")
    assert forks.end_of(run_id) is FAILURE
    assert "ended with status 7" in last_words(forks, run_id)


def test_a_worker_killed_before_its_run_began_ends_it_too(forks: Forks) -> None:
    """Monitoring looks at started runs only: the run would be STARTING for three minutes."""
    run_id = forks.create("wait_job")
    request = json.dumps(forks.request(run_id)) + "\n"
    os.kill(forks.server.pid, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as connection, reachable(forks.client.socket_path) as path:
        connection.connect(path)
        connection.sendall(request.encode())
        os.kill(forks.server.pid, signal.SIGCONT)
        pid = int(json.loads(connection.makefile().readline())["worker"].partition("@")[0])
    os.kill(pid, signal.SIGKILL)
    assert forks.end_of(run_id) is FAILURE
    assert forks.count(run_id, DagsterEventType.RUN_START) == 0


def test_a_worker_that_is_asked_ends_as_canceled(forks: Forks) -> None:
    """The button "Terminate" would do nothing, or the run would end as if it had failed."""
    run_id, worker = forks.begun("wait_job")
    assert forks.instance.run_launcher.terminate(run_id)
    assert forks.end_of(run_id) is CANCELED
    assert not worker.alive()
    assert forks.count(run_id, DagsterEventType.RUN_CANCELING) == 1


def test_a_deaf_worker_is_ended_by_force_and_its_run_is_canceled(forks: Forks) -> None:
    """A run that hangs could not be ended from the UI."""
    run_id, worker = forks.begun("be_deaf_job")
    run = forks.instance.get_run_by_id(run_id)
    assert run is not None
    forks.instance.report_run_canceling(run)
    began = time.monotonic()
    assert forks.workers.interrupt(run_id, heed_seconds=0.5)
    assert forks.end_of(run_id) is CANCELED
    assert time.monotonic() - began > 0.5, "it was given time to end by itself"
    assert not worker.alive()


def test_a_run_that_hangs_ends_at_its_limit(forks: Forks) -> None:
    """A run that waits for what never comes would hold one of two places in the queue for ever."""
    run_id, worker = forks.begun("wait_job", {"seconds": 100})
    assert forks.instance.run_monitoring_max_runtime_seconds == 3600
    forks.instance.add_run_tags(run_id, {"dagster/max_runtime": "1"})
    time.sleep(1.2)
    record = forks.instance.get_run_record_by_id(run_id)
    assert record is not None
    check_run_timeout(forks.instance, record, logging.getLogger(), 3600.0)
    assert forks.end_of(run_id) is FAILURE
    assert "Exceeded maximum runtime of 1 seconds" in last_words(forks, run_id)
    assert not worker.alive()


def test_workers_outlive_a_killed_server_and_the_next_one_sees_to_them(forks: Forks, tmp_path: Path) -> None:
    """A crash of one helper process would cost every run under way."""
    signal_file = tmp_path / "go"
    goes_on, _ = forks.begun("wait_job", {"file": str(signal_file)})
    dies_alone, victim = forks.begun("wait_job")
    dies_with_it, companion = forks.begun("wait_job")
    is_deaf, deaf = forks.begun("be_deaf_job")
    os.kill(companion.process.pid, signal.SIGKILL)
    forks.kill()
    assert forks.workers.interrupt(is_deaf, heed_seconds=0.1)
    forks.start()
    assert forks.end_of(dies_with_it) is FAILURE
    assert "is gone" in last_words(forks, dies_with_it)
    os.kill(victim.process.pid, signal.SIGKILL)
    assert forks.end_of(dies_alone) is FAILURE
    assert forks.end_of(is_deaf) is FAILURE  # nobody said that it was a person's wish
    assert not deaf.alive()
    assert forks.status(goes_on) is DagsterRunStatus.STARTED
    signal_file.touch()
    assert forks.end_of(goes_on) is SUCCESS


def test_a_note_of_an_earlier_boot_or_process_ends_its_run(forks: Forks) -> None:
    """After a reboot runs would be STARTED for ever, because a stranger has their worker's number."""
    run_id, worker = forks.begun("wait_job")
    forks.workers.note(run_id, Worker(ProcessId(os.getpid(), "earlier-1")))
    assert forks.end_of(run_id) is FAILURE
    os.kill(worker.process.pid, signal.SIGKILL)


def test_when_it_is_told_to_end_its_workers_write_down_that_they_were_interrupted(forks: Forks) -> None:
    """After `shp down` runs would be STARTED and partitions would wait for a worker that does not exist."""
    heeds, _ = forks.begun("wait_job")
    assert forks.stop() == 0
    assert forks.status(heeds) is FAILURE
    assert "interrupted" in last_words(forks, heeds)
    assert forks.workers.all() == {}
    assert not forks.client.socket_path.exists()


def test_the_database_is_told_when_it_is_back(
    postgres_server: str, platform_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies while the database restarts would leave its run STARTED."""
    with fresh_database(postgres_server, platform_template) as dsn, forks_in(tmp_path, dsn) as forks:
        name = dsn.rpartition("/")[2]
        run_id, worker = forks.start().begun("wait_job")
        rows(postgres_server, f'alter database "{name}" allow_connections false')
        rows(postgres_server, "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", name)
        os.kill(worker.process.pid, signal.SIGKILL)
        assert wait_until(lambda: "not currently accepting connections" in forks.log, PATIENCE)
        rows(postgres_server, f'alter database "{name}" allow_connections true')
        assert forks.end_of(run_id) is FAILURE


# homes


def test_a_home_whose_path_is_longer_than_an_address(postgres_server: str, platform_template: str, tmp_path: Path) -> None:
    """In a deep folder no run would start; and two homes beside each other would share one server."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with fresh_database(postgres_server, platform_template) as dsn, forks_in(deep, dsn) as forks:
        assert len(str(forks.client.socket_path)) > 108
        assert forks.start().end_of(forks.launch("quick_job")) is SUCCESS


def test_a_second_server_for_one_home_gives_way(forks: Forks) -> None:
    """Two servers would both end the runs of dead workers, and the first would lose its socket."""
    second = Forks(forks.home)
    first = forks.server.pid
    second.process = None
    second.start()
    assert second.process is not None
    assert second.process.wait(PATIENCE) != 0
    assert f"another fork server (pid {first}) serves this home" in forks.log
    assert forks.client.ping()["pid"] == first


# files


def test_what_it_forks_is_never_stale(
    postgres_server: str, platform_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edited feed or a mended function would have no effect until somebody restarts the platform."""
    code, feeds = tmp_path / "code", tmp_path / "feeds"
    code.mkdir()
    feeds.mkdir()
    monkeypatch.syspath_prepend(str(code))
    write_location(code, feeds, "one")
    with (
        fresh_database(postgres_server, platform_template) as dsn,
        forks_in(tmp_path, dsn, "edited_location", code) as forks,
    ):
        pid = forks.start().server.pid
        assert said_by(forks) == "one, no feeds"
        keeps_on, worker = forks.begun("speak_job", {"file": str(tmp_path / "go")})
        write_location(code, feeds, "two")
        assert said_by(forks) == "two, no feeds"
        (feeds / "new.yaml").write_text("feed: new\n")
        assert said_by(forks) == "two, new.yaml"
        assert forks.server.pid == pid
        assert worker.alive()
        (tmp_path / "go").touch()
        assert forks.end_of(keeps_on) is SUCCESS
        assert outcome(forks, keeps_on) == "one, no feeds"

        (code / "edited_location.py").write_text("this is no Python\n")
        assert wait_until(lambda: not forks.answers(), PATIENCE, 0.2)
        assert forks.process is not None and forks.process.wait(PATIENCE) != 0
        assert "SyntaxError" in forks.log
        with pytest.raises(ForkServerAway, match="no fork server listens here"):
            forks.client.launch("any", "any", "anywhere")
        write_location(code, feeds, "three")
        assert said_by(forks.start()) == "three, new.yaml"


_LOCATION = """
import time
from pathlib import Path
import dagster as dg

FEEDS = ",".join(path.name for path in Path({feeds!r}).iterdir()) or "no feeds"

class Wait(dg.Config):
    file: str = ""

@dg.op
def speak(context: dg.OpExecutionContext, config: Wait) -> None:
    while config.file and not Path(config.file).exists():
        time.sleep(0.02)
    context.log.info("I say {word}, " + FEEDS)

@dg.job(executor_def=dg.in_process_executor)
def speak_job():
    speak()

defs = dg.Definitions(jobs=[speak_job])
"""


def write_location(code: Path, feeds: Path, word: str) -> None:
    """A code location whose only job says this word and which feed files were there at import."""
    (code / "edited_location.py").write_text(_LOCATION.format(feeds=str(feeds), word=word))


def outcome(forks: Forks, run_id: str) -> str:
    """What the run said."""
    (said,) = [message.rpartition("I say ")[2] for message in forks.messages(run_id) if "I say " in message]
    return said


def said_by(forks: Forks) -> str:
    """What a new run says."""
    run_id = forks.launch("speak_job", {"file": ""})
    assert forks.end_of(run_id) is SUCCESS, last_words(forks, run_id)
    return outcome(forks, run_id)


def test_an_installation_without_any_feed_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform of somebody who has not written a feed yet would never be ready."""
    (tmp_path / "empty_location.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])  # Dagster takes the first entry for the script's folder
    import_everything("empty_location")
    with pytest.raises(DagsterImportError):
        import_everything("location_that_is_not_there")


# many


def test_sixty_runs_leave_nothing_behind(forks: Forks) -> None:
    """After a week the machine would be out of memory, processes or database connections."""
    for _ in range(4):
        assert forks.end_of(forks.launch("quick_job")) is SUCCESS
    before = forks.server.memory_full_info().uss
    for _ in range(15):
        ids = [forks.launch("quick_job") for _ in range(4)]
        assert {forks.end_of(run_id) for run_id in ids} == {SUCCESS}
    assert forks.server.memory_full_info().uss - before < 5 * 1024 * 1024
    assert wait_until(lambda: forks.server.children(recursive=True) == [], PATIENCE, 0.05), "the last worker ends a moment after its run"
    assert forks.workers.all() == {}
    dsn = os.environ["SHP_PG_DSN"]
    kept = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'shp-run'"
    assert wait_until(lambda: rows(dsn, kept) == [(0,)], PATIENCE)
    assert len(open_sockets(forks.server)) == 1
