"""A run's work on a partition, on its way into the lake: an attempt, a lease and a verdict of its own.

The partition is what the warehouse's run made of it, but for one thing: while only the lake does not hold it, it is parked.
Must not live here: the steps themselves (`lake_steps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from shp_assets.work import Move, Work
from shp_core.codes import Code
from shp_core.contract.summary import Summary
from shp_core.errors import Refusal, ShpError
from shp_core.healing.decide import Verdict
from shp_core.healing.faults import Evidence
from shp_core.states import HELD_STATES, State
from shp_resources.ledger import ELT, LAKE, Arrival, PartitionRecord
from shp_resources.ledger.lake import BEHIND, published_state

_GAVE_WAY = timedelta(seconds=20)
"""How long a run that gave way to another leaves the lake to that one."""

_REBUILT = (Code.SINKS_DIFFER, Code.SINK_DISAGREES)


@dataclass(frozen=True)
class LakeWork(Work):
    """A run's work on a partition, on its way into the lake.

    Args:
        publishes: whether the run is to reach the clean rows; one that is not leaves the partition's state alone.
    """

    way: ClassVar[str] = ELT

    @property
    def lease(self) -> tuple[str, str]:
        """The lake's own; no partition key holds a slash."""
        return self.kit.name, f"{self.partition}/{LAKE}"

    @property
    def rebuilds(self) -> bool:
        """Whether what stands in the lake is not to be trusted: the rows were found to differ."""
        known = self.outside.ledger.lake.get(*self.key)
        return known is not None and known.code in _REBUILT

    def _newest(self) -> Arrival | None:
        """The arrival whose rows the lake is to hold; of a run for text rows only, the newest."""
        ledger = self.outside.ledger
        sinks = ledger.publications.sinks(*self.key) if self.publishes else {}
        known = sinks.get(LAKE) or sinks.get("warehouse")
        return ledger.arrivals.get(known.fence[0]) if known else super()._newest()

    def _begin(self) -> None:
        """A run to the lake does not show in the state: an arrival meanwhile must not wait for it."""

    def agreed(self) -> None:
        """Note that both sinks hold the delivery and say the same."""
        ledger = self.outside.ledger
        with ledger.transaction():
            ledger.partitions.lock(*self.key)
            ledger.attempts.end(*self.key, self.run_id, str(State.PUBLISHED), way=self.way)
            known = ledger.lake.get(*self.key)
            if known is not None and known.agrees:  # nothing newer is to lie there since
                ledger.lake.agreed(*self.key, self.outside.clock.now())
                self._move(self._followed)

    def waits_for_the_warehouse(self) -> None:
        """Note that the lake holds the delivery and the warehouse does not: its run will ask for ours again."""
        ledger = self.outside.ledger
        with ledger.transaction():
            ledger.partitions.lock(*self.key)
            if ledger.attempts.end(*self.key, self.run_id, "ended", way=self.way):
                ledger.lake.hold(*self.key, None, None, None, None)

    def failed(self, error: ShpError, evidence: Evidence | None, summary: Summary | None = None) -> None:
        """Note why the run did not complete the lake, and what was decided about it; the first verdict stands."""
        with self.outside.ledger.transaction():
            self.outside.ledger.partitions.lock(*self.key)
            verdict = self._decide(error.code, evidence)
            if not self._end(error, evidence, verdict) or isinstance(error, Refusal) or not self._is_wanted():
                return
            if error.code in (Code.SUPERSEDED, Code.PARTITION_BUSY):
                self.outside.ledger.lake.pause(*self.key, self.outside.clock.now() + _GAVE_WAY)
            else:
                self._hold(error, verdict)

    def _is_wanted(self) -> bool:
        """Whether the run was to publish, and what it was to publish is still what the lake is to hold."""
        known = self.outside.ledger.lake.get(*self.key)
        return self.publishes and known is not None and known.fence[0] <= self.arrival.number

    def _hold(self, error: ShpError, verdict: Verdict, beside: Any = None) -> None:
        """Let the lake wait; the partition with it, if the lake alone is behind."""
        now = self.outside.clock.now()
        at_once = verdict.state not in HELD_STATES
        cause, due = (None, now) if at_once else (verdict.cause, verdict.due)
        self.outside.ledger.lake.hold(*self.key, cause, str(error.code), error.message, due)
        told = {"code": str(error.code), "message": error.message, "next_attempt_at": due} if cause else {"message": BEHIND}
        self._move(lambda record: self._held_up(record, {"behind": LAKE, **told, **({"cause": cause} if cause else {})}))
        if verdict.severity is not None:
            words = {"severity": str(verdict.severity), "code": str(error.code), "message": error.message}
            self.outside.ledger.incidents.join(verdict.cause, *self.key, at=now, **words)

    def _held_up(self, record: PartitionRecord, beside: dict[str, Any]) -> Move | None:
        mine = record.behind == LAKE or record.state.is_published
        return (State.PARKED, beside) if mine else None

    def _followed(self, record: PartitionRecord) -> Move | None:
        """Published, if the lake alone was behind."""
        return (published_state(record), {"cause": None}) if record.behind == LAKE else None
