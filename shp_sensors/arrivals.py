"""`arrivals`: is there a new or changed file, and which partitions wait for a run?

The ledger remembers, not a cursor: a file that `shp ingest` took up is not taken up again.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from shp_assets.arrive import arrive
from shp_assets.guard import VIA_TAG
from shp_assets.kit import FeedKit
from shp_core.errors import Fault
from shp_core.states import State
from shp_resources.landing import Seen, look
from shp_resources.ledger import PartitionRecord, SeenSource
from shp_resources.outside import Outside

INTERVAL_SECONDS = 5
FILES_A_TICK = 200
RUNS_A_TICK = 50


def arrivals_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over the landing folders of all feeds."""

    @dg.sensor(
        name="arrivals",
        description="A new or changed file in a landing folder becomes an arrival of its partition, and a run.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.keys]),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def arrivals(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        notes: list[str] = []
        for kit in kits.values():
            notes += _take_up(context, kit, outside)
        requests = [request for kit in kits.values() for request in _due(kit, outside)][:RUNS_A_TICK]
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[found for kit in kits.values() for found in _new_keys(context, kit, requests)],
            skip_reason=None if requests else dg.SkipReason("; ".join(notes) or "Nothing new."),
        )

    return arrivals


def _take_up(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside) -> list[str]:
    """Note new and changed files of a feed as arrivals; returns what a reader of the tick should know."""
    try:
        seen = look(outside.settings.landing / kit.name, kit.feed.source.match)
        news = list(_news(seen, outside.ledger.arrivals.known_sources(kit.name)))
        for file in [file for file in news if file.quiet][:FILES_A_TICK]:
            arrived = arrive(outside.ledger, kit, file, "sensor")
            context.log.info(f"{kit.name}: {file.source.name} arrived as {arrived.arrival.partition}.")
    except Fault as fault:  # one feed's folder never stops the others
        context.log.warning(f"{kit.name}: {fault.message} {fault.next_step}")
        return [f"{kit.name}: {fault.message}"]
    moving = sum(not file.quiet for file in news)
    return [f"{kit.name}: {moving} still being written"] if moving else []


def _news(seen: list[Seen], known: Mapping[str, SeenSource]) -> Iterator[Seen]:
    for file in seen:
        before = known.get(file.source.uri)
        if before is None or before.source != file.source:
            yield file


def _due(kit: FeedKit, outside: Outside) -> Iterator[dg.RunRequest]:
    """A run for each partition that waits for one, oldest arrival first."""
    waiting = outside.ledger.partitions.list(kit.name, {State.ARRIVED})
    begun = outside.ledger.attempts.counts(kit.name) if waiting else {}
    for record in sorted(waiting, key=lambda record: record.arrival or 0):
        if kit.feed.partition.by == "file" or kit.partitions.has_partition_key(record.partition):
            yield _request(kit, record, begun.get(record.partition, 0))


def _request(kit: FeedKit, record: PartitionRecord, begun: int) -> dg.RunRequest:
    """The run key makes a second request for the same arrival and attempt a request for the same run."""
    return dg.RunRequest(
        run_key=f"{kit.name}|{record.partition}|{record.arrival}|{begun}",
        partition_key=record.partition,
        asset_selection=kit.keys,
        tags={VIA_TAG: "sensor", "shp/feed": kit.name, "shp/arrival": str(record.arrival)},
    )


def _new_keys(context: dg.SensorEvaluationContext, kit: FeedKit, requests: list[dg.RunRequest]) -> Iterator[dg.AddDynamicPartitionsRequest]:
    if kit.feed.partition.by != "file":
        return
    asked = {request.partition_key for request in requests if request.tags["shp/feed"] == kit.name and request.partition_key}
    known = set(context.instance.get_dynamic_partitions(kit.dynamic_name)) if asked else set()
    if asked - known:
        yield dg.DynamicPartitionsDefinition(name=kit.dynamic_name).build_add_request(sorted(asked - known))
