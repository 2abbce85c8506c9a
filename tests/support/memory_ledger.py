"""A ledger in memory, for simulations: the calls that a run's work, breakers and incidents make of the real one.

`tests/test_memory_ledger.py` holds it to the real ledger's behaviour. Must not live here: decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from shp_core.clock import Clock
from shp_core.codes import Code
from shp_core.healing.breaker import Breaker
from shp_core.healing.faults import Evidence
from shp_core.states import HELD_STATES, State, check_transition
from shp_resources.ledger import ETL, REDRIVE, Arrival, Attempt, Incident, Kept, Member, PartitionRecord, StaleState
from tests.support.memory_sinks import MemoryLake, MemoryPublications, MemorySinks

Key = tuple[str, str]


@dataclass
class MemoryLedger:
    """What the ledger's parts know, in dictionaries.

    Args:
        clock: stands for the database's clock.
    """

    clock: Clock
    records: dict[Key, PartitionRecord] = field(default_factory=dict)
    moves: list[tuple[Key, State | None, State]] = field(default_factory=list)
    runs: dict[tuple[str, str, str, str], Attempt] = field(default_factory=dict)
    came: list[Arrival] = field(default_factory=list)
    switches: dict[str, Kept] = field(default_factory=dict)
    told: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.partitions, self.attempts = _Partitions(self), _Attempts(self)
        self.arrivals, self.leases = _Arrivals(self), _Leases()
        self.breakers, self.incidents, self.waiting = _Breakers(self), _Incidents(self), _Waiting(self)
        sinks = MemorySinks()
        self.publications, self.lake = MemoryPublications(sinks), MemoryLake(sinks)

    def transaction(self) -> AbstractContextManager[None]:
        """Everything happens at once here."""
        return nullcontext()

    def history(self, feed: str, partition: str) -> list[dict[str, Any]]:
        """The moves of a partition."""
        return [{"what": "transition", "new": str(new)} for key, _, new in self.moves if key == (feed, partition)]


@dataclass
class _Part:
    ledger: MemoryLedger


class _Leases:
    @contextmanager
    def held(self, *_: object, **__: object) -> Iterator[None]:
        """One worker at a time: simulations run one after the other."""
        yield


class _Arrivals(_Part):
    def record(self, feed: str, partition: str, delivery: str) -> Arrival:
        """A source came; its delivery is named at once."""
        arrival = Arrival(len(self.ledger.came) + 1, feed, partition, None, "sensor", delivery, self.ledger.clock.now())
        self.ledger.came.append(arrival)
        record = self.ledger.records.get((feed, partition))
        to = State.RUNNING if record and record.state is State.RUNNING else State.ARRIVED
        self.ledger.partitions.change(feed, partition, to, {"arrival": arrival.number})
        return arrival

    def current(self, feed: str, partition: str) -> Arrival | None:
        """The newest arrival."""
        found = [arrival for arrival in self.ledger.came if (arrival.feed, arrival.partition) == (feed, partition)]
        return found[-1] if found else None

    def get(self, number: int) -> Arrival | None:
        """By number."""
        return self.ledger.came[number - 1] if 0 < number <= len(self.ledger.came) else None


class _Partitions(_Part):
    def lock(self, feed: str, partition: str) -> None:
        """Nobody else is there."""

    def get(self, feed: str, partition: str) -> PartitionRecord | None:
        """One partition."""
        return self.ledger.records.get((feed, partition))

    def move(self, feed: str, partition: str, to: State, *, expect_version: int, **values: Any) -> PartitionRecord:
        """Compare and set."""
        record = self.ledger.records.get((feed, partition))
        if (record.version if record else 0) != expect_version:
            raise StaleState(feed, partition, expect_version)
        return self.change(feed, partition, to, values)

    def change(self, feed: str, partition: str, to: State, values: dict[str, Any]) -> PartitionRecord:
        """Write a legal move."""
        key = (feed, partition)
        old = self.ledger.records.get(key) or _unknown(feed, partition, self.ledger.clock.now())
        check_transition(old.state if old.version else None, to)
        gone = {"code": None, "message": None, "next_attempt_at": None, "behind": None} if old.state is not to else {}
        now = self.ledger.clock.now()
        self.ledger.records[key] = replace(old, **{**gone, **values, "state": to, "version": old.version + 1, "updated_at": now})
        self.ledger.moves.append((key, old.state if old.version else None, to))
        return self.ledger.records[key]


def _unknown(feed: str, partition: str, now: datetime) -> PartitionRecord:
    nothing: dict[str, Any] = dict.fromkeys(found.name for found in fields(PartitionRecord))
    known = {"feed": feed, "partition": partition, "state": State.EXPECTED, "version": 0, "rows": {}, "flags": {}, "updated_at": now}
    return PartitionRecord(**{**nothing, **known})


class _Attempts(_Part):
    def begin(
        self, feed: str, partition: str, arrival: int, run_id: str, *, pid: int, pid_started: float, via: str, way: str = ETL
    ) -> Attempt:
        """The same attempt for the same run."""
        key = (feed, partition, run_id, way)
        if key not in self.ledger.runs:
            number = len(self.of_partition(feed, partition)) + 1
            began = (number, arrival, run_id, "here", pid, pid_started, via, None, self.ledger.clock.now())
            self.ledger.runs[key] = Attempt(feed, partition, *began, None, None, None, None, {}, None, way=way)
        return self.ledger.runs[key]

    def note_step(self, feed: str, partition: str, run_id: str, step: str, way: str = ETL) -> None:
        """Where it is."""
        key = (feed, partition, run_id, way)
        self.ledger.runs[key] = replace(self.ledger.runs[key], step=step)

    def end(
        self, feed: str, partition: str, run_id: str, outcome: str, *, evidence: Evidence | None = None, way: str = ETL, **told: Any
    ) -> bool:
        """The first verdict stands."""
        attempt = self.ledger.runs.get((feed, partition, run_id, way))
        if attempt is None or attempt.ended_at is not None:
            return False
        seen = evidence.as_dict() if evidence else {}
        ended = replace(attempt, outcome=outcome, evidence=seen, ended_at=self.ledger.clock.now(), **told)
        self.ledger.runs[(feed, partition, run_id, way)] = ended
        return True

    def under_way(self, feed: str | None = None) -> list[Attempt]:
        """Those without an end."""
        return [found for found in self.ledger.runs.values() if found.ended_at is None and feed in (None, found.feed)]

    def of_partition(self, feed: str, partition: str) -> list[Attempt]:
        """All of a partition."""
        return [found for found in self.ledger.runs.values() if (found.feed, found.partition) == (feed, partition)]

    def redrives(self, feed: str, partition: str, arrival: int, cause: str, since: datetime, way: str = ETL) -> int:
        """Re-drives that ended in a cause, since a person last released the partition."""
        record = self.ledger.records.get((feed, partition))
        start = max(since, record.armed_at) if record and record.armed_at else since
        return sum(
            (found.arrival, found.cause, found.via, found.way) == (arrival, cause, REDRIVE, way)
            for found in self.of_partition(feed, partition)
            if found.started_at >= start and found.code not in (None, Code.BREAKER_OPEN)
        )


class _Breakers(_Part):
    def read(self, names: Collection[str]) -> list[Kept]:
        """Those that ever failed."""
        return [self.ledger.switches[name] for name in sorted(names) if name in self.ledger.switches]

    def all(self) -> list[Breaker]:
        """Every one, by name."""
        return [kept.breaker for _, kept in sorted(self.ledger.switches.items())]

    def open(self) -> list[Breaker]:
        """Those that keep calls back."""
        return [breaker for breaker in self.all() if breaker.is_open]

    def replace(self, seen: Kept, by: Breaker) -> bool:
        """Compare and set."""
        present = self.ledger.switches.get(by.name)
        if present is not None and present.version != seen.version:
            return False
        self.ledger.switches[by.name] = Kept(by, seen.version + 1)
        return True

    def change(self, name: str, transition: Callable[[Breaker], Breaker]) -> Breaker:
        """Nobody else changes it."""
        seen = self.ledger.switches.get(name, Kept(Breaker(name), 0))
        new = transition(seen.breaker)
        if new != seen.breaker:
            self.replace(seen, new)
        return new


class _Incidents(_Part):
    def join(self, cause: str, feed: str, partition: str, *, severity: str, code: str, message: str, at: datetime) -> int:
        """One open incident for each cause."""
        found = next((incident for incident in self.open() if incident.cause == cause), None)
        if found is None:
            found = Incident(len(self.ledger.told) + 1, cause, severity, code, message, at, None, None)
            self.ledger.told.append(found)
        others = [member for member in found.members if (member.feed, member.partition) != (feed, partition)]
        self._put(replace(found, members=(*others, Member(feed, partition))))
        return found.id

    def leave(self, incident: int, member: Member, outcome: str, at: datetime) -> None:
        """A member is held no more."""
        found = self.ledger.told[incident - 1]
        gone = replace(member, left_at=at, outcome=outcome)
        self._put(replace(found, members=tuple(gone if one == member else one for one in found.members)))

    def close(self, incident: int, proof: str, at: datetime) -> bool:
        """When it holds nobody."""
        found = self.ledger.told[incident - 1]
        if found.held or found.closed_at is not None:
            return False
        self._put(replace(found, closed_at=at, proof=proof))
        return True

    def open(self) -> list[Incident]:
        """Oldest first."""
        return [incident for incident in self.ledger.told if incident.closed_at is None]

    def _put(self, incident: Incident) -> None:
        self.ledger.told[incident.id - 1] = incident


class _Waiting(_Part):
    def due(self, feed: str, now: datetime, kept_back: Collection[str], limit: int) -> list[PartitionRecord]:
        """Whose time has come, or whose breaker is closed again."""
        mine = [one for one in self.ledger.records.values() if one.feed == feed and one.state in HELD_STATES and one.behind is None]
        due = [record for record in mine if self._is_due(record, now) and not _behind(record.cause, kept_back)]
        return sorted(due, key=_oldest)[:limit]

    def _is_due(self, record: PartitionRecord, now: datetime) -> bool:
        if record.next_attempt_at is not None and record.next_attempt_at <= now:
            return True
        if record.state is State.PARKED:
            return record.next_attempt_at is None
        kept = self.ledger.switches.get(_place(record.cause))
        closed_at = kept.breaker.closed_at if kept else None
        return record.state is State.EXHAUSTED and closed_at is not None and closed_at > record.updated_at

    def parked_behind(self, breaker: str, feeds: Collection[str]) -> PartitionRecord | None:
        """The oldest that waits for a breaker."""
        mine = [one for one in self.ledger.records.values() if one.feed in feeds and one.behind is None]
        waits = [one for one in mine if one.state is State.PARKED and one.cause == breaker]
        return min(waits, key=_oldest, default=None)


def _oldest(record: PartitionRecord) -> tuple[bool, int]:
    """As SQL sorts: what never arrived comes last."""
    return record.arrival is None, record.arrival or 0


def _place(cause: str | None) -> str:
    return (cause or "").removeprefix("transient/")


def _behind(cause: str | None, names: Collection[str]) -> bool:
    return _place(cause) in names or _place(cause).partition("/")[0] in names
