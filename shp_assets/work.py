"""One run's work on one partition: lease, attempt, state; the same for every step, wherever the run came from.

Lives here: what the ledger is told before, between and after the steps.
Must not live here: the steps themselves (`steps`), and Dagster's events (`guard`, the assets).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.contract.summary import Summary
from shp_core.errors import Fault, ShpError
from shp_core.healing.faults import Evidence
from shp_core.healing.hold import held_state
from shp_core.states import State
from shp_resources.ledger import Arrival, Attempt, Holder, PartitionRecord, StaleState, process_alive
from shp_resources.outside import Outside
from shp_resources.warehouse import Outcome

_TRIES = 5


@dataclass(frozen=True)
class Work:
    """A run's work on a partition.

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

    @cached_property
    def arrival(self) -> Arrival:
        """The newest arrival when the run began; it decides which delivery is current.

        Raises:
            Fault: `source_missing`, nothing ever came for this partition.
        """
        found = self.outside.ledger.arrivals.current(self.kit.name, self.partition)
        if found is None:
            text = f"nothing has arrived for {self.kit.name}/{self.partition}"
            raise Fault(Code.SOURCE_MISSING, f"{text[0].upper()}{text[1:]}.", Evidence("landing", text=text))
        return found

    @cached_property
    def attempt(self) -> Attempt:
        """This run's entry in the ledger; its fence orders it among other runs."""
        holder = self.holder
        return self.outside.ledger.attempts.begin(
            *self.key, self.arrival.number, self.run_id, pid=holder.pid, pid_started=holder.started, via=self.via
        )

    @cached_property
    def holder(self) -> Holder:
        """This process, on behalf of the run."""
        return Holder.here(self.run_id)

    @property
    def key(self) -> tuple[str, str]:
        """(feed, partition)."""
        return self.kit.name, self.partition

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Hold the partition's lease through a step, and note in the ledger that the run is in it."""
        ledger = self.outside.ledger
        with ledger.leases.held(*self.key, self.holder, alive=process_alive):
            with ledger.transaction():
                ledger.attempts.note_step(*self.key, self.attempt.run_id, name)
                if self.publishes:
                    self._move(State.RUNNING)
            yield

    def name_delivery(self, delivery: str, size: int) -> None:
        """Note which bytes the arrival brought."""
        self.outside.ledger.arrivals.name_delivery(self.arrival.number, delivery, size)

    def delivery(self) -> str:
        """SHA-256 of the bytes the arrival brought.

        Raises:
            Fault: `artefact_damaged`, they were not kept yet (the run left out the first step).
        """
        arrival = self.outside.ledger.arrivals.get(self.arrival.number)
        if arrival is None or arrival.delivery is None:
            text = f"the bytes of {self.kit.name}/{self.partition} are not kept yet"
            raise Fault(Code.ARTEFACT_DAMAGED, f"{text}; materialize raw/{self.kit.name} first.", Evidence("store", text=text))
        return arrival.delivery

    def published(self, delivery: str, summary: Summary, outcome: Outcome) -> None:
        """Note that the sinks hold the delivery; a newer arrival takes the partition over."""
        state = State.PUBLISHED_WITH_REJECTS if summary.rejected else State.PUBLISHED
        rows = {**row_counts(summary), "displaced": outcome.displaced, "loaded": outcome.loaded}
        ledger = self.outside.ledger
        with ledger.transaction():
            ledger.attempts.end(*self.key, self.run_id, str(state))
            if self.publishes:
                self._move(
                    state,
                    delivery=delivery,
                    rows=rows,
                    contract_version=self.kit.contract.version,
                    converter_version=CONVERTER_VERSION,
                )

    def failed(self, error: ShpError, evidence: Evidence | None, summary: Summary | None = None) -> None:
        """Note why the run did not publish the partition, and where the partition waits now."""
        state = held_state(error.kind)
        ledger = self.outside.ledger
        with ledger.transaction():
            ledger.attempts.end(
                *self.key, self.run_id, str(state), code=error.code, kind=error.kind, evidence=evidence, message=error.message
            )
            if error.code in (Code.SUPERSEDED, Code.PARTITION_BUSY):
                return  # another worker answers for the partition
            fields: dict[str, Any] = {"code": str(error.code), "message": error.message}
            if summary is not None:
                fields["rows"] = row_counts(summary)
            self._move(state, **fields)

    def lost(self, fault: Fault, *, again: bool) -> None:
        """Note that this run's worker died; the partition is given back, or held when that happened before."""
        ledger = self.outside.ledger
        with ledger.transaction():
            state = State.ARRIVED if again else State.QUARANTINED
            ended = ledger.attempts.end(
                *self.key, self.run_id, str(state), code=fault.code, kind=fault.kind, evidence=fault.evidence, message=fault.message
            )
            if ended:
                self._move(state, **({} if again else {"code": str(fault.code), "message": fault.message}))

    def _move(self, to: State, **fields: Any) -> None:
        """Move the partition; if it changed meanwhile, look again: a newer arrival takes it over."""
        for last in (False,) * (_TRIES - 1) + (True,):
            record = self.outside.ledger.partitions.get(*self.key)
            try:
                self._move_from(record, to, fields)
                return
            except StaleState:
                if last:
                    raise

    def _move_from(self, record: PartitionRecord | None, to: State, fields: dict[str, Any]) -> None:
        version = record.version if record else 0
        move = self.outside.ledger.partitions.move
        if record is not None and record.state is to is State.RUNNING:
            return  # a later step of the same run
        if record is not None and to is not State.RUNNING and (record.arrival or 0) > self.arrival.number:
            move(*self.key, State.ARRIVED, expect_version=version)
            return
        if record is not None and record.state is not State.RUNNING and to is not State.RUNNING:
            version = move(*self.key, State.RUNNING, expect_version=version).version
        move(*self.key, to, expect_version=version, **fields)


def row_counts(summary: Summary) -> dict[str, int]:
    """The counts that programs rely on, but for what only the sink knows."""
    return {
        "read": summary.read,
        "clean": summary.clean,
        "rejected": summary.rejected,
        "duplicate": summary.duplicate,
        "blank": summary.blank,
        "after_end": summary.after_end,
    }
