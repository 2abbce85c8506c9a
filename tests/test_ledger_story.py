"""The ledger as a whole: any order of events against a model in memory, and ten thousand partitions without a slow query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.errors import ShpError
from shp_core.states import IllegalTransition, State, check_transition
from shp_resources.database import make_engine
from shp_resources.ledger import Ledger, Publication, StaleState, Superseded
from tests.support.ledgers import opened, source
from tests.support.postgres import connected, rows, worked_with
from tests.support.waiting import until

PARTITIONS = ("p1", "p2")
MANY = 10_000


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


@dataclass
class Model:
    """What a partition's record must say, by the plainest means."""

    state: State | None = None
    version: int = 0
    arrival: int | None = None
    seen: tuple[int, int] | None = None  # (size, arrival) of the source's last sight
    attempts: dict[str, int] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    intended: tuple[tuple[int, int], str] | None = None
    moves: list[tuple[str | None, str]] = field(default_factory=list)

    def move(self, to: State) -> None:
        """The state changes, and the change is kept."""
        self.moves.append((self.state and str(self.state), str(to)))
        self.state, self.version = to, self.version + 1


arrives = st.tuples(st.just("arrive"), st.integers(1, 3))
moves = st.tuples(st.just("move"), st.tuples(st.sampled_from(list(State)), st.sampled_from([0, 0, 0, 1, -1])))
begins = st.tuples(st.just("begin"), st.sampled_from(["r1", "r2", "r3"]))
ends = st.tuples(st.just("end"), st.sampled_from(["r1", "r2", "r3"]))
intends = st.tuples(st.just("intend"), st.tuples(st.integers(-1, 0), st.integers(1, 3), st.sampled_from(["aa", "bb"])))
stories = st.lists(st.tuples(st.sampled_from(PARTITIONS), arrives | moves | begins | ends | intends), max_size=30)


class Story:
    """Tells the same events to the ledger and to the model."""

    def __init__(self, ledger: Ledger, feed: str) -> None:
        self.ledger, self.feed = ledger, feed
        self.models = {partition: Model() for partition in PARTITIONS}

    def tell(self, partition: str, what: str, detail: Any) -> None:
        """One event."""
        getattr(self, what)(partition, self.models[partition], detail)

    def arrive(self, partition: str, model: Model, size: int) -> None:
        """A source is seen; it is new when its size differs from the last sight."""
        arrival = self.ledger.arrivals.record(self.feed, partition, source(f"{partition}.xlsx", size=size), "sensor")
        if model.seen and model.seen[0] == size:
            assert arrival.number == model.seen[1]
            return
        assert arrival.number > (model.arrival or 0)
        model.seen, model.arrival = (size, arrival.number), arrival.number
        model.move(State.RUNNING if model.state is State.RUNNING else State.ARRIVED)

    def move(self, partition: str, model: Model, detail: tuple[State, int]) -> None:
        """Somebody moves the partition, from what it is or from another version."""
        to, off = detail
        expected = self._refusal(model, to, off)
        refused = _refused(lambda: self.ledger.partitions.move(self.feed, partition, to, expect_version=model.version + off))
        assert refused is expected
        if expected is None:
            model.move(to)

    def _refusal(self, model: Model, to: State, off: int) -> type[ShpError] | None:
        if off:
            return StaleState
        return _refused(lambda: check_transition(model.state, to))

    def begin(self, partition: str, model: Model, run_id: str) -> None:
        """A run begins, or goes on."""
        if model.arrival is None:
            return
        attempt = self.ledger.attempts.begin(self.feed, partition, model.arrival, run_id, pid=1, pid_started=1.0, via="ui")
        assert attempt.number == model.attempts.setdefault(run_id, len(model.attempts) + 1)

    def end(self, partition: str, model: Model, run_id: str) -> None:
        """A run ends; its first verdict stands."""
        stands = self.ledger.attempts.end(self.feed, partition, run_id, f"verdict {len(model.ended)}")
        assert stands == (run_id in model.attempts and run_id not in model.ended)
        if stands:
            model.ended[run_id] = f"verdict {len(model.ended)}"

    def intend(self, partition: str, model: Model, detail: tuple[int, int, str]) -> None:
        """A worker, perhaps an old one, says what the sink is to hold."""
        back, attempt, delivery = detail
        fence = ((model.arrival or 0) + back, attempt)
        publication = Publication(delivery, "c", 1)
        refused = _refused(lambda: self.ledger.publications.intend(self.feed, partition, "warehouse", publication, fence))
        older = model.intended is not None and fence < model.intended[0]
        assert refused is (Superseded if older else None)
        if not older:
            model.intended = (fence, delivery)

    def check(self, dsn: str) -> None:
        """The ledger says what the model says."""
        for partition, model in self.models.items():
            record = self.ledger.partitions.get(self.feed, partition)
            found = (record.state, record.version, record.arrival) if record else (None, 0, None)
            assert found == (model.state, model.version, model.arrival)
            attempts = self.ledger.attempts.of_partition(self.feed, partition)
            assert {attempt.run_id: attempt.number for attempt in attempts} == model.attempts
            assert {attempt.run_id: attempt.outcome for attempt in attempts if attempt.outcome} == model.ended
            sinks = self.ledger.publications.sinks(self.feed, partition).values()
            assert [(sink.fence, sink.intended.delivery) for sink in sinks] == [model.intended] * bool(model.intended)
            query = "select old, new from shp.transitions where feed = %s and partition = %s order by id"
            assert rows(dsn, query, self.feed, partition) == model.moves


def _refused(call: Callable[[], object]) -> type[ShpError] | None:
    try:
        call()
    except (StaleState, Superseded, IllegalTransition) as error:
        return type(error)
    return None


@settings(max_examples=60, deadline=None)
@given(stories)
def test_any_order_of_events_is_recorded_as_it_was(ledger: Ledger, prepared_dsn: str, events: list[tuple[str, tuple[str, Any]]]) -> None:
    """Some order of arrivals, moves, runs and verdicts would leave the ledger telling something that never happened."""
    story = Story(ledger, feed=uuid4().hex)
    for partition, (what, detail) in events:
        story.tell(partition, what, detail)
    story.check(prepared_dsn)


# ten thousand partitions

FILL = """
insert into shp.partitions (feed, partition, state, version, arrival)
  select 'big', 'p' || n, case when n % 100 = 0 then 'quarantined' else 'published' end, 3, n from generate_series(1, 10000) n;
insert into shp.arrivals (number, feed, partition, uri, name, size, mtime_ns, inode, etag, via, delivery)
  select n, 'big', 'p' || n, 'file:///p' || n, 'p' || n, 1, 1, 1, '', 'sensor', md5(n::text) from generate_series(1, 10000) n;
insert into shp.sources (feed, uri, name, size, mtime_ns, inode, etag, partition, arrival)
  select feed, uri, name, size, mtime_ns, inode, etag, partition, number from shp.arrivals;
insert into shp.attempts (feed, partition, number, arrival, run_id, host, pid, pid_started, via, ended_at)
  select 'big', 'p' || n, 1, n, 'r' || n, 'h', 1, 1, 'sensor', now() from generate_series(1, 10000) n;
insert into shp.transitions (feed, partition, old, new, version)
  select 'big', 'p' || n, 'arrived', 'running', v from generate_series(1, 10000) n, generate_series(1, 3) v;
insert into shp.publications (number, feed, partition, sink, delivery, contract_version, converter_version, arrival, attempt, rows,
                              hash, at)
  select n, 'big', 'p' || n, 'warehouse', md5(n::text), 'c', 1, n, 1, 1, '00', now() from generate_series(1, 10000) n;
insert into shp.sinks (feed, partition, sink, intended_delivery, intended_contract_version, intended_converter_version, intended_arrival,
                       intended_attempt, publication)
  select feed, partition, sink, delivery, contract_version, converter_version, arrival, attempt, number from shp.publications;
analyze;
"""


@pytest.fixture
def big(ledger: Ledger, prepared_dsn: str) -> Ledger:
    """A ledger with a feed of ten thousand partitions."""
    rows(prepared_dsn, FILL)
    ledger.arrivals.continue_above(MANY)
    return ledger


def _seconds(dsn: str, call: Callable[[], object]) -> float:
    before = worked_with(dsn)
    call()
    return worked_with(dsn) - before


def test_a_big_feed_is_listed_in_a_moment(big: Ledger, prepared_dsn: str) -> None:
    """`shp partitions` and every tick of a sensor would take longer with every file."""
    calls: dict[str, Callable[[], object]] = {
        "list": lambda: big.partitions.list("big"),
        "known_sources": lambda: big.arrivals.known_sources("big"),
        "all_sinks": lambda: big.publications.all_sinks("big"),
        "counts": lambda: big.attempts.counts("big"),
    }
    sizes = {name: len(call()) for name, call in calls.items()}  # type: ignore[arg-type]
    assert sizes == dict.fromkeys(calls, MANY)
    slow = {name: seconds for name, call in calls.items() if (seconds := _seconds(prepared_dsn, call)) > 2.0}
    assert slow == {}


def test_what_is_asked_of_one_partition_reads_no_whole_table(big: Ledger, prepared_dsn: str) -> None:
    """Each step of a run would take longer with every partition that its feed ever had."""
    big.partitions.get("big", "p5000")  # the connection that counts below is made before

    def scans() -> dict[str, int]:
        found = rows(prepared_dsn, "select relname, seq_scan from pg_stat_user_tables where schemaname = 'shp'")
        return {str(name): int(count) for name, count in found}

    big.close()
    before = scans()
    record = big.partitions.get("big", "p5000")
    assert record is not None
    big.partitions.list("big", [State.QUARANTINED])
    arrival = big.arrivals.record("big", "p5000", source("p5000", size=2), "sensor")
    big.arrivals.current("big", "p5000")
    big.arrivals.name_delivery(arrival.number, "new", 1)
    attempt = big.attempts.begin("big", "p5000", arrival.number, "r", pid=1, pid_started=1.0, via="ui")
    big.attempts.note_step("big", "p5000", "r", "raw")
    big.attempts.count_on_delivery("big", "p5000", "new")
    big.attempts.under_way()
    big.attempts.end("big", "p5000", "r", "published")
    big.publications.intend("big", "p5000", "warehouse", Publication("new", "c", 1), attempt.fence)
    big.publications.sinks("big", "p5000")
    big.publications.newest()
    big.history("big", "p5000")
    big.close()  # a session tells its counts when it ends
    assert connected(prepared_dsn, 0)
    after = scans()
    big_tables = {"partitions", "arrivals", "sources", "attempts", "transitions", "publications", "sinks"}
    assert {name: after[name] - before[name] for name in big_tables if after[name] != before[name]} == {}


def test_the_engine_of_these_tests_counts_scans_at_all(big: Ledger, prepared_dsn: str) -> None:
    """The test above would pass because nothing is counted."""
    count = "select seq_scan from pg_stat_user_tables where relname = 'attempts'"
    [(before,)] = rows(prepared_dsn, count)
    engine = make_engine(prepared_dsn, pooled=False)
    with engine.connect() as connection:
        connection.exec_driver_sql("select count(message) from shp.attempts")
    until(lambda: rows(prepared_dsn, count) > [(before,)])
