"""`redrives`: which held partitions are to run again?

Due is what the ledger says: a time that has come, a breaker that closed, a contract, converter or limits that changed since.
What is published stays published when they change, and is flagged `stale`.
Runs of new arrivals go first; each feed has its oldest arrivals first and only so many at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

import dagster as dg

from shp_assets.guard import VIA_TAG
from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.healing.decide import Arming, codes_armed_by
from shp_core.states import State
from shp_resources.ledger import REDRIVE, Attempt, PartitionRecord, StaleState
from shp_resources.outside import Outside
from shp_resources.run_coordinator import AFTER_LIVE
from shp_sensors.requests import Ended, in_turn, new_keys, paced, waiting_and_live

REDRIVES_AT_ONCE = 10
"""How many re-drives of a feed are queued or under way at most: what was dammed up does not come down at once."""

REDRIVE_TAG = "shp/redrive"
_LOOKED_AT = 50
_BY_CONTRACT, _BY_CONVERTER, _BY_LIMITS = (codes_armed_by(change) for change in (Arming.CONTRACT, Arming.CONVERTER, Arming.LIMITS))
_STALE_SECONDS = 60.0


def redrives_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over held partitions of all feeds."""
    flagged = Flagged(kits)

    @dg.sensor(
        name="redrives",
        description="A held partition whose time has come, or whose obstacle is gone, runs again from the step that failed.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.keys]),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def redrives(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        flagged.look(outside)
        kept_back = [breaker.name for breaker in outside.ledger.breakers.open()]
        feeds = [_ask(context, kit, outside, kept_back) for kit in kits.values()]
        requests = in_turn(feeds, REDRIVES_AT_ONCE * len(kits))
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[found for kit in kits.values() for found in new_keys(context.instance, kit, requests)],
            skip_reason=None if requests else dg.SkipReason("Nothing is due."),
        )

    return redrives


class Flagged:
    """Flags what is published and stale; the contracts in force change with the process that has them, so seldom is enough.

    Args:
        kits: the feeds.
    """

    def __init__(self, kits: Mapping[str, FeedKit]) -> None:
        self._kits = kits
        self._due = 0.0

    def look(self, outside: Outside) -> None:
        """Flag them, once a minute."""
        now = outside.clock.now().timestamp()
        if now >= self._due:
            self._due = now + _STALE_SECONDS
            for kit in self._kits.values():
                outside.ledger.waiting.mark_stale(kit.name, kit.contract.version, CONVERTER_VERSION)


@dataclass(frozen=True)
class Redrive:
    """A held partition that is to run again.

    Args:
        kit: its feed.
        record: where it stands.
        last: its last attempt, None when there was none.
    """

    kit: FeedKit
    record: PartitionRecord
    last: Attempt | None

    @property
    def attempt(self) -> int:
        """The number that the next attempt will have."""
        return self.last.number + 1 if self.last else 1

    @property
    def name(self) -> str:
        """Names the decision: one run for each."""
        return f"{self.record.arrival}.{self.attempt}"

    @property
    def selection(self) -> list[dg.AssetKey]:
        """The assets from the step that failed on; all of them where an artefact is not whole."""
        if self.last is None or self.last.code == Code.ARTEFACT_DAMAGED or self.last.step not in ("validated", "warehouse"):
            return self.kit.keys
        judged = (self.record.contract_version, self.record.converter_version)
        if self.last.step == "warehouse" and judged == (self.kit.contract.version, CONVERTER_VERSION):
            return [self.kit.key("warehouse")]
        return [key for key in self.kit.keys if key != self.kit.key("raw")]

    def request(self, before: Ended, **tags: str) -> dg.RunRequest:
        """The run; a second request for the same decision is a request for the same run.

        Args:
            before: runs for it that ended without an attempt.
            **tags: further tags, `shp/` left out.
        """
        known = {"shp/feed": self.kit.name, "shp/attempt": str(self.attempt), "shp/cause": self.record.cause or "-"}
        verdict = self.last.verdict if self.last and self.last.verdict else "-"
        return dg.RunRequest(
            run_key=f"redrive|{self.kit.name}|{self.record.partition}|{self.name}|{before.count}",
            partition_key=self.record.partition,
            asset_selection=self.selection,
            tags={
                **known,
                VIA_TAG: REDRIVE,
                REDRIVE_TAG: self.name,
                "shp/verdict": verdict,
                **AFTER_LIVE,
                **{f"shp/{name}": value for name, value in tags.items()},
            },
        )


def redrives_of(kit: FeedKit, outside: Outside, records: list[PartitionRecord]) -> list[Redrive]:
    """Held partitions with their last attempts; without those that no source ever came for, or that Dagster has no partition for."""
    known = [record for record in records if record.arrival is not None and kit.has_partition(record.partition)]
    last = outside.ledger.attempts.newest(kit.name, [record.partition for record in known]) if known else {}
    return [Redrive(kit, record, last.get(record.partition)) for record in known]


def requested(instance: dg.DagsterInstance, outside: Outside, found: list[Redrive], feed: str, **tags: str) -> Iterator[dg.RunRequest]:
    """A run for each that has none, paced where runs for the same decision ended without an attempt.

    Args:
        instance: which knows the runs.
        outside: the outside systems.
        found: of one feed.
        feed: its name.
        **tags: further tags, `shp/` left out.
    """
    wanted = {redrive.name: redrive for redrive in found}
    return paced(
        instance,
        REDRIVE_TAG,
        wanted,
        lambda redrive, before: redrive.request(before, **tags),
        lambda redrive: _hold_terminated(outside, redrive.record),
        feed=feed,
    )


def _ask(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, kept_back: list[str]) -> Iterator[dg.RunRequest]:
    """Requests for what is due of a feed, oldest arrival first, as many as may be under way."""
    due, under_way = waiting_and_live(context.instance, partial(_due, kit, outside, kept_back), REDRIVE_TAG, feed=kit.name)
    free = [redrive for redrive in redrives_of(kit, outside, due) if redrive.name not in under_way]
    asked = requested(context.instance, outside, free, kit.name)
    yield from islice(asked, max(0, REDRIVES_AT_ONCE - len(under_way)))


def _due(kit: FeedKit, outside: Outside, kept_back: list[str]) -> list[PartitionRecord]:
    waiting = outside.ledger.waiting
    in_time = waiting.due(kit.name, outside.clock.now(), kept_back, _LOOKED_AT)
    contract, converter = (kit.contract.version, _BY_CONTRACT), (CONVERTER_VERSION, _BY_CONVERTER)
    changed = waiting.judged_otherwise(kit.name, contract, converter, (outside.limits.version, _BY_LIMITS), _LOOKED_AT)
    by_key = {record.partition: record for record in [*in_time, *changed]}
    return sorted(by_key.values(), key=lambda record: record.arrival or 0)


def _hold_terminated(outside: Outside, record: PartitionRecord) -> None:
    """A person cancelled the run before it began."""
    message = f"The run of {record.feed}/{record.partition} was cancelled by a person."
    with suppress(StaleState):  # somebody else moved it: the next tick looks again
        outside.ledger.partitions.move(
            record.feed,
            record.partition,
            State.EXHAUSTED,
            expect_version=record.version,
            code=str(Code.TERMINATED),
            message=message,
            next_attempt_at=None,
        )
