"""A simulated platform: the real work, calls, breakers and verdicts, on a ledger in memory, under a clock that jumps.

A schedule is drawn from a seed: systems go away, refuse, or fail in passing for a while; files come, come again mended,
kill their worker or break a rule; answers get lost. What is checked afterwards is in `Simulation.check`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from shp_assets.calls import call
from shp_assets.lake_work import LakeWork
from shp_assets.proof import HEALED, MOVED
from shp_assets.work import Work
from shp_core.clock import ManualClock
from shp_core.codes import Code
from shp_core.contract.summary import Summary
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.healing.backoff import POLICIES
from shp_core.healing.breaker import PROBE_SECONDS, Admission, Breaker, Phase, admission, answered, failed, probing, succeeded
from shp_core.healing.classify import classify
from shp_core.healing.decide import DAY, READER_ENDS, REDRIVES_A_DAY
from shp_core.healing.faults import Evidence
from shp_core.limits import Limits
from shp_core.states import HELD_STATES, State
from shp_resources.ledger import ELT, ETL, LAKE, REDRIVE, Behind, Publication
from shp_resources.rehearsal import Rehearsal
from shp_resources.warehouse import Outcome
from tests.support.memory_ledger import MemoryLedger

FEED = "orders"
START = datetime(2026, 11, 20, tzinfo=UTC)
TROUBLE = timedelta(hours=20)
"""Within this time everything goes wrong that will."""

AT_ONCE = 10
SINK = "warehouse"
LAKE_STEPS = ("lake", "curated", "sinks_agree")
_WHAT: dict[str, dict[str, Any]] = {
    "warehouse": {"down": "08001", "refused": "42501", "full": "53100", "flaky": "08006"},
    "store": {"full": 28, "flaky": 5},
    "hdfs": {"down": 111, "full": 122, "flaky": 104},
    "yarn": {"down": 111, "flaky": 104},
    "ledger": {"flaky": "08006"},
}
_IN_LAKE = ("hdfs", "yarn")


class Killed(BaseException):
    """The worker is gone without a word."""


@dataclass(frozen=True)
class Trouble:
    """A system that does not work for a while.

    Args:
        system: which.
        what: `down`, `refused`, `full` or `flaky`.
        since: from when.
        until: to when.
        rate: share of the calls that it hits.
    """

    system: str
    what: str
    since: datetime
    until: datetime
    rate: float


@dataclass
class Lake:
    """What lies in HDFS of each partition: text rows, clean rows; and which worker dies on its way there.

    Args:
        text: delivery of the text rows, by partition.
        clean: delivery of the clean rows, by partition.
        published: how often each delivery became a partition's clean rows.
        kills: the step in which the partition's next worker dies.
        sick: until when the mapper finds a partition's text rows damaged.
    """

    text: dict[str, str] = field(default_factory=dict)
    clean: dict[str, str] = field(default_factory=dict)
    published: Counter[tuple[str, str]] = field(default_factory=Counter)
    kills: dict[str, str] = field(default_factory=dict)
    sick: dict[str, datetime] = field(default_factory=dict)

    def publish(self, partition: str, delivery: str) -> None:
        """Whole or not at all, once: what the manifest's rename does."""
        assert self.text.get(partition) == delivery, "clean rows of other text rows"
        if self.clean.get(partition) != delivery:
            self.clean[partition] = delivery
            self.published[(partition, delivery)] += 1


class Simulation:
    """One schedule.

    Args:
        seed: draws everything; the same seed is the same schedule.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.draw = seed, Random(seed)
        self.clock = ManualClock(START)
        self.ledger = MemoryLedger(self.clock)
        self.sink: dict[str, str] = {}
        self.published: Counter[tuple[str, str]] = Counter()
        self.lake = Lake()
        self.has_lake = self.draw.random() < 0.7
        self.troubles = [self._trouble() for _ in range(self.draw.randrange(1, 10 if self.has_lake else 6))]
        self.files = self._files()
        self.sick = {f"p{number}": self._sick_until() for number in range(8)}
        self.reader_ends = {f"p{number}": self.draw.choice(sorted(READER_ENDS)) for number in range(8) if self.draw.random() < 0.15}
        self.poison = {f"p{number}" for number in range(8) if self.draw.random() < 0.1}
        self.lake.kills = {f"p{number}": self.draw.choice(LAKE_STEPS) for number in range(8) if self.draw.random() < 0.1}
        self.lake.sick = {f"p{number}": self._sick_until() for number in range(8)}
        self.calls: list[tuple[datetime, str]] = []
        self.spool: list[tuple[Work, ShpError]] = []
        kit = SimpleNamespace(name=FEED, contract=SimpleNamespace(version="c1"), lake=FEED if self.has_lake else None)
        outside = SimpleNamespace(
            ledger=self.ledger,
            clock=self.clock,
            chance=self.draw.random,
            sleep=lambda seconds: self.clock.advance(timedelta(seconds=seconds)),
            patience=POLICIES["standard"],
            limits=Limits(),
            faults=Rehearsal(),
        )
        self.kit, self.outside = cast(Any, kit), cast(Any, outside)

    def _trouble(self) -> Trouble:
        system = self.draw.choice(sorted(name for name in _WHAT if self.has_lake or name not in _IN_LAKE))
        what = self.draw.choice(sorted(_WHAT[system]))
        since = START + self.draw.random() * TROUBLE
        until = min(since + timedelta(seconds=self.draw.expovariate(1 / 3600)), START + TROUBLE)
        return Trouble(system, what, since, until, self.draw.uniform(0.2, 0.9) if what == "flaky" else 1.0)

    def _sick_until(self) -> datetime:
        """Until when a partition's artefacts get damaged: mostly never, sometimes for longer than a budget lasts."""
        return START + self.draw.random() * TROUBLE if self.draw.random() < 0.15 else START

    def _files(self) -> list[tuple[datetime, str, str]]:
        """(when, partition, delivery); of one that is not `good` (breaks a rule, is gone before it is copied) a good one comes later."""
        files = []
        for number in range(8):
            at = START + self.draw.random() * TROUBLE
            kind = self.draw.choice(["good", "good", "good", "bad", "bug", "gone"])
            files.append((at, f"p{number}", f"{kind}-{number}-1"))
            if kind != "good" or self.draw.random() < 0.3:
                files.append((at + self.draw.random() * (START + TROUBLE - at), f"p{number}", f"good-{number}-2"))
        return sorted(files)

    # the world

    def reach(self, system: str, effect: Callable[[], None]) -> None:
        """A call of a system, as it is at this moment."""
        names = [system, f"{system}/{FEED}"]
        shut = [kept.breaker for kept in self.ledger.breakers.read(names) if kept.breaker.phase is Phase.OPEN]
        assert shut == [], f"seed {self.seed}: a call of {system} while its breaker is open"
        self.calls.append((self.clock.now(), system))
        hit = next((one for one in self.troubles if self._hits(one, system)), None)
        if hit is not None and (hit.what != "flaky" or self.draw.random() < 0.5):
            raise self._fault(hit)
        effect()
        if hit is not None:
            raise self._fault(hit)  # the answer is lost

    def _hits(self, trouble: Trouble, system: str) -> bool:
        now = trouble.since <= self.clock.now() < trouble.until
        return trouble.system == system and now and self.draw.random() < trouble.rate

    def _fault(self, trouble: Trouble) -> Fault:
        what = _WHAT[trouble.system][trouble.what]
        seen = {"sqlstate": what} if trouble.system in (SINK, "ledger") else {"errno": what}
        evidence = Evidence(trouble.system, **seen)  # type: ignore[arg-type]
        return Fault(classify(evidence), trouble.what, evidence)

    def _loses_the_ledger(self) -> Trouble | None:
        """The trouble in which the ledger does not answer this once."""
        return next((one for one in self.troubles if self._hits(one, "ledger")), None)

    def _touch_the_ledger(self) -> None:
        if (trouble := self._loses_the_ledger()) is not None:
            raise self._fault(trouble)

    def _tell(self, work: Work, error: ShpError) -> None:
        """A verdict, which is kept while the ledger cannot be told."""
        if self._loses_the_ledger() is not None:
            self.spool.append((work, error))
        else:
            work.failed(error, getattr(error, "evidence", None))

    def _enter_spooled(self) -> None:
        kept, self.spool = self.spool, []
        for work, error in kept:
            self._tell(work, error)

    # what runs

    def run(self, partition: str, via: str) -> None:
        """A run of a partition, from its first step to its verdict; or to the death of its worker."""
        work = Work(self.kit, partition, f"run-{len(self.ledger.runs)}", via, publishes=True, outside=self.outside)
        if self._loses_the_ledger() is not None:
            return  # before its first word: nobody knows of this run
        try:
            with work.step(SINK):
                self._work(work)
        except ShpError as error:
            self._tell(work, error)
        except Killed:
            before = [one for one in self.ledger.attempts.of_partition(FEED, partition) if one.arrival == work.arrival.number]
            deaths = sum(attempt.code == Code.WORKER_LOST and attempt.way == ETL for attempt in before)
            work.lost(Fault(Code.WORKER_LOST, "lost", Evidence("worker")), deaths=deaths)

    def _work(self, work: Work) -> None:
        delivery = work.arrival.delivery or ""
        call(self.outside, "store", FEED, lambda: self.reach("store", lambda: None), work.place)
        if delivery.startswith("gone"):
            raise Fault(Code.SOURCE_MISSING, "gone", Evidence("landing", errno=2))
        if work.partition in self.reader_ends:
            raise Refusal(self.reader_ends.pop(work.partition), "the reading process was ended")
        if delivery.startswith("bad"):
            raise Refusal(Code.TOO_MANY_REJECTS, "bad")
        if delivery.startswith("bug"):
            raise Fault(Code.CODE_BUG, "bug", Evidence("worker"))
        if work.partition in self.poison and delivery.endswith("1"):
            raise Killed
        if self.clock.now() < self.sick[work.partition]:
            raise Fault(Code.ARTEFACT_DAMAGED, "damaged", Evidence("store", text="damaged"))
        if self.draw.random() < 0.1:
            self._arrive([file for file in self.files if file[1] == work.partition][:1])  # in the midst of the run
        noted, ledger, changed = Publication(delivery, "c1", 1), self.ledger, self.sink.get(work.partition) != delivery
        ledger.publications.intend(*work.key, SINK, noted, work.attempt.fence)
        if work.kit.lake is not None:
            ledger.lake.want(*work.key, noted, work.attempt.fence, self.clock.now())
        call(self.outside, SINK, FEED, lambda: self.reach(SINK, lambda: self._publish(work.partition, delivery)), work.place)
        self._touch_the_ledger()
        ledger.publications.confirm(*work.key, SINK, noted, work.attempt.fence, rows=1, hash=delivery, at=self.clock.now())
        self._touch_the_ledger()
        work.published(delivery, cast(Summary, _Counts()), Outcome(changed, 1, 0, 0))

    def _publish(self, partition: str, delivery: str) -> None:
        """All or nothing, once: what the real warehouse's transaction does."""
        if self.sink.get(partition) != delivery:
            self.sink[partition] = delivery
            self.published[(partition, delivery)] += 1

    def follow(self, partition: str, via: str) -> None:
        """A run to the lake: text rows, clean rows, and whether both sinks say the same."""
        work = LakeWork(self.kit, partition, f"run-{len(self.ledger.runs)}", via, publishes=True, outside=self.outside)
        if self._loses_the_ledger() is not None:
            return
        try:
            for step, do in zip(LAKE_STEPS, (self._text, self._curate, self._agree), strict=True):
                with work.step(step):
                    if self.lake.kills.get(partition) == step:
                        del self.lake.kills[partition]
                        raise Killed
                    do(work)
        except ShpError as error:
            self._tell(work, error)
        except Killed:
            work.lost(Fault(Code.WORKER_LOST, "lost", Evidence("worker")), deaths=0)

    def _text(self, work: LakeWork) -> None:
        delivery = work.arrival.delivery or ""
        self._call("hdfs", lambda: self.lake.text.update({work.partition: delivery}), work)

    def _curate(self, work: LakeWork) -> None:
        delivery, partition = work.arrival.delivery or "", work.partition
        noted = Publication(delivery, "c1", 1)
        self.ledger.publications.intend(*work.key, LAKE, noted, work.attempt.fence)
        if self.clock.now() < self.lake.sick.get(partition, START):
            raise Fault(Code.ARTEFACT_DAMAGED, "damaged", Evidence("lake", text="damaged"))
        self._call("yarn", lambda: None, work)
        self._call("hdfs", lambda: self.lake.publish(partition, delivery), work)
        self._touch_the_ledger()
        self.ledger.publications.confirm(*work.key, LAKE, noted, work.attempt.fence, rows=1, hash=delivery, at=self.clock.now())

    def _agree(self, work: LakeWork) -> None:
        known = self.ledger.publications.sinks(*work.key)
        here, there = known[SINK], known[LAKE]
        if not (here.agrees and there.agrees and here.held == there.held):
            work.waits_for_the_warehouse()
            return
        for system in (SINK, "hdfs"):
            self._call(system, lambda: None, work)
        assert self.sink[work.partition] == self.lake.clean[work.partition], f"seed {self.seed}: sinks that differ are called the same"
        self._touch_the_ledger()
        work.agreed()

    def _call(self, system: str, effect: Callable[[], None], work: Work) -> None:
        call(self.outside, system, FEED, lambda: self.reach(system, effect), work.place)

    # what reacts

    def look(self) -> bool:
        """What the sensors do at one look; whether anything ran."""
        before = len(self.ledger.runs)
        self._enter_spooled()
        self._arrive([file for file in self.files if file[0] <= self.clock.now()])
        for breaker in self.ledger.breakers.open():
            self._recover(breaker)
        for partition in [key[1] for key, record in self.ledger.records.items() if record.state is State.ARRIVED]:
            self.run(partition, "sensor")
        kept_back = [breaker.name for breaker in self.ledger.breakers.open()]
        for record in self.ledger.waiting.due(FEED, self.clock.now(), kept_back, AT_ONCE):
            self.run(record.partition, REDRIVE)
        if self.has_lake and not set(_IN_LAKE).intersection(breaker.name for breaker in self.ledger.breakers.open()):
            self._fill_the_lake()
        self._prove()
        return len(self.ledger.runs) > before

    def _fill_the_lake(self) -> None:
        kept_back = [breaker.name for breaker in self.ledger.breakers.open()]
        for behind in self.ledger.lake.due(FEED, self.clock.now(), kept_back, AT_ONCE):
            if not set(_IN_LAKE).intersection(breaker.name for breaker in self.ledger.breakers.open()):
                self.follow(behind.partition, self._way_of(behind))

    def _way_of(self, behind: Behind) -> str:
        """A run that follows one about the same delivery is a re-drive."""
        before = [one for one in self.ledger.attempts.of_partition(FEED, behind.partition) if one.way == ELT]
        return REDRIVE if before and before[-1].arrival == behind.sink.fence[0] else "sensor"

    def _arrive(self, files: list[tuple[datetime, str, str]]) -> None:
        for file in files:
            self.files.remove(file)
            self.ledger.arrivals.record(FEED, *file[1:])

    def _recover(self, breaker: Breaker) -> None:
        now = self.clock.now()
        if admission(breaker, now) is not Admission.PROBE:
            return
        self.ledger.breakers.change(breaker.name, lambda found: probing(found, now))
        try:
            self.reach(breaker.name.partition("/")[0], lambda: None)
        except Fault as fault:
            told = {"code": str(fault.code), "message": fault.message}
            self.ledger.breakers.change(breaker.name, lambda found: failed(found, now, self.draw.random(), at_once=True, **told))
            return
        waiting = self.ledger.waiting.parked_behind(breaker.name, [FEED])
        behind = self.ledger.lake.parked_behind(breaker.name, [FEED]) if waiting is None else None
        if waiting is None and behind is None:
            self.ledger.breakers.change(breaker.name, lambda found: succeeded(found, now))
            return
        self.ledger.breakers.change(breaker.name, lambda found: answered(found, now))
        if waiting is not None:
            self.run(waiting.partition, REDRIVE)
        elif behind is not None:
            self.follow(behind.partition, self._way_of(behind))

    def _prove(self) -> None:
        now, shut = self.clock.now(), {breaker.name for breaker in self.ledger.breakers.open()}
        for incident in self.ledger.incidents.open():
            for member in incident.held:
                record = self.ledger.records[(FEED, member.partition)]
                if record.state.is_published and all(held.get(member.partition) == record.delivery for held in self._sinks()):
                    self.ledger.incidents.leave(incident.id, member, HEALED, now)
                elif record.state in HELD_STATES and record.cause != incident.cause:
                    self.ledger.incidents.leave(incident.id, member, MOVED, now)
            if incident.cause not in shut:
                self.ledger.incidents.close(incident.id, "read again", now)

    def _sinks(self) -> list[dict[str, str]]:
        return [self.sink, self.lake.clean] if self.has_lake else [self.sink]

    # the schedule

    def play(self) -> Simulation:
        """Let time pass until nothing is left to do; a look costs five seconds, silence costs none."""
        end = START + TROUBLE + 3 * DAY
        while self.clock.now() < end:
            if self.look():
                self.clock.advance(timedelta(seconds=5))
                continue
            coming = self._next()
            if coming is None:
                return self
            self.clock.advance(max(coming - self.clock.now(), timedelta(seconds=5)))
        return self

    def _next(self) -> datetime | None:
        """When something is to happen next."""
        times = [at for at, _, _ in self.files]
        times += [one.next_attempt_at for one in self.ledger.records.values() if one.next_attempt_at and one.state in HELD_STATES]
        lakes = [(key, one) for key, one in self.ledger.lake.sinks_.records.items() if key[2] == LAKE and not one.complete]
        times += [one.next_attempt_at for _, one in lakes if one.next_attempt_at]
        times += [self.clock.now() for _ in self.spool]
        times += [self.clock.now() for one in self.ledger.records.values() if one.state is State.ARRIVED]
        for breaker in self.ledger.breakers.open():
            times.append(breaker.probe_at or breaker.probe_until or self.clock.now() + timedelta(seconds=PROBE_SECONDS))
        return min(times, default=None)

    # what must hold

    def check(self) -> None:
        """Nothing is lost or there twice, every state is where it belongs, budgets held, every incident is over or true."""
        for (_, partition), record in self.ledger.records.items():
            current = self.ledger.arrivals.current(FEED, partition)
            assert current is not None, self.seed
            delivery = current.delivery or ""
            poisoned = partition in self.poison and delivery.endswith("1")
            if delivery.startswith("good") and not poisoned:
                held = [sink.get(partition) for sink in self._sinks()]
                assert (record.state, set(held)) == (State.PUBLISHED, {delivery}), (self.seed, record, held)
            else:
                waits = {"bug": State.EXHAUSTED, "gone": State.WAITING}
                assert record.state is waits.get(delivery.partition("-")[0], State.QUARANTINED), (self.seed, record)
        assert set(self.published.values()) | set(self.lake.published.values()) <= {1}, f"seed {self.seed}: published twice"
        behind = [key for key, one in self.ledger.lake.sinks_.records.items() if key[2] == LAKE and not one.complete]
        assert behind == [], f"seed {self.seed}: the lake lacks {behind}"
        assert self.has_lake or not self.lake.text, f"seed {self.seed}: rows in a lake that the feed does not have"
        assert self.ledger.attempts.under_way() == [], f"seed {self.seed}: a run without a verdict"
        assert self.ledger.breakers.open() == [], f"seed {self.seed}: a breaker that nobody closes"
        self._check_budgets()
        held = {(one.partition, one.cause) for one in self.ledger.records.values() if one.state in HELD_STATES}
        told = {(member.partition, incident.cause) for incident in self.ledger.incidents.open() for member in incident.held}
        assert told == held, f"seed {self.seed}: {told} is told, {held} is true"

    def _check_budgets(self) -> None:
        by_cause: dict[tuple[str, int, str, str], list[datetime]] = {}
        for attempt in self.ledger.runs.values():
            if attempt.via == REDRIVE and attempt.cause and attempt.code != Code.BREAKER_OPEN:
                by_cause.setdefault((attempt.partition, attempt.arrival, attempt.cause, attempt.way), []).append(attempt.started_at)
        for (partition, arrival, cause, way), times in by_cause.items():
            # One more when the breaker of an exhausted cause closes: that arms it.
            worst = max(sum(start <= other < start + DAY for other in times) for start in times)
            closings = 1 + sum(kept.breaker.closed_at is not None for kept in self.ledger.switches.values())
            assert worst <= REDRIVES_A_DAY + closings, (self.seed, partition, arrival, cause, way, worst)
        deterministic = Counter(
            (attempt.partition, attempt.arrival)
            for attempt in self.ledger.runs.values()
            if attempt.way == ETL and attempt.code in (Code.TOO_MANY_REJECTS, Code.CODE_BUG, Code.WORKER_LOST)
        )
        assert max(deterministic.values(), default=0) <= 3, self.seed


class _Counts:
    """A delivery in numbers, as `Work` asks for them."""

    read = clean = 1
    rejected = duplicate = blank = after_end = 0
