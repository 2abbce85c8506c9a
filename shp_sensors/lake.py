"""`lake`: which partitions does the lake not hold yet?

A run to the lake follows the warehouse's run; one that failed starts again at the step that failed, when the ledger says so.
Partitions that were published before their feed declared the lake follow too, without a new publication in the warehouse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

import dagster as dg

from shp_assets.guard import VIA_TAG
from shp_assets.kit import SINKS_AGREE, FeedKit
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_resources.lake.settings import lake_systems
from shp_resources.ledger import ELT, LAKE, REDRIVE, Attempt, Behind, PartitionRecord, Publication
from shp_resources.outside import Outside
from shp_resources.run_coordinator import AFTER_LIVE
from shp_sensors.requests import Ended, in_turn, new_keys, paced, waiting_and_live

RUNS_AT_ONCE = 10
"""How many runs of a feed to the lake are queued or under way at most."""

LAKE_TAG = "shp/lake"
_PARTITION_TAG = "dagster/partition"
_LOOKED_AT = 50


def lake_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over what the lake is to hold."""

    @dg.sensor(
        name="lake",
        description="A partition that the warehouse holds, or waits for, and the lake does not yet gets its run to the lake.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.all_keys]),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def lake(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        for kit in kits.values():
            for partition in _adopt(kit, outside):
                context.log.info(f"{kit.name}/{partition} was published before its feed declared the lake, and follows now.")
        kept_back = {breaker.name for breaker in outside.ledger.breakers.open()}
        shut = sorted(kept_back.intersection(lake_systems(outside.settings)))
        feeds = [] if shut else [_ask(context, kit, outside, kept_back) for kit in kits.values() if kit.lake is not None]
        requests = in_turn(feeds, RUNS_AT_ONCE * len(kits))
        why = f"{', '.join(shut)} is not asked until a probe gets through." if shut else "The lake holds everything that it is to hold."
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[found for kit in kits.values() for found in new_keys(context.instance, kit, requests)],
            skip_reason=None if requests else dg.SkipReason(why),
        )

    return lake


@dataclass(frozen=True)
class LakeRun:
    """A run to the lake that is due.

    Args:
        kit: the feed.
        behind: the partition, and what the lake is to hold of it.
        last: the last attempt on this way, None when there was none.
    """

    kit: FeedKit
    behind: Behind
    last: Attempt | None

    @property
    def name(self) -> str:
        """Names the decision: one run for each."""
        arrival, attempt = self.behind.sink.fence
        return f"{arrival}.{attempt}.{self.last.number if self.last else 0}"

    @property
    def selection(self) -> list[dg.AssetKey]:
        """The assets from the step that failed on; all of the feed's where the sinks differ or an artefact is not whole.

        Where only the check is left to do, `curated` comes along and does nothing: Dagster gives no partition to a check alone.
        """
        code, step = (self.last.code, self.last.step) if self.last and self._is_same else (None, None)
        if code in (Code.SINKS_DIFFER, Code.ARTEFACT_DAMAGED) or not self._is_current:
            return self.kit.all_keys
        return [self.kit.key("curated")] if step in ("curated", SINKS_AGREE) else self.kit.lake_keys

    @property
    def _is_same(self) -> bool:
        """Whether the last attempt was about what the lake is to hold now."""
        return self.last is not None and self.last.arrival == self.behind.sink.fence[0]

    @property
    def _is_current(self) -> bool:
        """Whether what the lake is to hold was made under the contract and by the converter in force."""
        sink = self.behind.sink.intended
        return sink == Publication(sink.delivery, self.kit.contract.version, CONVERTER_VERSION)

    def request(self, before: Ended, **tags: str) -> dg.RunRequest:
        """The run; a second request for the same decision is a request for the same run.

        Args:
            before: runs for it that ended without an attempt.
            **tags: further tags, `shp/` left out.
        """
        again = self.last is not None and self._is_same
        return dg.RunRequest(
            run_key=f"lake|{self.kit.name}|{self.behind.partition}|{self.name}|{before.count}",
            partition_key=self.behind.partition,
            asset_selection=self.selection,
            tags={
                **_tags(self.kit, self.name, REDRIVE if again else "sensor"),
                "shp/cause": self.behind.sink.cause or "-",
                **{f"shp/{name}": value for name, value in tags.items()},
            },
        )


def lake_runs(kit: FeedKit, outside: Outside, behind: list[Behind]) -> list[LakeRun]:
    """Partitions of a feed that the lake lacks, with their last attempts on this way."""
    known = [one for one in behind if kit.has_partition(one.partition)]
    last = outside.ledger.attempts.newest(kit.name, [one.partition for one in known], ELT) if known else {}
    return [LakeRun(kit, one, last.get(one.partition)) for one in known]


def asked(instance: dg.DagsterInstance, outside: Outside, found: list[LakeRun], feed: str, **tags: str) -> Iterator[dg.RunRequest]:
    """A run for each that has none, paced where runs for the same decision ended without an attempt.

    Args:
        instance: which knows the runs.
        outside: the outside systems.
        found: of one feed.
        feed: its name.
        **tags: further tags, `shp/` left out.
    """
    wanted = {run.name: run for run in found}
    return paced(
        instance,
        LAKE_TAG,
        wanted,
        lambda run, before: run.request(before, **tags),
        lambda run: _hold_terminated(outside, run.behind),
        feed=feed,
    )


def _ask(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, kept_back: set[str]) -> Iterator[dg.RunRequest]:
    look = partial(_waiting, kit, outside, kept_back)
    waiting, under_way = waiting_and_live(context.instance, look, _PARTITION_TAG, feed=kit.name, way=ELT)
    free = [one for one in waiting if one.partition not in under_way]
    runs = lake_runs(kit, outside, [one for one in free if isinstance(one, Behind)])
    texts = _ask_for_text(context.instance, kit, [one for one in free if isinstance(one, PartitionRecord)])
    yield from islice(chain(asked(context.instance, outside, runs, kit.name), texts), max(0, RUNS_AT_ONCE - len(under_way)))


def _waiting(kit: FeedKit, outside: Outside, kept_back: set[str]) -> list[Behind | PartitionRecord]:
    """What the lake lacks, and deliveries that are refused and whose text it is to have."""
    behind = outside.ledger.lake.due(kit.name, outside.clock.now(), kept_back, _LOOKED_AT)
    return [*behind, *outside.ledger.lake.refused(kit.name, _LOOKED_AT)]


def _ask_for_text(instance: dg.DagsterInstance, kit: FeedKit, refused: list[PartitionRecord]) -> Iterator[dg.RunRequest]:
    """The lake takes every row, also of a delivery that is refused; nothing waits for that run, and nothing is held by it."""
    wanted = {_text_name(record): record for record in refused}
    return paced(instance, LAKE_TAG, wanted, partial(_text_request, kit), lambda record: None, feed=kit.name)


def _text_request(kit: FeedKit, record: PartitionRecord, before: Ended) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"lake|{kit.name}|{record.partition}|{_text_name(record)}|{before.count}",
        partition_key=record.partition,
        asset_selection=[kit.key("lake")],
        tags=_tags(kit, _text_name(record), "sensor"),
    )


def _text_name(record: PartitionRecord) -> str:
    return f"text.{record.arrival}"


def _tags(kit: FeedKit, name: str, via: str) -> dict[str, str]:
    return {VIA_TAG: via, "shp/feed": kit.name, "shp/way": ELT, LAKE_TAG: name, **AFTER_LIVE}


def _adopt(kit: FeedKit, outside: Outside) -> list[str]:
    """What was published before the feed declared the lake waits for it now; of a feed without one, nothing waits any more."""
    lake = outside.ledger.lake
    if kit.lake is None:
        lake.disown(kit.name)
        return []
    return lake.adopt(kit.name, kit.contract.version, CONVERTER_VERSION, outside.clock.now(), _LOOKED_AT)


def _hold_terminated(outside: Outside, behind: Behind) -> None:
    """A person cancelled the run before it began."""
    message = f"The run of {behind.feed}/{behind.partition} to the {LAKE} was cancelled by a person."
    outside.ledger.lake.hold(behind.feed, behind.partition, None, str(Code.TERMINATED), message, None)
