"""A ledger in a test's own database, sources to record in it, and proof that one connection waits for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from shp_core.states import State
from shp_resources.ledger import Arrival, Attempt, Holder, Ledger, PartitionRecord, Publication, Source, migrate
from tests.support.postgres import rows
from tests.support.waiting import until

FEED = "orders"
PARTITION = "week_47"
BYTES = "ab" * 32
OTHER_BYTES = "cd" * 32
PUBLICATION = Publication(BYTES, "contract-1", 1)


@contextmanager
def opened(dsn: str, *, pooled: bool = False) -> Iterator[Ledger]:
    """A ledger whose tables are current."""
    migrate(dsn)
    ledger = Ledger(dsn, pooled=pooled)
    try:
        yield ledger
    finally:
        ledger.close()


def source(name: str = "week_47.xlsx", *, size: int = 100, mtime_ns: int = 1, inode: int = 7, folder: str = "/drop") -> Source:
    """A file as it is seen."""
    return Source(f"file://{folder}/{name}", name, size, mtime_ns, inode)


def arrive(ledger: Ledger, partition: str = PARTITION, *, size: int = 100, via: str = "sensor") -> Arrival:
    """A file of that size comes for a partition."""
    return ledger.arrivals.record(FEED, partition, source(f"{partition}.xlsx", size=size), via)


def begin(ledger: Ledger, arrival: Arrival, run_id: str = "run-1") -> Attempt:
    """A run begins to work on an arrival."""
    here = Holder.here(run_id)
    return ledger.attempts.begin(
        arrival.feed, arrival.partition, arrival.number, run_id, pid=here.pid, pid_started=here.started, via="sensor"
    )


def record_of(ledger: Ledger, partition: str = PARTITION) -> PartitionRecord:
    """Where a partition stands; it must be known."""
    record = ledger.partitions.get(FEED, partition)
    assert record is not None
    return record


def moved(ledger: Ledger, *states: State, partition: str = PARTITION, **fields: Any) -> PartitionRecord:
    """Move a partition through these states, the last with these fields."""
    for state in states[:-1]:
        ledger.partitions.move(FEED, partition, state, expect_version=record_of(ledger, partition).version)
    return ledger.partitions.move(FEED, partition, states[-1], expect_version=record_of(ledger, partition).version, **fields)


def waiting_connections(dsn: str) -> int:
    """How many connections of this database wait for a lock at this moment."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return int(rows(dsn, query)[0][0])


@contextmanager
def blocked_by(dsn: str, first: Ledger, hold: Callable[[], Any], then: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Let `then` run in another thread into what `hold` did in an open transaction of `first`.

    Yields the outcome of `then` once it is seen to wait; the transaction commits when the block ends.
    """
    with ThreadPoolExecutor(1) as threads, first.transaction():
        hold()
        outcome = threads.submit(then)
        until(lambda: waiting_connections(dsn) == 1 or outcome.done())
        assert not outcome.done(), "nothing made it wait"
        yield outcome
