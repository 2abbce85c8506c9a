"""Attempts: counted once per run, ordered by their fences, each with one verdict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shp_core.codes import Code
from shp_core.healing.faults import Evidence, FaultKind
from shp_resources.ledger import Holder, Ledger
from tests.support.ledgers import BYTES, FEED, OTHER_BYTES, PARTITION, arrive, begin, blocked_by, opened
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


def test_an_attempt_knows_its_worker_and_its_fence(ledger: Ledger) -> None:
    """Nobody could tell which process to look for when a run says nothing more."""
    arrival = arrive(ledger)
    attempt = begin(ledger, arrival)
    here = Holder.here("run-1")
    assert (attempt.number, attempt.arrival, attempt.fence) == (1, arrival.number, (arrival.number, 1))
    assert (attempt.host, attempt.pid, attempt.pid_started, attempt.run_id) == (here.host, here.pid, here.started, "run-1")
    assert (attempt.step, attempt.ended_at, attempt.outcome, attempt.evidence) == (None, None, None, {})
    assert abs(datetime.now(UTC) - attempt.started_at) < timedelta(seconds=PATIENCE)


def test_beginning_again_is_the_same_attempt(ledger: Ledger) -> None:
    """Each step of a run would count as a run, and budgets would be used up at once."""
    arrival = arrive(ledger)
    assert begin(ledger, arrival) == begin(ledger, arrival)
    assert len(ledger.attempts.of_partition(FEED, PARTITION)) == 1


def test_attempts_are_counted_per_partition(ledger: Ledger) -> None:
    """The fence of a later run would not be greater than that of an earlier one."""
    arrival, other = arrive(ledger), arrive(ledger, "p2")
    fences = [begin(ledger, arrival, f"run-{number}").fence for number in (1, 2, 3)]
    newer = begin(ledger, arrive(ledger, size=200), "run-4")
    assert fences == [(arrival.number, 1), (arrival.number, 2), (arrival.number, 3)]
    assert newer.fence > max(fences)
    assert begin(ledger, other, "run-1").number == 1


def test_one_run_may_work_on_several_partitions(ledger: Ledger) -> None:
    """A run over two partitions would know only the first."""
    begin(ledger, arrive(ledger, "p1"))
    begin(ledger, arrive(ledger, "p2"))
    assert [attempt.partition for attempt in ledger.attempts.under_way(FEED)] == ["p1", "p2"]


def test_a_run_that_goes_on_in_another_process_is_looked_for_there(ledger: Ledger) -> None:
    """A run with one process per step would be called lost as soon as its first process is done."""
    arrival = arrive(ledger)
    first = begin(ledger, arrival)
    second = ledger.attempts.begin(FEED, PARTITION, arrival.number, "run-1", pid=4711, pid_started=5.5, via="sensor")
    assert (second.number, second.pid, second.pid_started) == (first.number, 4711, 5.5)


def test_a_run_that_has_ended_stays_as_it_ended(ledger: Ledger) -> None:
    """Whoever looks at an ended run would see a process that had nothing to do with its end."""
    arrival = arrive(ledger)
    first = begin(ledger, arrival)
    ledger.attempts.end(FEED, PARTITION, "run-1", "published")
    again = ledger.attempts.begin(FEED, PARTITION, arrival.number, "run-1", pid=4711, pid_started=5.5, via="ui")
    assert (again.number, again.pid, again.outcome) == (first.number, first.pid, "published")


def test_the_step_is_known_while_it_runs(ledger: Ledger) -> None:
    """A worker that dies would not tell where, and two deaths in one step would not be poison."""
    begin(ledger, arrive(ledger))
    for step in ("raw", "validate"):
        ledger.attempts.note_step(FEED, PARTITION, "run-1", step)
    [attempt] = ledger.attempts.under_way()
    assert attempt.step == "validate"
    ledger.attempts.end(FEED, PARTITION, "run-1", "quarantined")
    ledger.attempts.note_step(FEED, PARTITION, "run-1", "warehouse")
    assert ledger.attempts.of_partition(FEED, PARTITION)[0].step == "validate"


def test_a_verdict_says_what_was_seen(ledger: Ledger) -> None:
    """A red partition could not say why."""
    begin(ledger, arrive(ledger))
    evidence = Evidence("warehouse", sqlstate="53100", text="DiskFull: no space left on device")
    assert ledger.attempts.end(
        FEED, PARTITION, "run-1", "parked", code=Code.SINK_REFUSED, kind=FaultKind.SINK_REFUSED, evidence=evidence, message="full"
    )
    [attempt] = ledger.attempts.of_partition(FEED, PARTITION)
    assert (attempt.outcome, attempt.code, attempt.kind, attempt.message) == ("parked", "sink_refused", "sink_refused", "full")
    assert attempt.evidence == {"system": "warehouse", "sqlstate": "53100", "text": "DiskFull: no space left on device"}
    assert attempt.ended_at is not None and attempt.ended_at >= attempt.started_at


def test_the_first_verdict_stands(ledger: Ledger) -> None:
    """The net that catches what died without a word would overwrite the cause with `worker_lost`."""
    begin(ledger, arrive(ledger))
    assert ledger.attempts.end(FEED, PARTITION, "run-1", "quarantined", code="no_rows")
    before = ledger.attempts.of_partition(FEED, PARTITION)
    assert not ledger.attempts.end(FEED, PARTITION, "run-1", "waiting", code="worker_lost")
    assert ledger.attempts.of_partition(FEED, PARTITION) == before


def test_a_verdict_on_nothing_does_not_stand(ledger: Ledger) -> None:
    """A verdict would seem to be on record although no such attempt is."""
    assert not ledger.attempts.end(FEED, PARTITION, "run-1", "published")
    assert ledger.attempts.of_partition(FEED, PARTITION) == []


def test_what_has_no_verdict_is_under_way(ledger: Ledger) -> None:
    """Lost runs would never be found."""
    begin(ledger, arrive(ledger, "p1"), "run-1")
    begin(ledger, arrive(ledger, "p2"), "run-2")
    ledger.attempts.end(FEED, "p1", "run-1", "published")
    assert [attempt.run_id for attempt in ledger.attempts.under_way()] == ["run-2"]
    assert ledger.attempts.under_way("other") == []


def test_attempts_count_on_the_bytes_not_on_the_arrival(ledger: Ledger) -> None:
    """Touching a poisonous file would let it kill workers again, or a corrected one would inherit its budget."""
    first, second, third = (arrive(ledger, size=size) for size in (1, 2, 3))
    for number, arrival in enumerate((first, first, second, third)):
        begin(ledger, arrival, f"run-{number}")
    for arrival, delivery in ((first, BYTES), (second, OTHER_BYTES), (third, BYTES)):
        ledger.arrivals.name_delivery(arrival.number, delivery, 1)
    assert ledger.attempts.count_on_delivery(FEED, PARTITION, BYTES) == 3
    assert ledger.attempts.count_on_delivery(FEED, PARTITION, OTHER_BYTES) == 1
    assert ledger.attempts.count_on_delivery(FEED, "p2", BYTES) == 0
    assert ledger.attempts.counts(FEED) == {PARTITION: 3}


def test_attempts_before_the_bytes_have_a_name_count_too(ledger: Ledger) -> None:
    """`shp partitions` would show no attempt for a file that cannot even be copied."""
    arrival = arrive(ledger)
    begin(ledger, arrival, "run-1")
    begin(ledger, arrival, "run-2")
    begin(ledger, arrive(ledger, "p2"), "run-3")
    assert ledger.attempts.counts(FEED) == {PARTITION: 2, "p2": 1}
    arrive(ledger, size=200)
    assert ledger.attempts.counts(FEED) == {"p2": 1}


def test_two_runs_that_begin_at_once_get_two_fences(ledger: Ledger, prepared_dsn: str) -> None:
    """Two workers on one partition would have the same fence, and the sink could not order them."""
    arrival = arrive(ledger)
    with (
        opened(prepared_dsn) as other,
        blocked_by(prepared_dsn, ledger, lambda: begin(ledger, arrival, "run-1"), lambda: begin(other, arrival, "run-2")) as outcome,
    ):
        pass
    assert outcome.result().fence == (arrival.number, 2)
    assert rows(prepared_dsn, "select run_id, number from shp.attempts order by number") == [("run-1", 1), ("run-2", 2)]


def test_one_run_that_begins_twice_at_once_is_one_attempt(ledger: Ledger, prepared_dsn: str) -> None:
    """A launch that is answered with an error and tried again would count twice."""
    arrival = arrive(ledger)
    with (
        opened(prepared_dsn) as other,
        blocked_by(prepared_dsn, ledger, lambda: begin(ledger, arrival), lambda: begin(other, arrival)) as outcome,
    ):
        pass
    assert outcome.result().number == 1
    assert rows(prepared_dsn, "select count(*) from shp.attempts") == [(1,)]


def test_of_two_verdicts_at_once_one_stands(ledger: Ledger, prepared_dsn: str) -> None:
    """The worker and the net that believes it dead would both decide."""
    begin(ledger, arrive(ledger))
    stood: list[bool] = []

    def end(at: Ledger, outcome: str) -> None:
        stood.append(at.attempts.end(FEED, PARTITION, "run-1", outcome))

    with (
        opened(prepared_dsn) as other,
        blocked_by(prepared_dsn, ledger, lambda: end(ledger, "published"), lambda: end(other, "waiting")),
    ):
        pass
    assert stood == [True, False]
    assert ledger.attempts.of_partition(FEED, PARTITION)[0].outcome == "published"
