"""What goes wrong in a run becomes a verdict: in a body, outside a body, from outside, and with the ledger away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import dagster as dg
import psycopg2
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from sqlalchemy import exc

from shp_assets import feed_assets, mart_assets
from shp_assets.preview_type import NowhereIOManager
from shp_assets.steps import validate_delivery
from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.healing.faults import Evidence
from shp_resources.spool import Spooled
from tests.support.platforms import NOBODY, Platform, order

BODIES = {"keep_bytes": "raw", "validate_delivery": "validated", "publish_delivery": "warehouse"}
CELL = "Konstantin's salary"


def failing(monkeypatch: pytest.MonkeyPatch, body: str, error: Callable[[], BaseException]) -> None:
    """Let the one call that a body makes raise something."""

    def fail(*_: object) -> Any:
        raise error()

    monkeypatch.setattr(feed_assets, body, fail)


def bug() -> BaseException:
    """An exception whose message quotes a cell and a password."""
    try:
        raise ValueError(f"invalid literal: {CELL!r}")
    except ValueError as cause:
        error = RuntimeError(f"cannot convert {CELL!r}, password=hunter2secret")
        error.__cause__ = cause
        return error


@pytest.mark.parametrize("body", BODIES)
def test_a_bug_in_a_body_is_a_verdict(platform: Platform, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A partition would hang in `running` for ever, or be tried again and again."""
    failing(monkeypatch, body, bug)
    result = platform.process(platform.drop("a.xlsx", [order(1)]))
    assert not result.success
    assert BODIES[body] not in platform.reached(result)
    assert platform.state("a") == ("exhausted", "code_bug")
    (attempt,) = platform.attempts("a")
    assert (attempt.code, attempt.kind, attempt.step) == ("code_bug", "code_bug", BODIES[body])
    assert attempt.evidence == {"system": "worker", "text": "RuntimeError"}
    assert attempt.ended_at is not None
    failure = platform.failure(result)
    assert failure["shp/message"] == f"RuntimeError in step {BODIES[body]} of orders."
    assert platform.outside.ledger.leases.holder("orders", "a") is None


@pytest.mark.parametrize("body", BODIES)
def test_a_bug_tells_where_it_is_but_no_cell_and_no_secret(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], body: str
) -> None:
    """Salaries and passwords would stand in logs, or nobody could find the bug."""
    failing(monkeypatch, body, bug)
    platform.process(platform.drop("a.xlsx", [order(1)]))
    found = [*platform.everywhere(), *(("the terminal", text) for text in capfd.readouterr())]
    assert [place for place, text in found if "Konstantin" in text or "hunter2" in text] == []
    logged = [text for place, text in found if place == "public.event_logs" and "nobody named" in text]
    assert "test_graph_nets.py" in logged[0], "the log leads to the line"
    assert "ValueError" in logged[0], "and to what it came from"


def test_a_named_fault_keeps_its_words(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator would see `code_bug` where the disk is full."""
    evidence = Evidence("store", errno=28, text="OSError: No space left on device")
    failing(monkeypatch, "keep_bytes", lambda: Fault(Code.STORE_REFUSED, "The artefact store failed: no space.", evidence))
    result = platform.process(platform.drop("a.xlsx", [order(1)]))
    assert platform.state("a") == ("parked", "store_refused")
    assert platform.record("a").message == "The artefact store failed: no space."
    assert platform.attempts("a")[0].evidence == {"system": "store", "errno": 28, "text": "OSError: No space left on device"}
    assert platform.failure(result)["shp/next"] == Code.STORE_REFUSED.info.operator


def test_nothing_is_retried_by_dagster(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two retry mechanisms would multiply each other."""
    calls: list[int] = []

    def count() -> BaseException:
        calls.append(1)
        return bug()

    failing(monkeypatch, "validate_delivery", count)
    platform.process(platform.drop("a.xlsx", [order(1)]))
    assert calls == [1]


def test_what_fails_outside_a_body_has_a_verdict_too(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing type check or IO manager would leave the partition in `running`."""

    def fail(*_: object) -> None:
        raise OSError(f"cannot store {CELL}")

    monkeypatch.setattr(NowhereIOManager, "handle_output", fail)
    result = platform.process(platform.drop("a.xlsx", [order(1)]))
    assert not result.success
    assert platform.state("a") == ("exhausted", "code_bug")
    (attempt,) = platform.attempts("a")
    assert (attempt.step, attempt.code) == ("validated", "code_bug")
    assert "outside its body" in (attempt.message or "")
    assert "Konstantin" not in (attempt.message or "")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (exc.PendingRollbackError("Can't reconnect until invalid transaction is rolled back."), ("waiting", "transient")),
        (exc.OperationalError("insert", {}, psycopg2.OperationalError("server closed the connection")), ("waiting", "transient")),
        (exc.OperationalError("insert", {}, psycopg2.OperationalError("connection refused")), ("parked", "ledger_unreachable")),
        (exc.ProgrammingError("insert", {}, psycopg2.ProgrammingError("syntax error")), ("exhausted", "code_bug")),
    ],
    ids=["pending", "reset", "away", "bug"],
)
def test_a_database_that_dies_under_dagsters_record_is_no_bug(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, error: Exception, state: tuple[str, str]
) -> None:
    """A restart of the database would cost every file whose run was just writing an event."""

    def fail(*_: object) -> None:
        raise RuntimeError("Dagster's own") from error

    with monkeypatch.context() as patched:
        patched.setattr(NowhereIOManager, "handle_output", fail)
        platform.process(platform.drop("a.xlsx", [order(1)]))
    record = platform.record("a")
    assert (str(record.state), record.code) == state
    assert (record.next_attempt_at is not None) == (state[1] != "code_bug"), "it comes back by itself"


def test_what_is_no_exception_has_a_verdict_too(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic in a library written in Rust would leave the partition in `running`."""

    class PanicError(BaseException):
        """As such libraries raise it."""

    failing(monkeypatch, "validate_delivery", PanicError)
    platform.process(platform.drop("a.xlsx", [order(1)]))
    assert platform.state("a") == ("exhausted", "code_bug")
    assert platform.attempts("a")[0].evidence["text"] == "PanicError"


def test_the_first_verdict_stands(platform: Platform) -> None:
    """A late second net would overwrite what really happened."""
    platform.process(platform.drop("a.xlsx", [order("x"), order("y")]))
    (attempt,) = platform.attempts("a")
    work = Work(platform.kits["orders"], "a", attempt.run_id, "ui", True, platform.outside)
    work.failed(Fault(Code.CODE_BUG, "later", Evidence("worker")), None)
    work.lost(Fault(Code.WORKER_LOST, "later still", Evidence("worker")), deaths=0)
    assert platform.state("a") == ("quarantined", "too_many_rejects")
    assert platform.attempts("a")[0].code == "too_many_rejects"


def interrupting(monkeypatch: pytest.MonkeyPatch, before: Callable[[Work], None]) -> None:
    """Let the validating step be interrupted, once."""
    done: list[Work] = []

    def interrupt(work: Work) -> Any:
        if done:
            return validate_delivery(work)
        done.append(work)
        before(work)
        raise DagsterExecutionInterruptedError

    monkeypatch.setattr(feed_assets, "validate_delivery", interrupt)


def test_an_interrupted_run_gives_its_partition_back(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `shp down` and `shp up` the file would wait for ever."""
    interrupting(monkeypatch, lambda work: None)
    platform.drop("a.xlsx", [order(1)])
    (result,) = platform.fulfil(platform.tick())
    assert not result.success
    assert platform.state("a") == ("arrived", "interrupted")
    assert [(attempt.outcome, attempt.code, attempt.kind) for attempt in platform.attempts("a")] == [
        ("arrived", "interrupted", "interrupted")
    ]
    tick = platform.tick()
    assert tick.partitions == ["a"], "it is taken up again at once"
    assert [again.success for again in platform.fulfil(tick)] == [True]
    assert platform.state("a") == ("published", None)


def test_a_run_that_a_person_terminated_stays_until_asked(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops a run in the UI would see it start again five seconds later, again and again."""

    def terminate(work: Work) -> None:
        run = platform.instance.get_run_by_id(work.run_id)
        assert run is not None
        platform.instance.report_run_canceling(run)

    interrupting(monkeypatch, terminate)
    platform.drop("a.xlsx", [order(1)])
    (result,) = platform.fulfil(platform.tick())
    run = platform.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert platform.state("a") == ("exhausted", "terminated")
    assert platform.tick().requests == []
    assert platform.run("a").success, "a person asks"
    assert platform.state("a") == ("published", None)


def test_a_real_signal_ends_in_a_verdict(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C would leave a lease that blocks the next try for half a minute."""
    went_on = []

    def signalled(work: Work) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        went_on.append(work)

    monkeypatch.setattr(feed_assets, "validate_delivery", signalled)
    platform.process(platform.drop("a.xlsx", [order(1)]))
    assert went_on == []
    assert platform.state("a") == ("arrived", "interrupted")
    assert platform.outside.ledger.leases.holder("orders", "a") is None


def test_a_ledger_that_goes_away_costs_a_warning_and_is_made_up_for(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart of the database would kill runs without a trace, or lose the file."""
    transactions = platform.outside.ledger._transactions

    def cut(work: Work) -> Any:
        transactions.close()
        monkeypatch.setattr(transactions, "_dsn", NOBODY)
        raise Refusal(Code.COLUMN_MISSING, "The header lacks 'Amount'.")

    monkeypatch.setattr(feed_assets, "validate_delivery", cut)
    platform.drop("a.xlsx", [order(1)])
    (result,) = platform.fulfil(platform.tick())
    assert platform.failure(result)["shp/code"] == "column_missing", "the event log has the verdict"
    assert platform.sql("select count(*) from event_logs where event like '%%The ledger was not told of column_missing%%'") == [(1,)]
    transactions.close()
    monkeypatch.setattr(transactions, "_dsn", platform.settings.ledger_dsn)
    assert platform.state("a") == ("running", None)
    platform.tick("lost_runs")
    assert platform.state("a") == ("quarantined", "column_missing"), "the verdict was kept, and is entered now"
    assert platform.attempts("a")[0].verdict == "quarantine"
    assert list(platform.outside.spool.all()) == []


def test_a_verdict_that_another_version_kept_stops_nobody(platform: Platform) -> None:
    """After a downgrade one unknown word would keep every lost worker's partition for ever."""
    platform.outside.spool.keep(Spooled("orders", "a", "run-of-old", "sensor", True, "word_of_tomorrow", "?", {"colour": "blue"}))
    assert platform.tick("lost_runs").skip == "Every worker is alive."
    assert list(platform.outside.spool.all()) == []


def test_a_ledger_that_is_down_from_the_start_fails_the_run_and_nothing_else(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker would crash with a traceback of SQLAlchemy, and the partition would be asked for only once."""
    platform.drop("a.xlsx", [order(1)])
    tick = platform.tick()
    transactions = platform.outside.ledger._transactions
    transactions.close()
    monkeypatch.setattr(transactions, "_dsn", NOBODY)
    (result,) = platform.fulfil(tick)
    assert platform.failure(result)["shp/code"] == "ledger_unreachable"
    transactions.close()
    monkeypatch.setattr(transactions, "_dsn", platform.settings.ledger_dsn)
    assert platform.attempts("a") == []
    again = platform.tick()
    assert again.partitions == ["a"]
    assert platform.fulfil(again)[0].success


def test_a_warehouse_that_is_down_parks_the_partition_with_its_artefacts(platform: Platform) -> None:
    """The work of an hour would be thrown away because the sink is away for a minute."""
    path = platform.drop("a.xlsx", [order(1)])
    platform.turn_to(NOBODY)
    result = platform.process(path)
    assert platform.reached(result) == ["raw", "text", "validated", "quarantine"]
    assert platform.state("a") == ("parked", "sink_unreachable")
    record = platform.record("a")
    assert platform.outside.store.validated(record.delivery or "", platform.kits["orders"].contract) is not None
    platform.turn_to(None)
    assert platform.run("a", ["warehouse"]).success, "the artefacts are all it needs"
    assert platform.loaded("a") == [1]
    assert platform.state("a") == ("published", None)


def test_a_refused_delivery_is_judged_even_while_the_warehouse_is_down(platform: Platform) -> None:
    """The checks of a bad file would stay blank until the database is back."""
    path = platform.drop("a.xlsx", [order("x"), order("y")])
    platform.turn_to(NOBODY)
    result = platform.process(path)
    assert platform.checks(result)["rejects"].metadata["share"].value == 1.0
    assert platform.reached(result) == ["raw", "text", "quarantine"]
    assert platform.state("a") == ("parked", "sink_unreachable"), "its rejects are still to be shown"


def test_a_mart_that_fails_says_why(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A roll-up's failure would be a traceback that quotes rows."""
    platform.turn_to(NOBODY)
    failure = platform.failure(platform.mart())
    assert (failure["shp/code"], failure["shp/kind"]) == ("sink_unreachable", "sink_down")

    def fail(*_: object) -> Any:
        raise bug()

    monkeypatch.setattr(mart_assets, "_make", fail)
    assert platform.failure(platform.mart())["shp/message"] == "RuntimeError in mart amounts."
    assert [place for place, text in platform.everywhere() if "Konstantin" in text] == []
