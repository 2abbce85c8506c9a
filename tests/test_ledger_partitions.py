"""States of partitions: moved only by whoever saw the present one, only along legal ways, and never forgotten."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.states import IllegalTransition, State
from shp_resources.ledger import Ledger, StaleState
from tests.support.ledgers import BYTES, FEED, PARTITION, arrive, blocked_by, moved, opened, record_of
from tests.support.postgres import rows


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


def _transitions(dsn: str) -> list[tuple[object, ...]]:
    return rows(dsn, "select old, new, version from shp.transitions order by id")


# reading


def test_an_unknown_partition_is_none(ledger: Ledger) -> None:
    """Asking for a partition that nobody heard of would fail."""
    assert ledger.partitions.get(FEED, PARTITION) is None
    assert ledger.partitions.list(FEED) == []


def test_a_feeds_partitions_are_listed_by_key_and_state(ledger: Ledger) -> None:
    """`shp partitions` would show other feeds, another order, or not what was asked for."""
    for partition in ("b", "a", "Z", "ä", "a-1"):
        arrive(ledger, partition)
    ledger.partitions.move("other", "x", State.EXPECTED, expect_version=0)
    moved(ledger, State.QUARANTINED, partition="b")
    assert [record.partition for record in ledger.partitions.list(FEED)] == ["Z", "a", "a-1", "b", "ä"]
    assert [record.partition for record in ledger.partitions.list(FEED, {State.QUARANTINED})] == ["b"]
    assert ledger.partitions.list(FEED, {State.QUARANTINED, State.LATE}) == [record_of(ledger, "b")]
    assert ledger.partitions.list(FEED, []) == []


def test_everything_that_is_set_is_read_back(ledger: Ledger) -> None:
    """What is shown of a partition would differ from what was decided."""
    arrival = arrive(ledger)
    due = datetime(2026, 11, 20, 7, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    record = moved(
        ledger,
        State.QUARANTINED,
        delivery=BYTES,
        code="too_many_rejects",
        message="40 % of the rows are rejects — “sheet 1”",
        rows={"read": 10, "clean": 6, "rejected": 4},
        flags={"stale": True, "placeholder_of": "2026-11-19"},
        contract_version="abc",
        converter_version=3,
        next_attempt_at=due,
        due_at=due,
    )
    assert record == record_of(ledger)
    assert (record.state, record.version, record.arrival) == (State.QUARANTINED, 2, arrival.number)
    assert (record.delivery, record.code, record.rows["rejected"]) == (BYTES, "too_many_rejects", 4)
    assert record.flags == {"stale": True, "placeholder_of": "2026-11-19"}
    assert (record.contract_version, record.converter_version) == ("abc", 3)
    assert record.next_attempt_at == record.due_at == due
    assert record.due_at is not None and record.due_at.utcoffset() == timedelta(0)


def test_the_usual_number_of_rows_is_that_of_published_partitions(ledger: Ledger) -> None:
    """A file of unusual size would be measured by files that were refused, or by itself."""
    for read in (100, 110, 900):
        arrive(ledger, f"p{read}")
        moved(ledger, State.RUNNING, State.PUBLISHED_WITH_REJECTS, partition=f"p{read}", rows={"read": read})
    arrive(ledger, "refused")
    moved(ledger, State.QUARANTINED, partition="refused", rows={"read": 1})
    ledger.partitions.move(FEED, "rebuilt", State.PUBLISHED, expect_version=0)
    assert ledger.partitions.usual_reads(FEED, but="new") == 110
    assert ledger.partitions.usual_reads(FEED, but="p900") is None
    assert ledger.partitions.usual_reads("other", but="new") is None


# moving


def test_a_partition_begins_with_version_zero(ledger: Ledger) -> None:
    """Two planners would both believe that they made the partition."""
    record = ledger.partitions.move(FEED, PARTITION, State.EXPECTED, expect_version=0)
    assert (record.state, record.version, record.arrival, record.rows, record.flags) == (State.EXPECTED, 1, None, {}, {})
    with pytest.raises(StaleState):
        ledger.partitions.move(FEED, PARTITION, State.EXPECTED, expect_version=0)


@pytest.mark.parametrize("seen", [0, 1, 3, 99])
def test_a_move_from_a_version_that_is_gone_is_refused(ledger: Ledger, prepared_dsn: str, seen: int) -> None:
    """A slow worker would overwrite what happened meanwhile."""
    arrive(ledger)
    before = moved(ledger, State.RUNNING)
    with pytest.raises(StaleState, match=f"version {seen}") as raised:
        ledger.partitions.move(FEED, PARTITION, State.PUBLISHED, expect_version=seen)
    assert raised.value.code is Code.PARTITION_BUSY
    assert record_of(ledger) == before
    assert len(_transitions(prepared_dsn)) == 2


def test_a_move_of_nothing_is_stale(ledger: Ledger) -> None:
    """A worker would write the state of a partition that was never there."""
    with pytest.raises(StaleState):
        ledger.partitions.move(FEED, "never", State.RUNNING, expect_version=1)


def test_an_illegal_move_changes_nothing(ledger: Ledger, prepared_dsn: str) -> None:
    """A bug could publish what was refused."""
    arrive(ledger)
    before = moved(ledger, State.QUARANTINED, code="no_rows")
    with pytest.raises(IllegalTransition):
        ledger.partitions.move(FEED, PARTITION, State.PUBLISHED, expect_version=before.version)
    with pytest.raises(IllegalTransition):
        ledger.partitions.move(FEED, "new", State.RUNNING, expect_version=0)
    assert record_of(ledger) == before
    assert ledger.partitions.get(FEED, "new") is None
    assert len(_transitions(prepared_dsn)) == 2


def test_why_it_was_held_goes_with_the_state(ledger: Ledger) -> None:
    """A published partition would still show the fault of last week."""
    arrive(ledger)
    soon = datetime.now(UTC)
    moved(ledger, State.WAITING, code="transient", message="deadlock", next_attempt_at=soon, rows={"read": 3}, flags={"stale": True})
    record = moved(ledger, State.RUNNING)
    assert (record.code, record.message, record.next_attempt_at) == (None, None, None)
    assert (record.rows, record.flags) == ({"read": 3}, {"stale": True})


def test_a_note_beside_the_state_keeps_why_it_is_held(ledger: Ledger) -> None:
    """Setting a flag on a quarantined partition would wipe out its reason."""
    arrive(ledger)
    moved(ledger, State.QUARANTINED, code="no_rows", message="empty")
    record = moved(ledger, State.QUARANTINED, flags={"stale": True})
    assert (record.code, record.message, record.flags, record.version) == ("no_rows", "empty", {"stale": True}, 3)
    assert moved(ledger, State.QUARANTINED, code=None).code is None


def test_every_move_is_kept_in_order(ledger: Ledger, prepared_dsn: str) -> None:
    """Nobody could reconstruct how a partition came where it is."""
    ledger.partitions.move(FEED, PARTITION, State.EXPECTED, expect_version=0)
    arrive(ledger)
    moved(ledger, State.RUNNING, State.WAITING, State.RUNNING, State.PUBLISHED)
    assert _transitions(prepared_dsn) == [
        (None, "expected", 1),
        ("expected", "arrived", 2),
        ("arrived", "running", 3),
        ("running", "waiting", 4),
        ("waiting", "running", 5),
        ("running", "published", 6),
    ]


def test_the_time_of_a_change_is_the_databases(ledger: Ledger, prepared_dsn: str) -> None:
    """A worker with a wrong clock would make the newest change look old."""
    arrive(ledger)
    record = moved(ledger, State.RUNNING)
    [(moved_at, now)] = rows(prepared_dsn, "select max(at), clock_timestamp() from shp.transitions")
    assert timedelta(0) <= now - record.updated_at < timedelta(seconds=10)
    assert abs(moved_at - record.updated_at) < timedelta(seconds=1)


# two at once


def test_of_two_moves_from_one_version_one_wins(ledger: Ledger, prepared_dsn: str) -> None:
    """Two workers would both believe that the partition is theirs."""
    arrive(ledger)
    seen = record_of(ledger).version

    def move(at: Ledger, to: State) -> None:
        at.partitions.move(FEED, PARTITION, to, expect_version=seen)

    with opened(prepared_dsn) as other:
        first, second = (lambda: move(ledger, State.RUNNING)), (lambda: move(other, State.QUARANTINED))
        with blocked_by(prepared_dsn, ledger, first, second) as outcome:
            pass
    with pytest.raises(StaleState):
        outcome.result()
    assert record_of(ledger).state is State.RUNNING


def test_of_two_planners_one_makes_the_partition(ledger: Ledger, prepared_dsn: str) -> None:
    """Two planners at once would die of a key that exists, or plan twice."""

    def plan(at: Ledger) -> None:
        at.partitions.move(FEED, PARTITION, State.EXPECTED, expect_version=0)

    with opened(prepared_dsn) as other, blocked_by(prepared_dsn, ledger, lambda: plan(ledger), lambda: plan(other)) as outcome:
        pass
    with pytest.raises(StaleState):
        outcome.result()
    assert _transitions(prepared_dsn) == [(None, "expected", 1)]


def test_many_movers_lose_no_move(ledger: Ledger, prepared_dsn: str) -> None:
    """Under load a change would be overwritten without anyone being told."""
    arrive(ledger)

    def count_once(_: int) -> None:
        while True:
            record = record_of(ledger)
            try:
                count = record.rows.get("read", 0) + 1
                ledger.partitions.move(FEED, PARTITION, State.ARRIVED, expect_version=record.version, rows={"read": count})
                return
            except StaleState:
                continue

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count_once, range(20)))
    record = record_of(ledger)
    assert (record.rows, record.version) == ({"read": 20}, 21)
    assert rows(prepared_dsn, "select count(*), count(distinct version) from shp.transitions") == [(21, 21)]


# several calls as one


def test_calls_in_a_transaction_happen_together(ledger: Ledger, prepared_dsn: str) -> None:
    """Another process would see a verdict without the state it led to."""
    arrive(ledger)
    with ledger.transaction():
        moved(ledger, State.RUNNING)
        arrive(ledger, "p2")
        assert rows(prepared_dsn, "select partition, state from shp.partitions") == [(PARTITION, "arrived")]
    assert rows(prepared_dsn, "select partition, state from shp.partitions order by 1") == [("p2", "arrived"), (PARTITION, "running")]


def test_calls_in_a_transaction_fail_together(ledger: Ledger) -> None:
    """Half of an end of a run would stay behind."""
    arrive(ledger)
    with pytest.raises(StaleState), ledger.transaction():
        moved(ledger, State.RUNNING)
        ledger.partitions.move(FEED, PARTITION, State.PUBLISHED, expect_version=1)
    assert record_of(ledger).state is State.ARRIVED
    assert moved(ledger, State.RUNNING).version == 2


def test_a_transaction_belongs_to_its_thread(ledger: Ledger) -> None:
    """A thread that renews a lease would write into another thread's transaction."""
    seen: list[object] = []
    with ledger.transaction():
        arrive(ledger)
        thread = threading.Thread(target=lambda: seen.append(ledger.partitions.get(FEED, PARTITION)))
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_lost_connection_inside_a_transaction_is_a_fault_and_leaves_nothing(ledger: Ledger, prepared_dsn: str) -> None:
    """A database that dies in the middle would leave half of the calls, or a ledger object that is of no more use."""
    arrive(ledger)
    with pytest.raises(Fault) as raised, ledger.transaction():
        moved(ledger, State.RUNNING)
        rows(
            prepared_dsn,
            "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()",
        )
        moved(ledger, State.PUBLISHED)
    assert raised.value.code is Code.TRANSIENT
    assert record_of(ledger).state is State.ARRIVED


def test_a_forked_child_uses_connections_of_its_own(ledger: Ledger, prepared_dsn: str) -> None:
    """A forked worker would share its parent's connection, and both would read each other's answers."""
    arrive(ledger)
    child = os.fork()
    if child == 0:  # no exception may leave the child, or it would go on as a second pytest
        code = 1
        try:
            code = 0 if moved(ledger, State.RUNNING).version == 2 else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert record_of(ledger).state is State.RUNNING
