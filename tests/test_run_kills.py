"""Runs of a whole platform whose parts are killed under them. The tests share one platform and each has a partition of its own.

A run is held in two places: where it publishes, by the feed's lock (deep in a C library, deaf to signals), and where it
reads, by a reading process that is stopped (the worker itself can be interrupted).
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2
import pytest

from shp_resources.processes import ProcessId, wait_until
from shp_resources.workers import Worker, Workers
from tests.support.commands import VISITS, visits
from tests.support.homes import Home
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE, until
from tests.support.web import graphql

pytestmark = pytest.mark.platform
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_RUNS = """select run_id, status from runs join run_tags using (run_id)
    where key = 'dagster/partition' and value = %s order by runs.id"""


@dataclass(frozen=True)
class Watched:
    """A platform and what the tests want to know of it.

    Args:
        home: the installation.
        stopped: reading processes that were stopped, possibly before they could tie their life to their worker's.
    """

    home: Home
    stopped: list[psutil.Process] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """Address of its database."""
        return (self.home.path / "postgres" / "dsn").read_text()

    def drop(self, partition: str, first: int = 1) -> None:
        """Put a workbook into the landing folder, as a whole."""
        draft = visits(self.home.base / f"{partition}.xlsx", range(first, first + 3))
        draft.rename(self.home.path / "landing" / "visits" / draft.name)

    def runs(self, partition: str) -> list[tuple[str, str]]:
        """(run, status) of all runs of a partition, oldest first."""
        return [(str(run_id), str(status)) for run_id, status in rows(self.dsn, _RUNS, partition)]

    def state(self, partition: str) -> str | None:
        """What the ledger says of a partition."""
        found = rows(self.dsn, "select state from shp.partitions where feed = 'visits' and partition = %s", partition)
        return str(found[0][0]) if found else None

    def worker(self, partition: str) -> tuple[str, Worker]:
        """Wait for the first run of a partition to have a worker."""
        assert wait_until(lambda: any(self._noted(run_id) for run_id, _ in self.runs(partition)), PATIENCE, 0.05)
        ((run_id, worker),) = [(run_id, noted) for run_id, _ in self.runs(partition) if (noted := self._noted(run_id))]
        return run_id, worker

    def held_publishing(self, partition: str) -> tuple[str, Worker]:
        """Wait for a partition's run to stand before the feed's lock."""
        found = self.worker(partition)
        waiting = "select count(*) > 0 from pg_locks where locktype = 'advisory' and not granted"
        assert wait_until(lambda: rows(self.dsn, waiting) == [(True,)], PATIENCE, 0.05)
        return found

    def held_reading(self, partition: str) -> tuple[str, Worker]:
        """Stop the reading process of a partition's run as soon as there is one."""
        run_id, worker = self.worker(partition)
        found: list[psutil.Process] = []
        assert wait_until(lambda: bool(found.extend(_children(worker)) or found), PATIENCE, 0.002)
        found[0].suspend()
        self.stopped.append(found[0])
        return run_id, worker

    def end_of(self, run_id: str) -> str:
        """Wait for the end of a run; its status then."""
        query = "select status from runs where run_id = %s"
        wait_until(lambda: rows(self.dsn, query, run_id)[0][0] in _ENDED, PATIENCE, 0.05)
        return str(rows(self.dsn, query, run_id)[0][0])

    def publishes(self, partition: str) -> bool:
        """Whether a partition is published."""
        return wait_until(lambda: self.state(partition) == "published", PATIENCE, 0.1)

    def looked_again(self, *sensors: str) -> None:
        """Wait for a whole evaluation of each of these sensors that begins now or later."""
        ((last,),) = rows(self.dsn, "select max(id) from job_ticks")
        ticks = "select distinct tick_body::json ->> 'job_name' from job_ticks where id > %s and status <> 'STARTED'"
        until(lambda: {(sensor,) for sensor in sensors} <= set(rows(self.dsn, ticks, last)), pause=0.1)

    def ready(self) -> bool:
        """Whether everything runs."""
        return bool(self.home.status()["ready"])

    def _noted(self, run_id: str) -> Worker | None:
        return Workers(self.home.path).of(run_id)


def _children(worker: Worker) -> list[psutil.Process]:
    try:
        return psutil.Process(worker.process.pid).children()
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A platform in the background with one feed; nothing of it is left afterwards."""
    base = tmp_path_factory.mktemp("kills")
    (base / "feeds").mkdir()
    (base / "feeds" / "visits.yaml").write_text(VISITS)
    home = Home(base)
    done = home.shp("up", "--detach")
    assert done.returncode == 0, done.stderr
    watched = Watched(home)
    yield watched
    home.shp("down")
    for process in watched.stopped:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture
def platform(shared: Watched) -> Iterator[Watched]:
    """The platform, ready before each test and in a true state after it."""
    assert wait_until(shared.ready, PATIENCE, 0.3), shared.home.status()
    yield shared
    assert wait_until(lambda: _nothing_is_left(shared), PATIENCE, 0.2), rows(shared.dsn, "select run_id, status from runs")


def _nothing_is_left(platform: Watched) -> bool:
    """No run that nobody works for, no note of a dead worker, no zombie of ours."""
    try:
        going = rows(platform.dsn, "select count(*) from runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED')")
        server = psutil.Process(platform.home.pids()["runs"])
        return going == [(0,)] and Workers(platform.home.path).all() == {} and server.children() == []
    except (psycopg2.OperationalError, psutil.NoSuchProcess, TypeError):
        return False


@contextmanager
def publishing_blocked(dsn: str) -> Iterator[None]:
    """Nobody can publish into the feed while the block lasts."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtext('shp.publish'), hashtext('visits'))")
        yield


def kill(*processes: int | ProcessId) -> float:
    """Kill them all at once; when that was, in seconds since 1970."""
    for process in processes:
        os.kill(process if isinstance(process, int) else process.pid, signal.SIGKILL)
    return time.time()


def test_runs_start_in_forked_workers_and_four_at_a_time(platform: Watched) -> None:
    """Runs would take six seconds without anybody noticing, or ten at once would take all memory."""
    for number in range(7):
        platform.drop(f"many_{number}", 100 + 10 * number)
    assert all(platform.publishes(f"many_{number}") for number in range(7))
    ids = [run_id for number in range(7) for run_id, _ in platform.runs(f"many_{number}")]
    assert len(ids) == 7
    spoken = rows(platform.dsn, "select count(*) from event_logs where event like '%%Launched through the code server%%'")
    assert spoken == [(0,)]
    asked = "select start_time, end_time from runs where run_id = any(%s)"
    assert wait_until(lambda: all(end for _, end in rows(platform.dsn, asked, ids)), PATIENCE)
    times = rows(platform.dsn, asked, ids)
    assert max(sum(start <= moment < end for start, end in times) for moment, _ in times) <= 4


def test_what_a_run_wrote_is_shown_by_the_ui(platform: Watched) -> None:
    """The UI's tabs for output would be empty."""
    run_id, _ = platform.runs("many_0")[0]
    query = "select event from event_logs where run_id = %s and dagster_event_type = 'LOGS_CAPTURED'"
    ((event,),) = rows(platform.dsn, query, run_id)
    key = json.loads(event)["dagster_event"]["event_specific_data"]["log_key"]
    asked = f'{{ capturedLogsMetadata(logKey: ["{run_id}", "compute_logs", "{key}"]) {{ stderrLocation stdoutLocation }} }}'
    shown = graphql(str(platform.home.status()["ui"]), asked)["capturedLogsMetadata"]
    places = [Path(shown[name]) for name in ("stdoutLocation", "stderrLocation")]
    assert all(place.is_file() and place.is_relative_to(platform.home.path) for place in places)
    assert b"DEBUG" not in b"".join(place.read_bytes() for place in places)


def test_a_killed_worker(platform: Watched) -> None:
    """The run would stay STARTED, and the file would never be loaded."""
    with publishing_blocked(platform.dsn):
        platform.drop("worker", 200)
        run_id, worker = platform.held_publishing("worker")
        killed_at = kill(worker.process)
        assert platform.end_of(run_id) == "FAILURE"
    assert platform.publishes("worker")
    told = rows(platform.dsn, "select code, extract(epoch from ended_at)::float8 from shp.attempts where run_id = %s", run_id)
    assert [(code, at - killed_at < 60) for code, at in told] == [("worker_lost", True)], "the ledger knows within a minute"
    assert wait_until(lambda: [status for _, status in platform.runs("worker")] == ["FAILURE", "SUCCESS"], PATIENCE, 0.1)


def test_a_killed_fork_server(platform: Watched) -> None:
    """Every run under way would be lost with one helper process."""
    with publishing_blocked(platform.dsn):
        platform.drop("server", 210)
        run_id, worker = platform.held_publishing("server")
        kill(platform.home.pids()["runs"])
        assert wait_until(platform.ready, PATIENCE, 0.3)
        assert worker.alive()
    assert platform.end_of(run_id) == "SUCCESS"
    platform.drop("server_after", 213)
    assert platform.publishes("server_after")
    assert len(platform.runs("server")) == 1


def test_a_killed_worker_with_its_fork_server(platform: Watched) -> None:
    """Whoever would have noticed is gone as well: the run would stay STARTED for ever."""
    with publishing_blocked(platform.dsn):
        platform.drop("both", 220)
        run_id, worker = platform.held_publishing("both")
        kill(platform.home.pids()["runs"], worker.process)
        assert platform.end_of(run_id) == "FAILURE"
    assert platform.publishes("both")


def test_a_killed_code_server(platform: Watched) -> None:
    """A crash of user code's server would cost runs that have nothing to do with it."""
    with publishing_blocked(platform.dsn):
        platform.drop("code", 230)
        run_id, worker = platform.held_publishing("code")
        kill(platform.home.pids()["code"])
        time.sleep(4)  # one look of run monitoring
        assert worker.alive()
    assert platform.end_of(run_id) == "SUCCESS"


def test_a_killed_worker_with_the_code_server(platform: Watched) -> None:
    """With Dagster's own launcher such a run stays STARTED for ever."""
    with publishing_blocked(platform.dsn):
        platform.drop("code_both", 240)
        run_id, worker = platform.held_publishing("code_both")
        kill(platform.home.pids()["code"], worker.process)
        assert platform.end_of(run_id) == "FAILURE"
    assert platform.publishes("code_both")


def test_a_killed_database(platform: Watched) -> None:
    """A run would hang on a connection that leads nowhere, or be STARTED when the database is back."""
    platform.drop("database", 250)
    run_id, _ = platform.held_reading("database")
    postgres = platform.home.pids()["postgres"]
    kill(postgres)
    assert wait_until(platform.ready, PATIENCE, 0.3)
    for child in psutil.Process(platform.worker("database")[1].process.pid).children():
        child.resume()
    assert platform.end_of(run_id) in _ENDED
    assert platform.publishes("database")


def test_a_run_that_a_person_terminates_is_canceled_and_stays_so(platform: Watched) -> None:
    """The button "Terminate" would do nothing, or the platform would start again what a person has just stopped."""
    platform.drop("person", 260)
    run_id, _ = platform.held_reading("person")
    ended = graphql(
        str(platform.home.status()["ui"]),
        f'mutation {{ terminateRun(runId: "{run_id}") {{ __typename ... on TerminateRunFailure {{ message }} }} }}',
    )
    assert ended["terminateRun"]["__typename"] == "TerminateRunSuccess", ended
    assert platform.end_of(run_id) == "CANCELED"
    platform.looked_again("arrivals", "recovery")
    assert [status for _, status in platform.runs("person")] == ["CANCELED"]
    assert platform.state("person") not in ("arrived", "running", "published")


def test_an_edited_feed_is_in_force_for_the_next_run(platform: Watched) -> None:
    """Files would be judged by rules that the owner has changed."""
    feed = platform.home.base / "feeds" / "visits.yaml"
    versions = "select distinct contract_version from shp_pub.publications where partition = %s"
    feed.write_text(feed.read_text().replace("Name:    {type: text, pii: true}", "Name:    {type: text, pii: true, max_length: 40}"))
    platform.drop("edited", 270)
    assert platform.publishes("edited")
    assert rows(platform.dsn, versions, "edited") != rows(platform.dsn, versions, "many_0")
    assert "importing anew" in (platform.home.path / "logs" / "runs.log").read_text()


def test_down_in_mid_run_gives_the_file_back_and_the_next_up_loads_it(platform: Watched) -> None:
    """What was under way when somebody stopped the platform would be lost, or held as if it were broken."""
    platform.drop("stopped", 280)
    run_id, _ = platform.held_reading("stopped")
    assert platform.home.shp("down").returncode == 0
    assert platform.home.processes() == []
    assert platform.home.shp("up", "--detach").returncode == 0
    assert platform.end_of(run_id) == "FAILURE"
    assert platform.publishes("stopped")
    assert len(platform.runs("stopped")) == 2
