"""`arrivals`: is there a new or changed file, and which partitions wait for a run?

The ledger remembers, not a cursor: a file that `shp ingest` took up is not taken up again.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice

import dagster as dg

from shp_assets.arrive import arrive, is_free
from shp_assets.guard import HISTORY_TAG, VIA_TAG
from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_core.progress import HISTORY_AFTER
from shp_core.states import State
from shp_resources.landing import Seen, look, readable
from shp_resources.ledger import PartitionRecord, SeenSource, StaleState
from shp_resources.outside import Outside
from shp_resources.run_coordinator import AFTER_LIVE
from shp_sensors.requests import Ended, in_turn, live, new_keys, paced, waiting_and_live

INTERVAL_SECONDS = 5
FILES_A_TICK = 200
RUNS_A_TICK = 50
"""Also how many runs of a feed are queued or under way at most."""

HISTORY_AT_ONCE = 25
"""How many runs over all feeds that catch up are queued or under way: more than are done by the next tick, few enough to be queued
in about a second, for a file that comes meanwhile waits for that."""

ARRIVAL_TAG = "shp/arrival"
_SHOWN = 3
_BY_THE_SOURCE = (Code.SOURCE_MISSING, Code.STILL_MOVING)


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
        notes = [note for kit in kits.values() for note in _take_up(context, kit, outside)]
        requests = _requests(context, kits.values(), outside)
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[found for kit in kits.values() for found in new_keys(context.instance, kit, requests)],
            skip_reason=None if requests else dg.SkipReason("; ".join(notes) or "Nothing new."),
        )

    return arrivals


def _take_up(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside) -> list[str]:
    """Note new and changed files of a feed as arrivals; returns what a reader of the tick should know."""
    if kit.feed.source.uri is not None:
        return []  # the sensor `remotes` looks there, at a pace of its own
    try:
        seen = look(outside.settings.landing / kit.name, kit.feed.source.match)
    except Fault as fault:  # one feed's folder never stops the others
        context.log.warning(f"{kit.name}: {fault.message} {fault.next_step}")
        return [f"{kit.name}: {fault.message}"]
    news = list(_news(kit, outside, seen))
    quiet = sorted((file for file in news if file.quiet), key=lambda file: (file.source.mtime_ns, file.source.name))
    notes = [note for file in quiet[:FILES_A_TICK] for note in _take(context, kit, outside, file)]
    moving = [file.source.name for file in news if not file.quiet]
    more = f" and {len(moving) - _SHOWN} more" if len(moving) > _SHOWN else ""
    return [*notes, f"{kit.name}: {', '.join(moving[:_SHOWN])}{more} still being written"] if moving else notes


def _take(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, file: Seen) -> list[str]:
    try:
        arrived = arrive(outside.ledger, kit, file, "sensor")
    except Fault:
        raise  # the ledger is away: the next tick sees all of it again
    except ShpError as error:  # one file never stops the others
        context.log.warning(f"{kit.name}: {file.source.name}: {error.message}")
        return [f"{kit.name}: {file.source.name}: {error.message}"]
    if arrived.refusal is None:
        context.log.info(f"{kit.name}: {file.source.name} arrived as {arrived.arrival.partition}.")
        return []
    context.log.warning(f"{kit.name}: {file.source.name} is held: {arrived.refusal.message}")
    return [f"{kit.name}: {file.source.name} is held ({arrived.refusal.code})"]


def _news(kit: FeedKit, outside: Outside, seen: list[Seen]) -> Iterator[Seen]:
    """Files that are new, or changed, or were held for a reason that is gone."""
    known = outside.ledger.arrivals.known_sources(kit.name)
    held = {record.partition: record for record in outside.ledger.partitions.list(kit.name, {State.QUARANTINED, State.WAITING})}
    for file in seen:
        before = known.get(file.source.uri)
        if before is None or before.source != file.source:
            yield file
            continue
        record = held.get(before.partition)
        if record is not None and is_free(kit, file, known, record):
            yield file
        elif record is not None and _is_back(file, before, record):
            _move(outside, record, State.ARRIVED)


def _is_back(file: Seen, before: SeenSource, record: PartitionRecord) -> bool:
    """Whether a file that could not be copied can be now."""
    waits = record.code in _BY_THE_SOURCE and record.arrival == before.arrival
    return waits and file.quiet and readable(file.source)


def _requests(context: dg.SensorEvaluationContext, kits: Collection[FeedKit], outside: Outside) -> list[dg.RunRequest]:
    """A run for each partition that waits for one and has none: what came just now of all feeds, then what had lain there."""
    waiting = [(kit, *found) for kit in kits if (found := _waiting(context, kit, outside))[0]]
    catching_up = live(context.instance, ARRIVAL_TAG, history="yes") if waiting else set()
    due = [_due(context, kit, outside, free, limit=RUNS_A_TICK - len(under_way - catching_up)) for kit, free, under_way in waiting]
    new = in_turn([new for new, _ in due], RUNS_A_TICK)
    old = in_turn([old for _, old in due], max(0, min(RUNS_A_TICK - len(new), HISTORY_AT_ONCE - len(catching_up))))
    return [*new, *map(_after_live, old)]


def _waiting(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside) -> tuple[list[PartitionRecord], set[str]]:
    """The partitions of a feed that wait for a run and have none, and the arrivals for which one is queued or under way."""
    look = partial(outside.ledger.partitions.list, kit.name, {State.ARRIVED})
    waiting, under_way = waiting_and_live(context.instance, look, ARRIVAL_TAG, feed=kit.name)
    return [record for record in waiting if str(record.arrival) not in under_way and kit.has_partition(record.partition)], under_way


def _due(
    context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, free: list[PartitionRecord], *, limit: int
) -> tuple[Iterator[dg.RunRequest], Iterator[dg.RunRequest]]:
    """The runs of a feed: of what came just now, and of what had lain there; each with the oldest arrival first."""
    lay = outside.ledger.arrivals.that_lay([record.arrival or 0 for record in free], HISTORY_AFTER)
    new = [record for record in free if record.arrival not in lay]
    old = [record for record in free if record.arrival in lay]
    return islice(_in_order(context, kit, outside, new), max(0, limit)), _in_order(context, kit, outside, old)


def _in_order(
    context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, records: list[PartitionRecord]
) -> Iterator[dg.RunRequest]:
    ordered = sorted(records, key=lambda record: record.arrival or 0)
    chunks = (ordered[start : start + RUNS_A_TICK] for start in range(0, len(ordered), RUNS_A_TICK))
    return (request for chunk in chunks for request in _ask(context, kit, outside, chunk))


def _after_live(request: dg.RunRequest) -> dg.RunRequest:
    """The request, to be run when nothing that came just now waits."""
    return request.with_replaced_attrs(tags={**request.tags, **AFTER_LIVE, HISTORY_TAG: "yes"})


def _ask(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside, records: list[PartitionRecord]) -> Iterator[dg.RunRequest]:
    return paced(
        context.instance,
        ARRIVAL_TAG,
        {str(record.arrival): record for record in records},
        partial(_request, kit),
        partial(_hold_terminated, kit, outside),
        feed=kit.name,
        via="sensor",
    )


def _hold_terminated(kit: FeedKit, outside: Outside, record: PartitionRecord) -> None:
    """A person cancelled the run before it began."""
    message = f"The run of {kit.name}/{record.partition} was cancelled by a person."
    _move(outside, record, State.EXHAUSTED, code=str(Code.TERMINATED), message=message)


def _move(outside: Outside, record: PartitionRecord, to: State, code: str | None = None, message: str | None = None) -> None:
    with suppress(StaleState):  # somebody else moved it: the next tick looks again
        outside.ledger.partitions.move(record.feed, record.partition, to, expect_version=record.version, code=code, message=message)


def _request(kit: FeedKit, record: PartitionRecord, before: Ended) -> dg.RunRequest:
    """The run key makes a second request for the same arrival and attempt a request for the same run."""
    return dg.RunRequest(
        run_key=f"{kit.name}|{record.partition}|{record.arrival}|{before.count}",
        partition_key=record.partition,
        asset_selection=kit.keys,
        tags={VIA_TAG: "sensor", "shp/feed": kit.name, ARRIVAL_TAG: str(record.arrival)},
    )
