"""`gaps`: do the sinks hold what was published?

Rows are counted in the warehouse, and folders listed in the lake, for all partitions at once; manifests and lengths of some,
and the rows of few, are read again at each look, round and round. What is not there is asked for as one backfill of exactly
these partitions, below live data; what the lake lacks, as runs to the lake. What Hive missed while it was away follows.
"""

import json
from collections.abc import Collection, Iterator, Mapping

import dagster as dg

from shp_assets import backfill
from shp_assets.gaps import find_gaps, note_gaps
from shp_assets.kit import FeedKit
from shp_assets.lake_gaps import Looked, note_lake_gaps
from shp_assets.lake_sql import catch_up
from shp_core.errors import Fault
from shp_core.gaps import in_turn
from shp_resources.ledger.publications import Published
from shp_resources.outside import Outside
from shp_sensors.requests import add_keys

INTERVAL_SECONDS = 60
REREAD_A_TICK = 5
"""How many partitions of each feed have their rows read again at a look."""

REREAD_ROWS = 20_000
"""A larger partition is read so much less often that a look costs the same: a second of work a minute, not ten."""

WHY = "gaps"
_KEPT_BACK = "The warehouse is not asked until a probe gets through."


def gaps_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over what the sinks hold of all feeds."""

    @dg.sensor(
        name="gaps",
        description="What was published and does not stand in a sink any more is filled again by one backfill.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.keys]),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def gaps(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        if any(breaker.name == "warehouse" for breaker in outside.ledger.breakers.open()):
            return dg.SensorResult(
                skip_reason=dg.SkipReason("The warehouse is not asked until a probe gets through."), cursor=context.cursor
            )
        read = json.loads(context.cursor or "{}")
        found = {name: _look(context, kit, outside, read) for name, kit in kits.items()}
        asked = [(kits[name], keys) for name, keys in found.items() if keys]
        told = f"{sum(len(keys) for _, keys in asked)} partitions are filled." if asked else "The sinks hold what was published."
        return dg.SensorResult(
            run_requests=[backfill.requested(kit, keys, WHY) for kit, keys in asked],
            dynamic_partitions_requests=[new for kit, keys in asked for new in add_keys(context.instance, kit, set(keys))],
            skip_reason=None if asked else dg.SkipReason(told),
            cursor=json.dumps({name: read[name] for name in sorted(read) if name.partition(" ")[0] in kits}),
        )

    return gaps


def _look(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, read: dict[str, str]) -> list[str]:
    """The partitions of a feed that are to be filled now, oldest arrival first; while a backfill is under way, none."""
    if backfill.under_way(context.instance, kit):
        return []
    found: list[str] = []
    try:
        published = outside.ledger.publications.published(kit.name)
        chosen = in_turn(sorted(published), read.get(kit.name, ""), REREAD_A_TICK)
        reread = {key for key in chosen if outside.chance() * _rows(published[key]) < REREAD_ROWS}
        found.extend(_fill(context, kit, outside, published, reread))
        read[kit.name] = chosen[-1] if chosen else ""
        _look_at_lake(context, kit, outside, published, reread, read)
    except Fault as fault:  # one feed, or its lake, never stops the others; the next look finds the same
        context.log.warning(f"{kit.name}: {fault.message}")
    return found


def _fill(
    context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, published: Mapping[str, Published], reread: Collection[str]
) -> Iterator[str]:
    found = [item for item in find_gaps(outside, kit, published, reread) if kit.has_partition(item.partition)]
    for item in note_gaps(outside, kit, found[: backfill.MOST_AT_ONCE]):
        context.log.warning(f"{kit.name}/{item.partition} is filled: {item.why}.")
        yield item.partition


def _look_at_lake(
    context: dg.SensorEvaluationContext,
    kit: FeedKit,
    outside: Outside,
    published: Mapping[str, Published],
    reread: Collection[str],
    read: dict[str, str],
) -> None:
    slot = f"{kit.name} lake"
    looked = note_lake_gaps(outside, kit, published, reread, Looked((), *json.loads(read.get(slot, '["", 0.0]'))))
    read[slot] = json.dumps([looked.after, looked.changed_at])
    for partition in looked.gaps:
        context.log.warning(f"{kit.name}/{partition} is missing in the lake, or was changed there; its run to the lake is due.")
    for partition in catch_up(outside, kit):
        context.log.info(f"{kit.name}/{partition}: Hive shows what stands there.")


def _rows(known: Published) -> int:
    return max((content.rows for content in known.sinks.values()), default=0)
