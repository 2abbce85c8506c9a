"""Arrivals: seen once, numbered in order, never lost, whatever else goes on with their partition."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.states import State
from shp_resources.ledger import KeyTaken, Ledger, SeenSource, Source, StaleState
from tests.support.ledgers import (
    BYTES,
    FEED,
    OTHER_BYTES,
    PARTITION,
    PUBLICATION,
    arrive,
    begin,
    blocked_by,
    moved,
    opened,
    record_of,
    source,
)
from tests.support.postgres import rows


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


# seeing sources


def test_nothing_is_known_of_a_new_feed(ledger: Ledger) -> None:
    """The first look at a folder would fail."""
    assert ledger.arrivals.known_sources(FEED) == {}
    assert ledger.arrivals.current(FEED, PARTITION) is None
    assert ledger.arrivals.partition_owner(FEED, PARTITION) is None
    assert ledger.arrivals.partitions_of_delivery(FEED, BYTES) == []


def test_a_new_source_arrives(ledger: Ledger) -> None:
    """A dropped file would not be noticed."""
    before = datetime.now(UTC)
    arrival = ledger.arrivals.record(FEED, PARTITION, source(), "sensor")
    assert (arrival.feed, arrival.partition, arrival.source, arrival.via, arrival.delivery) == (FEED, PARTITION, source(), "sensor", None)
    assert before - timedelta(seconds=1) <= arrival.at <= datetime.now(UTC) + timedelta(seconds=1)
    assert ledger.arrivals.known_sources(FEED) == {source().uri: SeenSource(source(), PARTITION, arrival.number)}
    assert ledger.arrivals.get(arrival.number) == ledger.arrivals.current(FEED, PARTITION) == arrival
    record = record_of(ledger)
    assert (record.state, record.arrival, record.version) == (State.ARRIVED, arrival.number, 1)


def test_the_same_sight_is_the_same_arrival(ledger: Ledger, prepared_dsn: str) -> None:
    """Every look at an unchanged folder would load it again."""
    first = arrive(ledger)
    assert arrive(ledger) == first
    assert arrive(ledger, via="ingest") == first
    assert rows(prepared_dsn, "select count(*) from shp.arrivals") == [(1,)]
    assert rows(prepared_dsn, "select count(*) from shp.transitions") == [(1,)]


@pytest.mark.parametrize("change", [{"size": 101}, {"mtime_ns": 2}, {"inode": 8}, {"etag": '"v2"'}])
def test_any_change_is_a_new_arrival(ledger: Ledger, change: dict[str, int]) -> None:
    """A corrected file under the old name would be overlooked."""
    first = ledger.arrivals.record(FEED, PARTITION, source(), "sensor")
    second = ledger.arrivals.record(FEED, PARTITION, replace(source(), **change), "sensor")
    assert second.number > first.number
    assert ledger.arrivals.current(FEED, PARTITION) == second
    assert ledger.arrivals.known_sources(FEED)[source().uri].arrival == second.number


def test_an_old_sight_that_comes_back_is_new(ledger: Ledger) -> None:
    """Putting yesterday's file back would not undo today's wrong one."""
    first = arrive(ledger, size=100)
    second = arrive(ledger, size=200)
    third = arrive(ledger, size=100)
    assert first.number < second.number < third.number


def test_two_sources_of_a_partition_are_seen_apart(ledger: Ledger) -> None:
    """Two files for one period would make each other look new at every tick, for ever."""
    one, two = source("a.xlsx"), source("b.xlsx")
    first = ledger.arrivals.record(FEED, PARTITION, one, "sensor")
    second = ledger.arrivals.record(FEED, PARTITION, two, "sensor")
    assert ledger.arrivals.record(FEED, PARTITION, one, "sensor") == first
    assert ledger.arrivals.record(FEED, PARTITION, two, "sensor") == second
    assert ledger.arrivals.current(FEED, PARTITION) == second


def test_a_source_may_move_to_another_partition(ledger: Ledger) -> None:
    """A corrected `partition:` in a feed file would leave files where they do not belong."""
    first = ledger.arrivals.record(FEED, "week_47", source(), "sensor")
    second = ledger.arrivals.record(FEED, "2026-11-20", source(), "sensor")
    assert second.number > first.number
    assert ledger.arrivals.known_sources(FEED)[source().uri].partition == "2026-11-20"


def test_feeds_are_apart(ledger: Ledger) -> None:
    """A file of one feed would be taken for the same file of another."""
    ours = ledger.arrivals.record("ours", PARTITION, source(), "sensor")
    theirs = ledger.arrivals.record("theirs", PARTITION, source(), "sensor")
    assert ours.number < theirs.number
    assert set(ledger.arrivals.known_sources("ours")) == {source().uri}
    assert ledger.arrivals.known_sources("nobody") == {}


def test_a_stat_may_be_as_large_as_file_systems_make_it(ledger: Ledger) -> None:
    """A network drive with 64-bit inodes would break the whole folder."""
    huge = Source("file:///x", "x", 2**62, 2**62, 2**64 - 1)
    ledger.arrivals.record(FEED, PARTITION, huge, "sensor")
    assert ledger.arrivals.known_sources(FEED)["file:///x"].source == huge


@settings(max_examples=25, deadline=None)
@given(name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_any_file_name_is_kept_as_it_is(ledger: Ledger, name: str) -> None:
    """A file with an unusual name would be seen as new at every tick, or break the others."""
    odd = source(name)
    first = ledger.arrivals.record(FEED, PARTITION, odd, "sensor")
    assert ledger.arrivals.record(FEED, PARTITION, odd, "sensor") == first
    assert ledger.arrivals.known_sources(FEED)[odd.uri].source == odd


# arrivals and states


@pytest.mark.parametrize(
    "way",
    [
        (State.QUARANTINED,),
        (State.WAITING,),
        (State.PARKED,),
        (State.RUNNING, State.EXHAUSTED),
        (State.RUNNING, State.PUBLISHED),
        (State.RUNNING, State.PUBLISHED_WITH_REJECTS),
        (State.QUARANTINED, State.WAIVED),
    ],
)
def test_a_new_arrival_frees_a_partition_from_any_state(ledger: Ledger, way: tuple[State, ...]) -> None:
    """A corrected file would wait behind the fault of the one it replaces."""
    arrive(ledger)
    due = datetime(2026, 11, 21, tzinfo=UTC)
    moved(ledger, *way, code="too_many_rejects", message="40 %", next_attempt_at=due, rows={"read": 3}, delivery=BYTES)
    newer = arrive(ledger, size=200)
    record = record_of(ledger)
    assert (record.state, record.arrival) == (State.ARRIVED, newer.number)
    assert (record.code, record.message, record.next_attempt_at) == (None, None, None)
    assert (record.rows, record.delivery) == ({"read": 3}, BYTES)


def test_an_expected_partition_arrives(ledger: Ledger) -> None:
    """A planned period would never leave its plan."""
    due = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
    ledger.partitions.move(FEED, PARTITION, State.EXPECTED, expect_version=0, due_at=due)
    arrival = arrive(ledger)
    record = record_of(ledger)
    assert (record.state, record.arrival, record.due_at) == (State.ARRIVED, arrival.number, due)


def test_an_arrival_during_a_run_is_noted_and_the_run_goes_on(ledger: Ledger) -> None:
    """A second run would start beside the first, or the newer file would be forgotten."""
    old = arrive(ledger)
    begin(ledger, old)
    running = moved(ledger, State.RUNNING)
    newer = arrive(ledger, size=200)
    record = record_of(ledger)
    assert (record.state, record.arrival) == (State.RUNNING, newer.number)
    assert ledger.arrivals.current(FEED, PARTITION) == newer
    with pytest.raises(StaleState):
        ledger.partitions.move(FEED, PARTITION, State.PUBLISHED, expect_version=running.version)
    given_back = ledger.partitions.move(FEED, PARTITION, State.ARRIVED, expect_version=record.version)
    assert (given_back.state, given_back.arrival) == (State.ARRIVED, newer.number)


def test_a_persons_arrival_is_always_new_and_what_lies_in_landing_does_not_undo_it(ledger: Ledger) -> None:
    """A rewind would be undone by the next look at the folder."""
    arrive(ledger)
    rewind = ledger.arrivals.record(FEED, PARTITION, None, "rewind")
    assert (rewind.source, rewind.via) == (None, "rewind")
    assert arrive(ledger).number < rewind.number
    assert ledger.arrivals.current(FEED, PARTITION) == rewind
    assert ledger.arrivals.record(FEED, PARTITION, None, "rewind").number > rewind.number
    assert arrive(ledger, size=200) == ledger.arrivals.current(FEED, PARTITION)


# two at once


def test_the_same_sight_by_two_processes_is_one_arrival(ledger: Ledger, prepared_dsn: str) -> None:
    """A sensor and `shp ingest` that see a file together would load it twice."""
    with opened(prepared_dsn) as other, blocked_by(prepared_dsn, ledger, lambda: arrive(ledger), lambda: arrive(other)) as outcome:
        pass
    assert outcome.result() == ledger.arrivals.current(FEED, PARTITION)
    assert rows(prepared_dsn, "select count(*) from shp.arrivals") == [(1,)]


def test_an_arrival_and_the_end_of_a_run_do_not_pass_each_other(ledger: Ledger, prepared_dsn: str) -> None:
    """A file that comes while its predecessor's run ends would be forgotten in state `published`."""
    arrive(ledger)
    running = moved(ledger, State.RUNNING)

    def end() -> None:
        ledger.partitions.move(FEED, PARTITION, State.PUBLISHED, expect_version=running.version)

    with opened(prepared_dsn) as other, blocked_by(prepared_dsn, ledger, end, lambda: arrive(other, size=200)) as outcome:
        pass
    record = record_of(ledger)
    assert (record.state, record.arrival) == (State.ARRIVED, outcome.result().number)


def test_numbers_increase_in_every_partition_whoever_records(ledger: Ledger, prepared_dsn: str) -> None:
    """An older file could win over a newer one because two processes recorded them."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda size: arrive(ledger, f"p{size % 3}", size=size), range(60)))
    out_of_order = """
        select count(*) from (select number, at, lag(at) over (partition by partition order by number) as earlier from shp.arrivals) a
        where earlier > at
    """
    assert rows(prepared_dsn, out_of_order) == [(0,)]
    assert rows(prepared_dsn, "select count(*), count(distinct number) from shp.arrivals") == [(60, 60)]
    for partition in ("p0", "p1", "p2"):
        current = ledger.arrivals.current(FEED, partition)
        assert current is not None and record_of(ledger, partition).arrival == current.number


# deliveries


def test_bytes_get_their_name_when_they_are_kept(ledger: Ledger, prepared_dsn: str) -> None:
    """Nobody could tell which bytes an arrival brought."""
    arrival = arrive(ledger)
    ledger.arrivals.name_delivery(arrival.number, BYTES, 100)
    assert ledger.arrivals.current(FEED, PARTITION) == replace(arrival, delivery=BYTES)
    assert rows(prepared_dsn, "select feed, partition, delivery, size, arrival from shp.deliveries") == [
        (FEED, PARTITION, BYTES, 100, arrival.number)
    ]


def test_the_same_name_again_is_the_same_delivery(ledger: Ledger, prepared_dsn: str) -> None:
    """A run that is taken up again after a crash would fail at its first step."""
    first, second = arrive(ledger), arrive(ledger, size=200)
    for number in (first.number, first.number, second.number):
        ledger.arrivals.name_delivery(number, BYTES, 100)
    assert rows(prepared_dsn, "select delivery, arrival from shp.deliveries") == [(BYTES, first.number)]


def test_other_bytes_for_a_named_arrival_are_a_moving_source(ledger: Ledger) -> None:
    """A file that changes between two tries would be published under the name of its former content."""
    arrival = arrive(ledger)
    ledger.arrivals.name_delivery(arrival.number, BYTES, 100)
    with pytest.raises(Fault) as raised:
        ledger.arrivals.name_delivery(arrival.number, OTHER_BYTES, 100)
    assert raised.value.code is Code.STILL_MOVING
    current = ledger.arrivals.current(FEED, PARTITION)
    assert current is not None and current.delivery == BYTES


def test_an_unknown_arrival_cannot_be_named(ledger: Ledger) -> None:
    """A worker with a wrong number would believe that its bytes are on record."""
    with pytest.raises(Fault, match="arrival 404"):
        ledger.arrivals.name_delivery(404, BYTES, 1)


def test_who_else_publishes_the_same_bytes(ledger: Ledger) -> None:
    """The same file under a second name would count twice in a feed without a key."""
    first, second = arrive(ledger, "p1"), arrive(ledger, "p2")
    ledger.publications.intend(FEED, "p2", "warehouse", PUBLICATION, (second.number, 1))
    assert ledger.arrivals.partitions_of_delivery(FEED, BYTES) == ["p2"]
    ledger.publications.intend(FEED, "p1", "warehouse", PUBLICATION, (first.number, 1))
    ledger.publications.confirm(FEED, "p1", "warehouse", PUBLICATION, (first.number, 1), rows=1, hash="00", at=datetime.now(UTC))
    assert ledger.arrivals.partitions_of_delivery(FEED, BYTES) == ["p1", "p2"]
    assert ledger.arrivals.partitions_of_delivery("other", BYTES) == []


def test_bytes_are_free_again_when_every_sink_has_moved_on(ledger: Ledger) -> None:
    """A file could never be sent under another name, long after the first one was replaced."""
    arrival = arrive(ledger)
    now = datetime.now(UTC)
    ledger.publications.confirm(FEED, PARTITION, "warehouse", PUBLICATION, (arrival.number, 1), rows=1, hash="00", at=now)
    other = replace(PUBLICATION, delivery=OTHER_BYTES)
    ledger.publications.intend(FEED, PARTITION, "warehouse", other, (arrival.number, 2))
    assert ledger.arrivals.partitions_of_delivery(FEED, BYTES) == [PARTITION]
    ledger.publications.confirm(FEED, PARTITION, "warehouse", other, (arrival.number, 2), rows=1, hash="01", at=now)
    assert ledger.arrivals.partitions_of_delivery(FEED, BYTES) == []


# who owns a key


def test_the_first_file_name_owns_the_key(ledger: Ledger) -> None:
    """Two files whose names become one key would replace each other."""
    ledger.arrivals.record(FEED, "a_b", source("a b.xlsx"), "sensor", sole_owner=True)
    with pytest.raises(KeyTaken) as raised:
        ledger.arrivals.record(FEED, "a_b", source("a_b.xlsx"), "sensor", sole_owner=True)
    assert raised.value.owner == ledger.arrivals.partition_owner(FEED, "a_b") == "a b.xlsx"
    assert set(ledger.arrivals.known_sources(FEED)) == {source("a b.xlsx").uri}


def test_the_owner_may_come_again_from_elsewhere(ledger: Ledger) -> None:
    """A file given to `shp ingest` would not replace the one of the same name in the folder."""
    first = ledger.arrivals.record(FEED, PARTITION, source(), "sensor", sole_owner=True)
    second = ledger.arrivals.record(FEED, PARTITION, source(folder="/mail"), "ingest", sole_owner=True)
    assert second.number > first.number


def test_a_key_without_a_file_is_free(ledger: Ledger) -> None:
    """A planned period or a rewind would own a key that belongs to the first file."""
    ledger.partitions.move(FEED, PARTITION, State.EXPECTED, expect_version=0)
    ledger.arrivals.record(FEED, PARTITION, None, "rewind")
    assert ledger.arrivals.partition_owner(FEED, PARTITION) is None
    arrive(ledger)
    assert ledger.arrivals.partition_owner(FEED, PARTITION) == f"{PARTITION}.xlsx"


def test_two_names_at_once_do_not_share_a_key(ledger: Ledger, prepared_dsn: str) -> None:
    """Two processes that look at different files at once would let one replace the other."""

    def take(at: Ledger, name: str) -> None:
        at.arrivals.record(FEED, "a_b", source(name), "sensor", sole_owner=True)

    with (
        opened(prepared_dsn) as other,
        blocked_by(prepared_dsn, ledger, lambda: take(ledger, "a b.xlsx"), lambda: take(other, "a_b.xlsx")) as outcome,
    ):
        pass
    with pytest.raises(KeyTaken):
        outcome.result()


# after a restore


def test_numbers_go_on_above_what_a_sink_has_seen(ledger: Ledger) -> None:
    """After a restore of the ledger every new file would be refused by sinks that hold a higher fence."""
    before = arrive(ledger)
    ledger.arrivals.continue_above(before.number + 1000)
    assert arrive(ledger, size=200).number > before.number + 1000
    ledger.arrivals.continue_above(3)
    assert arrive(ledger, size=300).number > before.number + 1001
