"""One file's way, in this process: when a run is needed, when it is not, and whose word counts when others are about."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from shp_assets import feed_assets, steps
from shp_assets.arrive import Arrived
from shp_assets.work import Work
from shp_core.errors import ShpError
from shp_core.states import State
from shp_ops.ingest.before import _FOR_GOOD
from shp_ops.ingest.one import Ingestion
from shp_ops.ingest.results import FileResult
from shp_resources.ledger import Holder
from tests.support.ledgers import begin
from tests.support.platforms import DAYS, ORDERS, Platform, order
from tests.support.waiting import PATIENCE

GOOD = [order(1), order(2)]
BAD = [order(3), order(4, day="31.02.2026"), order(5, day="x")]


def ingest(platform: Platform, path: Path, feed: str = "orders", busy_seconds: float = 20.0) -> FileResult:
    """Deliver a file, without the patience of a person."""
    ingestion = Ingestion(platform.kits[feed], platform.definitions, platform.outside, platform.instance, busy_seconds)
    return ingestion.follow(ingestion.load(path))


def runs(platform: Platform) -> int:
    """How many runs Dagster knows."""
    return int(platform.sql("select count(*) from runs")[0][0])


@pytest.fixture
def good(platform: Platform) -> Iterator[Path]:
    """A file that was published."""
    path = platform.drop("a.xlsx", GOOD)
    assert ingest(platform, path).published
    yield path


def test_an_untouched_file_costs_no_run_and_no_row(platform: Platform, good: Path) -> None:
    """Every look at a folder would fill the tables."""
    count = "select (select count(*) from shp.arrivals), (select count(*) from shp.transitions), (select count(*) from event_logs)"
    before, started = platform.sql(count), runs(platform)
    again = ingest(platform, good)
    assert (again.published, again.changed, again.rows["loaded"]) == (True, False, 2)
    assert (platform.sql(count), runs(platform)) == (before, started)


def test_the_same_bytes_again_are_an_arrival_and_no_run(platform: Platform, good: Path) -> None:
    """A file that is copied anew every night would be loaded anew every night, or be left waiting."""
    shutil.copyfile(good, good.with_name("copy"))
    good.with_name("copy").replace(good)
    started = runs(platform)
    again = ingest(platform, good)
    assert (again.state, again.changed, runs(platform)) == ("published", False, started)
    assert platform.sql("select count(*) from shp.arrivals") == [(2,)]


def test_the_same_bytes_keep_what_was_said_of_their_rejects(platform: Platform) -> None:
    """Rejected rows would be forgotten when the file comes again."""
    path = platform.drop("a.xlsx", [*GOOD, order(9, day="x")])
    assert ingest(platform, path).state == "published_with_rejects"
    os.utime(path, (1, 1))
    again = ingest(platform, path)
    assert (again.state, again.rows["rejected"], again.changed) == ("published_with_rejects", 1, False)


def test_other_bytes_are_loaded(platform: Platform, good: Path) -> None:
    """Corrections would be ignored."""
    result = ingest(platform, platform.drop("a.xlsx", [order(7)]))
    assert (result.published, result.changed) == (True, True)
    assert platform.loaded("a") == [7]


def test_another_contract_reads_the_same_bytes_again(platform: Platform, good: Path) -> None:
    """A corrected feed file would have no effect on what is delivered again."""
    platform.feed_file("orders", ORDERS.replace("in: [AT, DE, FR]", "in: [AT, DE, FR, IT]"))
    started = runs(platform)
    result = ingest(platform, good)
    assert (result.published, runs(platform)) == (True, started + 1)


@pytest.mark.parametrize(
    "damage",
    ["delete from warehouse.orders", "update warehouse.orders set amount = 0", "drop table warehouse.orders cascade"],
)
def test_the_warehouse_is_asked_and_not_the_memory_of_it(platform: Platform, good: Path, damage: str) -> None:
    """It would be said that all is well while the table is empty, wrong or gone."""
    platform.sql(damage)
    started = runs(platform)
    assert ingest(platform, good).published
    assert runs(platform) == started + 1
    if not damage.startswith("update"):
        assert platform.loaded("a") == [1, 2]


def test_a_refused_file_is_not_refused_anew(platform: Platform) -> None:
    """A wrong file in a folder would cost a run at every look."""
    path = platform.drop("a.xlsx", BAD)
    first = ingest(platform, path)
    assert (first.state, first.code, first.rows["rejected"]) == ("quarantined", "too_many_rejects", 2)
    started = runs(platform)
    again = ingest(platform, path)
    assert (again.state, again.code, again.message, again.rows) == (first.state, first.code, first.message, first.rows)
    assert runs(platform) == started


def test_a_refused_file_is_judged_anew_by_another_contract(platform: Platform) -> None:
    """A corrected rule would not free what it held."""
    path = platform.drop("a.xlsx", BAD)
    assert ingest(platform, path).code == "too_many_rejects"
    platform.feed_file("orders", ORDERS.replace("max_rejected_share: 0.5", "max_rejected_share: 0.9"))
    assert ingest(platform, path).state == "published_with_rejects"


def test_what_depends_on_others_or_on_the_machine_is_tried_again() -> None:
    """A file that was refused because of another file, or of a busy machine, would stay refused."""
    assert {"not_a_workbook", "column_missing", "too_many_rejects", "no_rows"} <= _FOR_GOOD
    assert not {"duplicate_delivery", "volume_out_of_range", "reader_timeout", "ambiguous_partition", "source_missing"} & _FOR_GOOD


def test_a_living_worker_is_waited_for_and_its_work_is_not_done_again(platform: Platform) -> None:
    """A file that the platform is loading would be reported as failed."""
    path = platform.drop("a.xlsx", GOOD)
    ledger = platform.outside.ledger
    other = Holder.here("another run")
    platform.arrive(path)
    assert ledger.leases.acquire("orders", "a", other)

    def publish_and_release() -> None:
        ledger.leases.release("orders", "a", other)

    timer = threading.Timer(1.0, publish_and_release)
    timer.start()
    result = ingest(platform, path)
    timer.join()
    assert (result.published, len(platform.attempts("a"))) == (True, 1)


def test_patience_ends_with_a_code_and_no_run(platform: Platform) -> None:
    """A hanging worker would make every later command hang."""
    path = platform.drop("a.xlsx", GOOD)
    assert platform.outside.ledger.leases.acquire("orders", "a", Holder.here("another run"))
    result = ingest(platform, path, busy_seconds=0.5)
    assert (result.state, result.code, result.published) == ("arrived", "partition_busy", False)
    assert runs(platform) == 0


@contextmanager
def a_rival_between_steps(monkeypatch: pytest.MonkeyPatch, rival: Callable[[], object]) -> Iterator[None]:
    """While a run lets go of the partition before its last step, somebody else takes it."""
    with monkeypatch.context() as patch:

        @contextmanager
        def guarded(context: object, kit: object, outside: object, step: str) -> Iterator[object]:
            if step == "warehouse":
                patch.undo()
                rival()
            with real(context, kit, outside, step) as work:
                yield work

        real: Any = feed_assets.guarded
        patch.setattr(feed_assets, "guarded", guarded)
        yield


def test_who_was_overtaken_with_the_same_bytes_has_not_failed(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two commands on one file one would tell its cron job that the file was not published."""
    path = platform.drop("a.xlsx", GOOD)

    def rival() -> None:
        os.utime(path, (1, 1))
        assert ingest(platform, path).changed

    with a_rival_between_steps(monkeypatch, rival):
        result = ingest(platform, path)
    assert (result.state, result.code, result.rows["loaded"], result.published) == ("published", None, 2, True)
    assert platform.sql("select count(*) from shp.leases") == [(0,)]


def test_who_was_overtaken_by_other_bytes_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file would be called published when another one stands in its place."""
    path = platform.drop("a.xlsx", GOOD)

    with a_rival_between_steps(monkeypatch, lambda: ingest(platform, platform.drop("a.xlsx", [order(7)]))):
        result = ingest(platform, path)
    assert (result.code, result.rows, result.published) == ("superseded", {}, False)
    assert platform.loaded("a") == [7]


def test_whoever_is_told_twice_gives_back_all_the_same(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed command's file would count as being worked on: the kernel tells its workers once for each of its threads."""
    failed, before = Work.failed, signal.signal(signal.SIGTERM, signal.default_int_handler)

    def told_again(work: Work, *rest: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        failed(work, *rest)

    def told(work: Work) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Work, "failed", told_again)
    monkeypatch.setattr(Ingestion, "_run", lambda self, work, job: work.attempt and told(work))
    try:
        with pytest.raises(KeyboardInterrupt):
            ingest(platform, platform.drop("a.xlsx", GOOD))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert platform.sql("select count(*) from shp.attempts where ended_at is null") == [(0,)]


def test_a_worker_that_takes_it_up_once_more_is_waited_for(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two commands on one file the one that published it could say that it is not, and fail."""
    plain, ledger, pause = Ingestion._process, platform.outside.ledger, threading.Event()

    def ended() -> None:
        pause.wait(1.0)
        both = "with ended as (update shp.attempts set ended_at = now() where run_id = 'another')"
        platform.sql(f"{both} update shp.partitions set state = 'published'")  # as a run notes its end: in one transaction

    def then_another(self: Ingestion, arrived: Arrived) -> ShpError | None:
        failure = plain(self, arrived)
        begin(ledger, arrived.arrival, "another")
        threads.append(threading.Thread(target=ended))
        platform.sql("update shp.partitions set state = 'running'")
        threads[0].start()
        return failure

    threads: list[threading.Thread] = []
    monkeypatch.setattr(Ingestion, "_process", then_another)
    result = ingest(platform, platform.drop("a.xlsx", GOOD), busy_seconds=PATIENCE)
    threads[0].join()
    assert (result.published, result.state, result.rows["loaded"]) == (True, "published", len(GOOD))


def test_a_dead_worker_is_not_waited_for(platform: Platform) -> None:
    """After a crash every command would wait for half a minute."""
    path = platform.drop("a.xlsx", GOOD)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(dead.pid).create_time()
    dead.wait()
    holder = Holder(Holder.here("x").host, dead.pid, started, "a run that died")
    assert platform.outside.ledger.leases.acquire("orders", "a", holder, ttl_seconds=600)
    result = ingest(platform, path, busy_seconds=200)
    assert result.published and result.seconds < 100
    assert platform.sql("select * from shp.leases") == []


def test_an_interruption_gives_everything_back(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the partition would look as if somebody were still at it."""
    path = platform.drop("a.xlsx", GOOD)

    def interrupt(*_: object, **__: object) -> None:
        raise DagsterExecutionInterruptedError

    monkeypatch.setattr(steps, "make_artefacts", interrupt)
    ingestion = Ingestion(platform.kits["orders"], platform.definitions, platform.outside, platform.instance)
    try:
        result = ingestion.load(path)
    except KeyboardInterrupt:
        result = None
    assert result is None or not result.published
    assert platform.record("a").state is State.ARRIVED
    assert platform.sql("select * from shp.leases") == []
    assert platform.sql("select count(*) from shp.attempts where ended_at is null") == [(0,)]
    assert platform.sql("select count(*) from runs where status in ('STARTED', 'STARTING', 'NOT_STARTED')") == [(0,)]
    monkeypatch.undo()
    assert ingest(platform, path).published


def test_a_worker_that_died_between_sink_and_ledger_left_no_false_counts(platform: Platform, good: Path) -> None:
    """A partition would be called published without a row count, or without its rejects."""
    platform.sql("update shp.partitions set state = 'arrived', rows = '{}' where partition = 'a'")
    result = ingest(platform, good)
    assert (result.state, result.rows["loaded"], result.rows["read"]) == ("published", 2, 2)


def test_a_file_that_went_away_is_told_and_nothing_is_noted(platform: Platform) -> None:
    """A mistyped name would leave a partition that never comes."""
    result = ingest(platform, platform.landing() / "nowhere.xlsx")
    assert (result.code, result.partition, result.state, result.delivery) == ("source_missing", None, None, None)
    assert platform.sql("select count(*) from shp.partitions") == [(0,)]


def test_a_file_without_a_day_has_no_partition_and_keeps_its_name(platform: Platform) -> None:
    """The document would invent a partition."""
    result = ingest(platform, platform.drop("nameless.xlsx", [("pen", 1)], feed=DAYS, header=("Item", "Count")), DAYS)
    assert (result.partition, result.state, result.code) == (None, "quarantined", "no_partition")
    assert result.path.endswith("nameless.xlsx")
    assert runs(platform) == 0


def test_the_counts_are_those_of_this_file_and_not_of_the_one_before(platform: Platform) -> None:
    """A refused correction would be shown with the rows of the file it was to replace."""
    assert ingest(platform, platform.drop_count("2026-03-01.xlsx", [("pen", 1)]), DAYS).rows["loaded"] == 1
    rival = ingest(platform, platform.drop_count("2026-03-01 new.xlsx", [("pen", 2), ("ink", 3)]), DAYS)
    assert (rival.code, rival.rows, rival.as_dict()["rows"]["loaded"]) == ("ambiguous_partition", {}, 0)


def test_the_run_says_who_it_is(platform: Platform, good: Path) -> None:
    """A run of a killed command could not be told from one that lives."""
    (run,) = platform.instance.get_runs()
    process = psutil.Process()
    assert run.tags["shp/via"] == "ingest" and run.tags["shp/feed"] == "orders"
    assert (run.tags["shp/pid"], run.tags["shp/pid_started"]) == (str(process.pid), f"{process.create_time():.2f}")
    assert run.tags["dagster/partition"] == "a"
    assert platform.instance.get_dynamic_partitions("orders_files") == ["a"]
