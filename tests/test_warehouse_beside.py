"""Partitions of one feed that are published side by side: who waits for whom, and that the tables end as if nobody had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from shp_resources.warehouse import Outcome
from tests.support.waiting import PATIENCE, until
from tests.support.warehouse import ITEMS, Delivery, Desk, contract_of, delivery, reject, reject_batch, target_of

CONTRACT = contract_of(ITEMS)

_WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
    " OR NOT granted AND locktype = 'transactionid'"
)

_IN_THE_TABLE = (
    "SELECT count(*) FROM pg_stat_progress_copy"
    " WHERE datname = current_database() AND type = 'PIPE' AND command = 'COPY FROM' AND tuples_processed > {gathered}"
)

GATHERED = 1_000
"""So many rows of a COPY PostgreSQL gathers before it looks at their keys."""

FILLING = 3 * GATHERED
"""So many rows of a first batch; the last of them may still be on their way when the first ones are in the table."""


def of_keys(*keys: int, filling: int = 0) -> Delivery:
    """A delivery with a row for each key, and one reject.

    Args:
        keys: the keys; the first one is in the first batch.
        filling: further keys, from `FILLING` times this on, fill that batch.
    """
    more = range(FILLING * filling, FILLING * (filling + 1)) if filling else ()
    rows = [(str(key), f"{keys[0]} brought {key}") for key in (keys[0], *more, *keys[1:])]
    return delivery(CONTRACT, rows, batch_rows=1 + len(more), rejects=(reject_batch(reject(90_000, "x", "y")),))


@dataclass
class Slow:
    """A publication that stops after its first batch until it may go on."""

    ending: Future[Outcome]
    go_on: threading.Event

    def end(self) -> Outcome:
        """Let it go on; what became of it."""
        self.go_on.set()
        return self.ending.result(PATIENCE)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Publishers."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def desk(database_dsn: str) -> Desk:
    """A feed by file with a key: the first partition owns a key."""
    return Desk(database_dsn, target_of(ITEMS))


@contextmanager
def copying(desk: Desk, threads: ThreadPoolExecutor, partition: str, given: Delivery) -> Iterator[Slow]:
    """A publication of which the first key is in the table if its batch is filled, and nothing is committed."""
    inside, go_on = threading.Event(), threading.Event()
    before = in_the_table(desk)

    def batches() -> Iterator[pa.RecordBatch]:
        yield given.batches[0]
        inside.set()
        assert go_on.wait(PATIENCE)
        yield from given.batches[1:]

    class Twice:
        def __iter__(self) -> Iterator[pa.RecordBatch]:
            return batches()

    publication = desk.publication(partition, given)
    slow = Slow(threads.submit(desk.warehouse.publish, desk.target, publication, Twice(), given.rejects), go_on)
    try:
        assert inside.wait(PATIENCE)
        if given.batches[0].num_rows > GATHERED:
            until(lambda: in_the_table(desk) > before)
        yield slow
    finally:
        go_on.set()


def in_the_table(desk: Desk) -> int:
    """How many publications under way own their first key; what a client has sent may still wait in a socket."""
    return int(desk.rows(_IN_THE_TABLE.format(gathered=GATHERED))[0][0])


def as_one_after_the_other(desk: Desk, *course: tuple[str, Delivery]) -> None:
    """The tables are what they are when the same is published by one after the other."""
    found = desk.contents()
    desk.rows("DROP SCHEMA warehouse, quarantine, shp_pub, mart CASCADE")
    for partition, given in course:
        desk.publish(partition, given)
    alone = desk.contents()
    assert len(alone["loaded"]) > 0
    assert {name: found[name] for name in ("loaded", "displaced", "rejects")} == {
        name: alone[name] for name in ("loaded", "displaced", "rejects")
    }


def waits(desk: Desk, running: Future[Any]) -> None:
    """A publication waits for another one."""
    until(lambda: desk.rows(_WAITING)[0][0] > 0)
    assert not running.done()


def test_new_partitions_do_not_wait_for_each_other(desk: Desk, threads: ThreadPoolExecutor) -> None:
    """Files that arrive together would be loaded by one worker at a time, however many there are."""
    with copying(desk, threads, "p1", of_keys(1, 2, 3)) as first:
        assert desk.publish("p2", of_keys(4, 5)) == Outcome(changed=True, loaded=2, displaced=0, rejected=1)
        assert desk.rows("SELECT DISTINCT _partition FROM warehouse.items") == [("p2",)], "half a partition was seen"
        assert first.end() == Outcome(changed=True, loaded=3, displaced=0, rejected=1)
    as_one_after_the_other(desk, ("p1", of_keys(1, 2, 3)), ("p2", of_keys(4, 5)))


@pytest.mark.parametrize(("slow", "quick"), [("p1", "p2"), ("p2", "p1")])
def test_a_key_that_another_is_about_to_bring_is_settled_by_rule(desk: Desk, threads: ThreadPoolExecutor, slow: str, quick: str) -> None:
    """Who owns a key would depend on whose COPY was quicker, or the slower one's file would fail."""
    of_slow, of_quick = of_keys(7, 1, 2, filling=1), of_keys(8, 7, 9)
    with copying(desk, threads, slow, of_slow) as first:
        second = threads.submit(desk.publish, quick, of_quick)
        waits(desk, second)
        first.end()
        assert second.result(PATIENCE).changed
    assert desk.rows("SELECT _partition FROM warehouse.items WHERE id = 7") == [("p1",)]
    as_one_after_the_other(desk, (slow, of_slow), (quick, of_quick))


def test_two_that_wait_for_keys_of_each_other_are_both_published(desk: Desk, threads: ThreadPoolExecutor) -> None:
    """A dead-lock of two files that share keys in another order would cost a run, or both files."""
    one, other = of_keys(1, 2, filling=1), of_keys(2, 1, filling=2)
    with copying(desk, threads, "p1", one) as first, copying(desk, threads, "p2", other) as second:
        first.go_on.set()
        waits(desk, first.ending)
        assert {second.end().changed, first.end().changed} == {True}
    assert desk.rows("SELECT id, _partition FROM warehouse.items WHERE id < 3 ORDER BY 1") == [(1, "p1"), (2, "p1")]
    as_one_after_the_other(desk, ("p1", one), ("p2", other))


def test_a_correction_waits_for_new_partitions_and_they_for_it(desk: Desk, threads: ThreadPoolExecutor) -> None:
    """A correction would settle its keys without those of a partition that is just being published."""
    before, corrected, late = of_keys(1, 2), of_keys(3, 4), of_keys(5, 4)
    desk.publish("p2", before)
    with copying(desk, threads, "p1", of_keys(8, 3)) as first:
        correction = threads.submit(desk.publish, "p2", corrected)
        waits(desk, correction)
        after = threads.submit(desk.publish, "p3", late)
        assert desk.rows("SELECT DISTINCT _partition FROM warehouse.items") == [("p2",)]
        first.end()
        assert correction.result(PATIENCE) == Outcome(changed=True, loaded=1, displaced=1, rejected=1)
        assert after.result(PATIENCE) == Outcome(changed=True, loaded=1, displaced=1, rejected=1)
    as_one_after_the_other(desk, ("p1", of_keys(8, 3)), ("p2", corrected), ("p3", late))


def test_an_older_arrival_that_is_still_copying_gives_way_or_is_replaced(desk: Desk, threads: ThreadPoolExecutor) -> None:
    """Two workers on one partition would both add their rows."""
    with copying(desk, threads, "p1", of_keys(1, 2)) as first:
        second = threads.submit(desk.publish, "p1", of_keys(2, 3))
        waits(desk, second)
        assert first.end().changed
        assert second.result(PATIENCE) == Outcome(changed=True, loaded=2, displaced=0, rejected=1)
    as_one_after_the_other(desk, ("p1", of_keys(2, 3)))


def test_a_contract_that_grew_finds_its_table_widened_first(desk: Desk, threads: ThreadPoolExecutor) -> None:
    """A new column would be missing for whoever shares the lock, and its file would fail."""
    desk.publish("p1", of_keys(1))
    wider = ITEMS.replace("key: [ID]", "  More: {type: text, optional: true}\nkey: [ID]")
    grown = desk.turned_to(target_of(wider))
    grown.publish("p2", delivery(contract_of(wider), [("2", "x", "more")]))
    assert desk.rows("SELECT id, more FROM warehouse.items ORDER BY 1") == [(1, None), (2, "more")]
    words = "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attname = 'more' AND attrelid = 'warehouse.items'::regclass"
    assert desk.rows(words) == [("Column 'More' of the sheet",)]
