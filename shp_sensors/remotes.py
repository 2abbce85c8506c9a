"""`remotes`: is there a new or changed file at a remote source, or must a fallback give one?

Each feed at its own pace or by the clock, all that are due side by side and with deadlines: a slow source keeps no drop folder
waiting and no other feed. When each is due next is the cursor; what was seen is the ledger's. Runs are `arrivals`' business.
Looks at one source never overlap, for they are this sensor's, and after a stop one look makes up for all that were missed.
"""

import json
from collections.abc import Mapping
from datetime import datetime

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.remote import Taken, look_round
from shp_core.codes import Code
from shp_core.expectations.cron import next_after, parse
from shp_resources.outside import Outside

INTERVAL_SECONDS = 5
IDLE_SECONDS = 60
"""Between looks where no feed has a remote source; one that gets one starts the code server again."""

FEEDS_A_TICK = 16


def remotes_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over the remote sources of all feeds."""
    remote = {name: kit for name, kit in kits.items() if kit.feed.source.uri is not None}

    @dg.sensor(
        name="remotes",
        description="A new or changed file at a remote source becomes an arrival; where there is none, a fallback's may.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.keys]),
        minimum_interval_seconds=INTERVAL_SECONDS if remote else IDLE_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def remotes(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        if not remote:
            return dg.SensorResult(skip_reason=dg.SkipReason("No feed has a remote source."))
        now, due_at = outside.clock.now(), _read(context.cursor)
        slots = {name: _slot(kit) for name, kit in remote.items()}
        first = {slots[name]: _first(now, kit) for name, kit in remote.items()}
        due_at = {slot: due_at.get(slot, at) for slot, at in first.items()}
        due = sorted((name for name in remote if due_at[slots[name]] <= now.timestamp()), key=lambda name: due_at[slots[name]])
        found = look_round(outside, [remote[name] for name in due[:FEEDS_A_TICK]])
        for name, taken in found.items():
            due_at[slots[name]] = _next(now, remote[name], taken)
        notes = [note for taken in found.values() for note in taken.notes]
        for note in notes:
            context.log.info(note)
        return dg.SensorResult(cursor=json.dumps(due_at), skip_reason=dg.SkipReason(_told(found, notes)))

    return remotes


def _read(cursor: str | None) -> dict[str, float]:
    """When each feed's source is due, seconds since 1970, by slot."""
    try:
        known = json.loads(cursor) if cursor else {}
    except ValueError:
        known = {}
    return {slot: float(at) for slot, at in known.items()}


def _slot(kit: FeedKit) -> str:
    """Under which a feed's next look is kept: another schedule counts at once."""
    return f"{kit.name} {kit.feed.schedule}" if kit.feed.schedule else kit.name


def _first(now: datetime, kit: FeedKit) -> float:
    """When a source is looked at that is not known yet: at once, or at the clock's next tick."""
    return _tick(now, kit) if kit.feed.schedule else 0.0


def _tick(now: datetime, kit: FeedKit) -> float:
    at = next_after(parse(kit.feed.schedule or ""), now, kit.feed.partition.zone)
    assert at is not None, "the model refuses a schedule that never comes"
    return at.timestamp()


def _next(now: datetime, kit: FeedKit, taken: Taken) -> float:
    """When a source is looked at again: at the feed's pace, unless it asked to be left alone for longer.

    By the clock: at the next tick, but in a minute where the look failed or a file was still being written.
    """
    asked = (taken.fault.evidence.retry_after or 0.0) if taken.fault else 0.0
    soon = now.timestamp() + max(kit.feed.source.pace.total_seconds(), asked)
    failed = taken.fault is not None and taken.fault.code is not Code.SOURCE_MISSING  # that is an answer
    return soon if not kit.feed.schedule or failed or taken.moving else max(_tick(now, kit), now.timestamp() + asked)


def _told(found: Mapping[str, Taken], notes: list[str]) -> str:
    arrived = [f"{name}/{partition}" for name, taken in found.items() for partition in taken.arrived]
    if not found:
        return "No source is due."
    return "; ".join([f"{len(found)} sources were looked at, {len(arrived)} files arrived.", *notes])[:2000]
