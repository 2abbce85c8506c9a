"""The ledger in memory answers as the real one does: what simulations prove holds for the ledger that people have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.clock import ManualClock
from shp_core.healing.breaker import Breaker, Phase
from shp_core.states import IllegalTransition, State
from shp_resources.ledger import LAKE, Kept, Ledger, Publication, Source
from tests.support.ledgers import opened
from tests.support.memory_ledger import MemoryLedger

NAMES = ("a", "b")
CAUSES = ("warehouse", "warehouse/x", "transient/warehouse", "code_bug/x")
LONG_AGO, SOON = timedelta(days=-30), timedelta(days=30)
_feeds = count()

names, causes, offsets = st.sampled_from(NAMES), st.sampled_from(CAUSES), st.sampled_from([None, LONG_AGO, SOON])
numbers, deliveries = st.integers(1, 3), st.sampled_from(["d1", "d2"])
LAKE_STEPS = st.one_of(
    st.tuples(st.just("want"), names, numbers, deliveries),
    st.tuples(st.just("confirm"), names, numbers, deliveries),
    st.tuples(st.just("lake"), st.sampled_from(["doubt", "arm", "agreed"]), names),
    st.tuples(st.just("pause"), names, st.sampled_from([LONG_AGO, SOON])),
    st.tuples(st.just("hold"), names, st.sampled_from([None, "hdfs", "transient/hdfs", "code_bug/x"]), offsets),
)
"""What sinks are to hold and hold."""

STEPS = st.one_of(
    st.tuples(st.just("arrive"), names),
    st.tuples(st.just("begin"), names, st.sampled_from(["redrive", "sensor"])),
    st.tuples(st.just("end"), names, causes, st.sampled_from(["transient", "breaker_open"])),
    st.tuples(st.just("move"), names, st.sampled_from(list(State)), causes, offsets),
    st.tuples(st.just("release"), names, st.sampled_from([LONG_AGO, SOON])),
    st.tuples(st.just("breaker"), st.sampled_from(["warehouse", "warehouse/x"]), st.sampled_from(list(Phase)), offsets),
    st.tuples(st.just("join"), names, causes),
    st.tuples(st.just("leave"), names, causes),
    st.tuples(st.just("close"), causes),
)


@pytest.fixture(scope="module")
def real(postgres_server: str) -> Iterator[Ledger]:
    """One real ledger; each example has a feed of its own."""
    from tests.support.postgres import fresh_database

    with fresh_database(postgres_server) as dsn, opened(dsn, pooled=True) as ledger:
        yield ledger


class Both:
    """The same steps on both ledgers, and the same questions to both.

    Args:
        real: the real one.
    """

    def __init__(self, real: Ledger) -> None:
        self.now = datetime.now(UTC)
        self.real, self.memory = real, MemoryLedger(ManualClock(self.now))
        self.feed = f"feed{next(_feeds)}"
        self.sizes, self.runs = count(1), count(1)
        self.open_runs: dict[str, str] = {}

    def do(self, step: tuple[Any, ...]) -> None:
        """One step; what one refuses the other refuses."""
        getattr(self, step[0])(*step[1:])

    def arrive(self, name: str) -> None:
        """A file comes."""
        size = next(self.sizes)
        source = Source(f"file:///{self.feed}/{name}", name, size, 1, 1)
        self.real.arrivals.record(self.feed, name, source, "sensor")
        self.memory.arrivals.record(self.feed, name, f"{name}-{size}")

    def begin(self, name: str, via: str) -> None:
        """A run begins."""
        arrivals = [ledger.arrivals.current(self.feed, name) for ledger in (self.real, self.memory)]
        if None in arrivals or name in self.open_runs:
            return
        self.open_runs[name] = run_id = f"{self.feed}-{next(self.runs)}"
        for ledger, arrival in zip((self.real, self.memory), arrivals, strict=True):
            ledger.attempts.begin(self.feed, name, arrival.number, run_id, pid=1, pid_started=1.0, via=via)  # type: ignore[union-attr]

    def end(self, name: str, cause: str, code: str) -> None:
        """A run ends; the second time nothing happens."""
        run_id = self.open_runs.pop(name, f"{self.feed}-0")
        told = {"code": code, "kind": "transient", "cause": cause, "verdict": "redrive"}
        answers = [ledger.attempts.end(self.feed, name, run_id, "waiting", **told) for ledger in (self.real, self.memory)]  # type: ignore[arg-type]
        assert answers[0] == answers[1]

    def move(self, name: str, to: State, cause: str, due: timedelta | None) -> None:
        """A move, legal or not."""
        values = {"cause": cause, "next_attempt_at": self.now + due if due else None, "code": "transient"}
        assert self._moved(self.real, name, to, values) == self._moved(self.memory, name, to, values)

    def release(self, name: str, at: timedelta) -> None:
        """A person lets it run."""
        record = self.memory.partitions.get(self.feed, name)
        if record is not None:
            values = {"armed_at": self.now + at}
            assert self._moved(self.real, name, record.state, values) == self._moved(self.memory, name, record.state, values)

    def _moved(self, ledger: Any, name: str, to: State, values: dict[str, Any]) -> bool:
        record = ledger.partitions.get(self.feed, name)
        try:
            ledger.partitions.move(self.feed, name, to, expect_version=record.version if record else 0, **values)
        except IllegalTransition:
            return False
        return True

    def breaker(self, name: str, phase: Phase, closed: timedelta | None) -> None:
        """A breaker changes; whoever saw an older one does not change it."""
        new = Breaker(name, phase, closed_at=self.now + closed if closed else None)
        for ledger in (self.real, self.memory):
            ledger.breakers.change(name, lambda found: new)
            assert not (ledger.breakers.read([name]) and ledger.breakers.replace(Kept(new, 99_999), Breaker(name)))

    def want(self, name: str, number: int, delivery: str) -> None:
        """The lake is to hold something."""
        for ledger in (self.real, self.memory):
            ledger.lake.want(self.feed, name, Publication(delivery, "c", 1), (number, 1), self.now)

    def confirm(self, name: str, number: int, delivery: str) -> None:
        """The lake was made to hold something."""
        for ledger in (self.real, self.memory):
            told = {"rows": 1, "hash": delivery, "at": self.now}
            ledger.publications.confirm(self.feed, name, LAKE, Publication(delivery, "c", 1), (number, 1), **told)

    def lake(self, what: str, name: str) -> None:
        """Its run is due, or both sinks are to be read again, or they agree."""
        for ledger in (self.real, self.memory):
            getattr(ledger.lake, what)(self.feed, name, self.now)

    def pause(self, name: str, until: timedelta) -> None:
        """No run before then."""
        for ledger in (self.real, self.memory):
            ledger.lake.pause(self.feed, name, self.now + until)

    def hold(self, name: str, cause: str | None, due: timedelta | None) -> None:
        """Its run is held back."""
        for ledger in (self.real, self.memory):
            ledger.lake.hold(self.feed, name, cause, "transient", "m", self.now + due if due else None)

    def join(self, name: str, cause: str) -> None:
        """A partition joins the incident of its cause; the causes are this example's own."""
        for ledger in (self.real, self.memory):
            told = {"severity": "warning", "code": "transient", "message": "m", "at": self.now}
            ledger.incidents.join(f"{self.feed}:{cause}", self.feed, name, **told)

    def leave(self, name: str, cause: str) -> None:
        """A member leaves."""
        for ledger in (self.real, self.memory):
            for incident in self._open(ledger, cause):
                for member in incident.held:
                    if member.partition == name:
                        ledger.incidents.leave(incident.id, member, "healed", self.now)

    def close(self, cause: str) -> None:
        """An incident closes, if it holds nobody."""
        answers = [
            [ledger.incidents.close(one.id, "p", self.now) for one in self._open(ledger, cause)] for ledger in (self.real, self.memory)
        ]
        assert answers[0] == answers[1]

    def _open(self, ledger: Any, cause: str) -> list[Any]:
        return [incident for incident in ledger.incidents.open() if incident.cause == f"{self.feed}:{cause}"]

    def compare(self) -> None:
        """Every question that work and sensors ask."""
        assert self._answers(self.real) == self._answers(self.memory)

    def _answers(self, ledger: Any) -> list[Any]:
        waiting, now = ledger.waiting, self.now
        due = [[one.partition for one in waiting.due(self.feed, now, kept, 9)] for kept in ([], ["warehouse"], ["warehouse/x"])]
        parked = [getattr(waiting.parked_behind(cause, [self.feed]), "partition", None) for cause in CAUSES]
        return [
            due,
            parked,
            self._in_lake(ledger),
            [self._of(ledger, name) for name in NAMES],
            [self._told(ledger, cause) for cause in CAUSES],
        ]

    def _in_lake(self, ledger: Any) -> list[Any]:
        lake, kept = ledger.lake, ([], ["hdfs"])
        due = [[one.partition for one in lake.due(self.feed, self.now, names, 9)] for names in kept]
        known = [lake.get(self.feed, name) for name in NAMES]
        told = [one and (one.intended, one.fence, one.held, one.agreed_at, one.cause, one.code, one.next_attempt_at) for one in known]
        return [due, getattr(lake.parked_behind("hdfs", [self.feed]), "partition", None), told]

    def _of(self, ledger: Any, name: str) -> list[Any]:
        record, arrival = ledger.partitions.get(self.feed, name), ledger.arrivals.current(self.feed, name)
        number = arrival.number if arrival else 0
        spent = [ledger.attempts.redrives(self.feed, name, number, cause, self.now - timedelta(days=1)) for cause in CAUSES]
        runs = [(one.number, one.cause, one.ended_at is None) for one in ledger.attempts.of_partition(self.feed, name)]
        state = (record.state, record.version, record.code, record.cause, record.next_attempt_at, record.armed_at) if record else None
        return [state, spent, runs, [event["new"] for event in ledger.history(self.feed, name) if event["what"] == "transition"]]

    def _told(self, ledger: Any, cause: str) -> list[Any]:
        return [[(one.partition, one.outcome) for one in sorted(found.members, key=repr)] for found in self._open(ledger, cause)]


@given(st.lists(STEPS | LAKE_STEPS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_it_answers_as_the_real_one_does(real: Ledger, steps: list[tuple[Any, ...]]) -> None:
    """Simulations would prove something about a ledger that nobody has."""
    for name in ("warehouse", "warehouse/x"):  # breakers are shared by all feeds: each example begins with the same
        real.breakers.change(name, lambda found: Breaker(found.name))
    both = Both(real)
    for name in ("warehouse", "warehouse/x"):
        both.memory.breakers.change(name, lambda found: Breaker(found.name, Phase.OPEN))
        both.memory.breakers.change(name, lambda found: Breaker(found.name))
    for step in steps:
        both.do(step)
    both.compare()
