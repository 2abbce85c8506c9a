"""One run's work on one partition: lease, attempt, state; the same for every step, wherever the run came from.

Lives here: what the ledger is told before, between and after the steps.
Must not live here: the steps themselves (`steps`), and Dagster's events (`guard`, the assets).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from shp_assets.alone import ends_before
from shp_assets.kit import FeedKit
from shp_assets.logged import log_step, log_verdict
from shp_assets.provenance import GAP, flags_after, stood_in
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.contract.summary import Summary, row_counts
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.healing.cause import breaker_names
from shp_core.healing.decide import DAY, READER_ENDS, FaultSeen, History, Verdict, decide, treatment_of
from shp_core.healing.faults import Evidence
from shp_core.states import HELD_STATES, State
from shp_resources.ledger import ETL, LAKE, REDRIVE, Arrival, Attempt, Holder, PartitionRecord, StaleState, process_alive
from shp_resources.ledger.lake import BEHIND
from shp_resources.outside import Outside
from shp_resources.warehouse import Outcome

BY_HAND = "ui"
"""Who asked for a run that carries no tag of ours and belongs to no backfill: a person."""

INGEST = "ingest"
"""Who asked for a run of `shp ingest`."""

_TRIES = 5

Move = tuple[State, dict[str, Any]]
"""The state to be in, and what is set beside it."""


class NotMadeYet(Fault):
    """A step was asked for before what it starts from was made; says nothing against the delivery."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(Code.ARTEFACT_DAMAGED, message, Evidence("store", text=message), next_step)


@dataclass(frozen=True)
class Work:
    """A run's work on a partition, on its way into the warehouse.

    Args:
        kit: the feed.
        partition: partition key.
        run_id: Dagster's run.
        via: who asked for the run (`sensor`, `ingest`, `ui`, …).
        publishes: whether the run is to reach the warehouse; one that is not leaves the partition's state alone.
        outside: the outside systems.
    """

    kit: FeedKit
    partition: str
    run_id: str
    via: str
    publishes: bool
    outside: Outside
    way: ClassVar[str] = ETL

    @cached_property
    def arrival(self) -> Arrival:
        """The arrival this run works on: the newest when its first step began, whatever came since.

        Raises:
            Fault: `source_missing`, nothing ever came for this partition.
        """
        ledger = self.outside.ledger
        mine = (self.run_id, self.way)
        begun = next((one for one in ledger.attempts.of_partition(*self.key) if (one.run_id, one.way) == mine), None)
        found = ledger.arrivals.get(begun.arrival) if begun else self._newest()
        if found is None:
            text = f"nothing has arrived for {self.kit.name}/{self.partition}"
            raise Fault(Code.SOURCE_MISSING, f"{text[0].upper()}{text[1:]}.", Evidence("landing", text=text))
        return found

    def _newest(self) -> Arrival | None:
        """The arrival that a run works on which begins now."""
        return self.outside.ledger.arrivals.current(*self.key)

    @cached_property
    def attempt(self) -> Attempt:
        """This run's entry in the ledger; its fence orders it among other runs."""
        holder = self.holder
        return self.outside.ledger.attempts.begin(
            *self.key, self.arrival.number, self.run_id, pid=holder.pid, pid_started=holder.started, via=self.via, way=self.way
        )

    @cached_property
    def holder(self) -> Holder:
        """This process, on behalf of the run."""
        return Holder.here(self.run_id)

    @property
    def key(self) -> tuple[str, str]:
        """(feed, partition)."""
        return self.kit.name, self.partition

    @property
    def lease(self) -> tuple[str, str]:
        """What this run's lease is on: each way has one of its own, so that a slow cluster keeps nobody from the warehouse."""
        return self.key

    @property
    def place(self) -> str:
        """Partition and attempt, which tell this run's calls from others."""
        return f"{self.partition}/{self.attempt.number}"

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Hold the partition's lease through a step, and note in the ledger that the run is in it."""
        ledger = self.outside.ledger
        with ledger.leases.held(*self.lease, self.holder, alive=process_alive):
            with ledger.transaction():
                ledger.attempts.note_step(*self.key, self.attempt.run_id, name, self.way)
                self._begin()
            begun = time.monotonic()
            yield
            log_step(self, name, time.monotonic() - begun)

    def _begin(self) -> None:
        """Show that a run is under way."""
        if self.publishes:
            self._move(self._begin_of_run)

    def name_delivery(self, delivery: str, size: int) -> None:
        """Note which bytes the arrival brought."""
        self.outside.ledger.arrivals.name_delivery(self.arrival.number, delivery, size)

    def delivery(self) -> str:
        """SHA-256 of the bytes the arrival brought.

        Raises:
            NotMadeYet: they were not kept yet (the run left out the first step).
        """
        found = self._named_delivery()
        if found is None:
            raise NotMadeYet(f"The bytes of {self.kit.name}/{self.partition} are not kept yet.", f"Materialize raw/{self.kit.name} first.")
        return found

    def _named_delivery(self) -> str | None:
        arrival = self.outside.ledger.arrivals.get(self.arrival.number)
        return arrival.delivery if arrival else None

    @property
    def fills_a_gap(self) -> bool:
        """Whether a sink was seen not to hold what it is recorded to hold."""
        record = self.outside.ledger.partitions.get(*self.key)
        return record is not None and GAP in record.flags

    def published(self, delivery: str, summary: Summary, outcome: Outcome) -> None:
        """Note that the sinks hold the delivery; a newer arrival takes the partition over."""
        state = State.PUBLISHED_WITH_REJECTS if summary.rejected else State.PUBLISHED
        rows = {**row_counts(summary), "displaced": outcome.displaced, "loaded": outcome.loaded}
        ledger = self.outside.ledger
        with ledger.transaction():
            ledger.partitions.lock(*self.key)
            ledger.attempts.end(*self.key, self.run_id, str(state))
            held = self.until_the_lake_follows(outcome.changed)
            if self.publishes:
                self._move(self._begin_of_run)  # whatever a run that gave way made of the state meanwhile
                to, beside = (State.PARKED, held) if held else (state, {"cause": None})
                self._move(lambda record: self._end_of_run(record, to, {"rows": rows, **self._fresh(record, delivery), **beside}))

    @property
    def stands_for(self) -> str | None:
        """The fallback whose rows the source's own take the place of now, None where there is none."""
        return stood_in(self.outside.ledger.partitions.get(*self.key), self.arrival)

    def _fresh(self, record: PartitionRecord, delivery: str) -> dict[str, Any]:
        """What is set beside the state of a partition that is published."""
        return {"flags": flags_after(record, self.arrival, delivery, self.outside.clock.now()), **self._judged(delivery)}

    def until_the_lake_follows(self, changed: bool) -> dict[str, Any]:
        """What is set beside the state of a partition that only the warehouse holds yet; nothing when the lake does, or there is none.

        Args:
            changed: whether the warehouse was changed, so that both sinks are to be read again.
        """
        if self.kit.lake is None:
            return {}
        lake = self.outside.ledger.lake
        known = lake.get(*self.key)
        if changed or known is None or not known.complete:
            lake.doubt(*self.key, self.outside.clock.now())
        known = lake.get(*self.key)
        if known is None or known.complete:
            return {}
        why = {"code": known.code, "cause": known.cause} if known.cause else {}
        return {"behind": LAKE, "message": BEHIND, "next_attempt_at": known.next_attempt_at, **why}

    def ended(self) -> None:
        """Note that the run did what it was asked for, which was not to publish."""
        self.outside.ledger.attempts.end(*self.key, self.run_id, "ended", way=self.way)

    def failed(self, error: ShpError, evidence: Evidence | None, summary: Summary | None = None) -> None:
        """Note why the run did not publish the partition, and what was decided about it; the first verdict stands."""
        with self.outside.ledger.transaction():
            verdict = self._decide(error.code, evidence, ends_before(self) if error.code in READER_ENDS else 0)
            if not self._end(error, evidence, verdict) or not self.publishes:
                return
            if isinstance(error, NotMadeYet) or error.code in (Code.SUPERSEDED, Code.PARTITION_BUSY):
                self._step_back()
            else:
                self._hold(error, verdict, lambda record: self._blame(record, error, summary))

    def lost(self, fault: Fault, *, deaths: int) -> None:
        """Note that this run's worker died; the partition is given back, or held when that happened before.

        Args:
            fault: `worker_lost`, and where.
            deaths: how many workers died before in the same step on the same bytes.
        """
        with self.outside.ledger.transaction():
            verdict = self._decide(fault.code, fault.evidence, deaths)
            if self._end(fault, fault.evidence, verdict) and self.publishes and not self._has_others():
                held = verdict.state in HELD_STATES
                self._hold(fault, verdict, lambda record: self._blame(record, fault, None) if held else {})

    def _decide(self, code: Code, evidence: Evidence | None, deaths: int = 0) -> Verdict:
        outside = self.outside
        seen = FaultSeen(code, self.kit.name, evidence)
        redrives = self._redrives(seen.cause) if treatment_of(code).budgeted else 0
        return decide(seen, History(redrives, deaths), self._open_breaker(evidence), outside.clock, outside.chance())

    def _redrives(self, cause: str) -> int:
        """How many re-drives ended in this cause lately, this run among them if it is one."""
        since = self.outside.clock.now() - DAY
        before = self.outside.ledger.attempts.redrives(*self.key, self.arrival.number, cause, since, self.way)
        return before + (self.via == REDRIVE)

    def _open_breaker(self, evidence: Evidence | None) -> str | None:
        """The breaker before the system that failed, if it is open."""
        names = breaker_names(evidence.system, self.kit.name) if evidence else ()
        found = self.outside.ledger.breakers.read(names) if names else []
        return next((kept.breaker.name for kept in found if kept.breaker.is_open), None)

    def _end(self, error: ShpError, evidence: Evidence | None, verdict: Verdict) -> bool:
        """Write the verdict to this run's attempt; False when there is one already."""
        stands = self.outside.ledger.attempts.end(
            *self.key,
            self.run_id,
            str(verdict.state),
            code=error.code,
            kind=error.kind,
            evidence=evidence,
            message=error.message,
            cause=verdict.cause,
            verdict=str(verdict.action),
            due_at=verdict.due,
            way=self.way,
        )
        if stands:
            log_verdict(self, error, str(verdict.action))
        return stands

    def _hold(self, error: ShpError, verdict: Verdict, beside: Callable[[PartitionRecord], dict[str, Any]]) -> None:
        """Move the partition to where it waits, and tell people if the verdict says so."""
        held = {"cause": verdict.cause, "next_attempt_at": verdict.due} if verdict.state in HELD_STATES else {}
        moved = self._move(lambda record: self._end_of_run(record, verdict.state, {**beside(record), **held}))
        if verdict.severity is not None and moved is not None and moved.state is verdict.state:
            told = {"severity": str(verdict.severity), "code": str(error.code), "message": error.message}
            self.outside.ledger.incidents.join(verdict.cause, *self.key, at=self.outside.clock.now(), **told)

    def _judged(self, delivery: str | None) -> dict[str, Any]:
        """What the state is about."""
        versions = {"contract_version": self.kit.contract.version, "converter_version": CONVERTER_VERSION}
        return {"delivery": delivery, **versions, "limits_version": self.outside.limits.version}

    def _blame(self, record: PartitionRecord, error: ShpError, summary: Summary | None) -> dict[str, Any]:
        """What is set beside the state of a partition that is held; counts of another delivery do not stay."""
        delivery = self._named_delivery()
        told = {"code": str(error.code), "message": error.message, **self._judged(delivery)}
        if summary is not None:
            return {**told, "rows": row_counts(summary)}
        return told if record.delivery == delivery and not isinstance(error, Refusal) else {**told, "rows": {}}

    def _begin_of_run(self, record: PartitionRecord) -> Move | None:
        """A run is under way, unless a newer arrival came: what waits for that one's run is not ours to say."""
        return None if record.state is State.RUNNING or self._is_newer(record) else (State.RUNNING, {})

    def _end_of_run(self, record: PartitionRecord, state: State, fields: dict[str, Any]) -> Move | None:
        """The end of a run; a newer arrival takes the partition over, and a state that somebody else decided stands."""
        if record.state is not State.RUNNING:
            return None
        return (State.ARRIVED, {}) if self._is_newer(record) else (state, fields)

    def _step_back(self) -> None:
        """Leave the partition to the worker that has it; if none has, as it was before this run."""
        if not self._has_others():
            self._move(lambda record: self._end_of_run(record, *self._as_it_was()))

    def _has_others(self) -> bool:
        """Whether another run works on the partition."""
        under_way = self.outside.ledger.attempts.under_way(self.kit.name)
        here = [attempt for attempt in under_way if (attempt.partition, attempt.way) == (self.partition, self.way)]
        return any(attempt.run_id != self.run_id for attempt in here)

    def _as_it_was(self) -> Move:
        """The newest state that was not that of a run."""
        moves = [event for event in self.outside.ledger.history(*self.key) if event["what"] == "transition"]
        before = next(event for event in reversed(moves) if event["new"] != State.RUNNING)
        state = State(before["new"])
        due = {"next_attempt_at": self.outside.clock.now()} if state in (State.WAITING, State.PARKED) else {}
        return state, {"code": before.get("code"), "message": before.get("message"), **due}

    def _is_newer(self, record: PartitionRecord) -> bool:
        return (record.arrival or 0) > self.arrival.number

    def _move(self, wanted: Callable[[PartitionRecord], Move | None]) -> PartitionRecord | None:
        """Move the partition as is wanted of it; if it changed meanwhile, look and decide again.

        Returns:
            The partition after the move, None when it stays as it is.
        """
        partitions = self.outside.ledger.partitions
        for left in reversed(range(_TRIES)):
            record = partitions.get(*self.key)
            move = wanted(record) if record is not None else None
            if record is None or move is None:
                return None
            try:
                return partitions.move(*self.key, move[0], expect_version=record.version, **move[1])
            except StaleState:
                if not left:
                    raise
        return None
