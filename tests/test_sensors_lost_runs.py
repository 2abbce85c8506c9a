"""The sensor `lost_runs`: workers that died without a word get a verdict, and their partitions are not lost with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import psutil
import pytest

from shp_assets import lost
from shp_core.states import State
from shp_resources.ledger import Attempt, Holder
from tests.support.platforms import Platform, order


@dataclass
class Worker:
    """A process that pretends to be a worker."""

    process: subprocess.Popen[bytes]
    started: float

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def living() -> Iterator[Worker]:
    """A living worker, younger than this process; gone after the block."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    made = Worker(process, psutil.Process(process.pid).create_time())
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A living worker."""
    with living() as made:
        yield made


def dying_run(platform: Platform, worker: Worker, step: str = "validated") -> dg.DagsterRun:
    """A requested run whose worker got as far as this step."""
    (asked,) = platform.tick().requests
    run = platform.queue(asked, dg.DagsterRunStatus.STARTED)
    begin(platform, run.run_id, worker, step)
    return run


def begin(platform: Platform, run_id: str, worker: Worker, step: str, partition: str = "a", via: str = "sensor") -> Attempt:
    """What a worker tells the ledger before it dies in a step."""
    ledger = platform.outside.ledger
    arrival = ledger.arrivals.current("orders", partition)
    assert arrival is not None
    attempt = ledger.attempts.begin(
        "orders", partition, arrival.number, run_id, pid=worker.process.pid, pid_started=worker.started, via=via
    )
    ledger.attempts.note_step("orders", partition, run_id, step)
    record = platform.record(partition)
    if record.state is not State.RUNNING:
        ledger.partitions.move("orders", partition, State.RUNNING, expect_version=record.version)
    return attempt


def test_a_living_worker_is_left_alone(platform: Platform, worker: Worker) -> None:
    """A slow file would be started a second time while it is still being read."""
    platform.drop("a.xlsx", [order(1)])
    dying_run(platform, worker)
    assert platform.tick("lost_runs").skip == "Every worker is alive."
    assert platform.state("a") == ("running", None)
    assert platform.attempts("a")[0].ended_at is None


def test_a_killed_worker_gives_its_partition_back_and_its_run_ends(platform: Platform, worker: Worker) -> None:
    """One `kill -9` would cost a file, and the UI would show a run that goes on for ever."""
    platform.drop("a.xlsx", [order(1)])
    run = dying_run(platform, worker)
    lease = Holder(os.uname().nodename, worker.process.pid, worker.started, run.run_id)
    assert platform.outside.ledger.leases.acquire("orders", "a", lease)
    worker.kill()
    assert platform.tick("lost_runs").skip == "1 lost workers were given a verdict."
    assert platform.state("a") == ("arrived", None)
    (attempt,) = platform.attempts("a")
    assert (attempt.code, attempt.kind, attempt.outcome) == ("worker_lost", "worker_lost", "arrived")
    assert attempt.message == "The worker was lost in step validated."
    ended = platform.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert [result.success for result in platform.fulfil(platform.tick())] == [True], "its lease does not stand in the way"
    assert platform.loaded("a") == [1]


def test_a_second_death_in_the_same_step_on_the_same_bytes_holds_the_partition(platform: Platform) -> None:
    """A file that kills whoever reads it would kill workers for ever, and nobody else's file would be read."""
    platform.drop("a.xlsx", [order(1)])
    for expected in ("arrived", "quarantined"):
        with living() as victim:
            dying_run(platform, victim)
        platform.tick("lost_runs")
        assert platform.state("a")[0] == expected
    assert platform.state("a") == ("quarantined", "worker_lost")
    assert platform.tick().requests == []
    platform.drop("a.xlsx", [order(1), order(2)])
    assert platform.tick().partitions == ["a"], "other bytes arm it again"


def test_deaths_in_different_steps_are_no_poison(platform: Platform) -> None:
    """Two power cuts would quarantine a good file."""
    platform.drop("a.xlsx", [order(1)])
    for step in ("raw", "validated"):
        with living() as victim:
            dying_run(platform, victim, step)
        platform.tick("lost_runs")
        assert platform.state("a") == ("arrived", None)


def test_runs_that_went_well_do_not_count_as_deaths(platform: Platform, worker: Worker) -> None:
    """A partition that was published ten times would be quarantined by the first lost worker."""
    platform.process(platform.drop("a.xlsx", [order(1)]))
    platform.run("a")
    begin(platform, "run-by-hand", worker, "warehouse")
    worker.kill()
    platform.tick("lost_runs")
    assert platform.state("a") == ("arrived", None)


def test_what_was_stopped_with_all_else_never_counts(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three reboots would quarantine the file that was being read."""
    monkeypatch.setattr(lost, "_did_not_die_alone", lambda attempt: True)
    platform.drop("a.xlsx", [order(1)])
    for number in range(3):
        assert platform.tick().partitions == ["a"]
        with living() as victim:
            begin(platform, f"run-{number}", victim, "validated")
        platform.tick("lost_runs")
        assert platform.state("a") == ("arrived", "interrupted")


def test_whoever_is_younger_than_the_worker_cannot_know_how_it_died(platform: Platform, worker: Worker) -> None:
    """After a restart of the platform every interrupted file would be one death nearer to quarantine."""
    platform.arrive(platform.drop("a.xlsx", [order(1)]))
    older = begin(platform, "r1", Worker(worker.process, psutil.Process().create_time() - 60), "validated")
    younger = begin(platform, "r2", worker, "validated")
    assert lost._did_not_die_alone(older)
    assert not lost._did_not_die_alone(younger)


def test_a_run_that_dagster_reports_as_failed_is_closed(platform: Platform, worker: Worker) -> None:
    """What the platform's launcher noticed would not reach the ledger while the number of the dead process is in use."""
    platform.drop("a.xlsx", [order(1)])
    platform.instance.report_run_failed(dying_run(platform, worker))
    platform.tick("lost_runs")
    assert platform.attempts("a")[0].code == "worker_lost"
    assert platform.state("a") == ("arrived", None)


def test_a_run_that_a_person_terminated_by_force_stays_until_asked(platform: Platform, worker: Worker) -> None:
    """A worker that hangs and is given up in the UI would be started again at once, and hang again."""
    platform.drop("a.xlsx", [order(1)])
    platform.instance.report_run_canceled(dying_run(platform, worker))
    platform.tick("lost_runs")
    assert platform.state("a") == ("exhausted", "terminated")
    assert platform.tick().requests == []


def test_a_worker_on_another_machine_is_not_judged_by_its_number(platform: Platform, worker: Worker) -> None:
    """Two machines on one ledger would take each other's living workers for dead."""
    platform.drop("a.xlsx", [order(1)])
    run = dying_run(platform, worker)
    platform.sql("update shp.attempts set host = 'elsewhere'")
    worker.kill()
    platform.tick("lost_runs")
    assert platform.state("a") == ("running", None)
    platform.instance.report_run_failed(run)
    platform.tick("lost_runs")
    assert platform.state("a") == ("arrived", None)


def test_a_dead_run_by_hand_leaves_a_published_partition_alone(platform: Platform, worker: Worker) -> None:
    """A look at raw bytes that died would take a partition out of the roll-ups, or start a run nobody asked for."""
    platform.process(platform.drop("a.xlsx", [order(1)]))
    run = platform.instance.create_run_for_job(
        platform.job({platform.kits["orders"].key("raw")}),
        asset_selection=frozenset({platform.kits["orders"].key("raw")}),
        status=dg.DagsterRunStatus.STARTED,
    )
    ledger = platform.outside.ledger
    ledger.attempts.begin("orders", "a", 1, run.run_id, pid=worker.process.pid, pid_started=worker.started, via="ui")
    worker.kill()
    platform.tick("lost_runs")
    assert platform.attempts("a")[1].code == "worker_lost"
    assert platform.state("a") == ("published", None)
    assert platform.tick().requests == []


def test_an_ingestion_that_died_before_its_first_step_does_not_block_the_file(
    platform: Platform, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `shp ingest` killed at the wrong moment would keep the platform from ever taking the file up."""
    platform.drop("a.xlsx", [order(1)])
    (asked,) = platform.tick().requests
    tags = {**asked.tags, "shp/via": "ingest", "shp/pid": str(worker.process.pid), "shp/pid_started": f"{worker.started:.2f}"}
    run = platform.queue(
        dg.RunRequest("ingest", partition_key="a", asset_selection=asked.asset_selection, tags=tags), dg.DagsterRunStatus.STARTED
    )
    worker.kill()
    platform.tick("lost_runs")
    assert platform.tick().requests == [], "it may be working on another machine"
    monkeypatch.setattr(lost, "PATIENCE_SECONDS", 0.0)
    platform.tick("lost_runs")
    ended = platform.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert platform.tick().partitions == ["a"]


def test_a_run_without_a_process_number_is_never_process_zero(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of another kind would be ended because its tag is missing."""
    monkeypatch.setattr(lost, "PATIENCE_SECONDS", 0.0)
    platform.drop("a.xlsx", [order(1)])
    (asked,) = platform.tick().requests
    request = dg.RunRequest("x", partition_key="a", asset_selection=asked.asset_selection, tags={**asked.tags, "shp/via": "ingest"})
    run = platform.queue(request, dg.DagsterRunStatus.STARTED)
    platform.tick("lost_runs")
    found = platform.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.STARTED


def test_a_run_that_was_lost_at_its_start_is_asked_for_again_within_a_minute(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose worker met a database that was just killed would wait for three minutes."""
    platform.drop("a.xlsx", [order(1)])
    (asked,) = platform.tick().requests
    run = platform.queue(asked)
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.PIPELINE_STARTING.value, job_name=run.job_name)
    platform.instance.report_dagster_event(event, run.run_id)
    platform.tick("lost_runs")
    assert platform.tick().partitions == [], "it may still be forked"
    monkeypatch.setattr(lost, "START_SECONDS", 0.0)
    platform.tick("lost_runs")
    found = platform.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.FAILURE
    assert platform.tick().partitions == ["a"]


def test_a_run_that_took_over_from_a_dead_one_keeps_the_partition(platform: Platform, worker: Worker) -> None:
    """Its partition would be given back while it works, and be run once more for nothing."""
    platform.drop("a.xlsx", [order(1)])
    dying_run(platform, worker)
    worker.kill()
    with living() as other:
        begin(platform, "by-hand", other, "raw", via="ui")
        platform.tick("lost_runs")
        assert [attempt.code for attempt in platform.attempts("a")] == ["worker_lost", None]
        assert platform.state("a") == ("running", None)
    platform.tick("lost_runs")
    assert platform.state("a") == ("arrived", None)


def test_an_arrival_while_the_dead_worker_ran_is_what_runs_next(platform: Platform, worker: Worker) -> None:
    """The correction of a file would be lost with the worker that read its first version."""
    platform.drop("a.xlsx", [order(1)])
    dying_run(platform, worker)
    platform.drop("a.xlsx", [order(2)])
    platform.tick()
    worker.kill()
    platform.tick("lost_runs")
    platform.fulfil(platform.tick())
    assert platform.loaded("a") == [2]


def test_a_feed_that_is_gone_stops_nobody(platform: Platform, worker: Worker) -> None:
    """An attempt of a deleted feed would break the sensor at every tick."""
    platform.drop("a.xlsx", [order(1)])
    dying_run(platform, worker)
    worker.kill()
    (platform.base / "marts" / "amounts.yaml").unlink()
    (platform.base / "feeds" / "orders.yaml").unlink()
    platform.feed_file("counts", (platform.base / "feeds" / "counts.yaml").read_text())
    assert platform.tick("lost_runs").skip == "Every worker is alive."
