"""An earlier delivery published again: an arrival that a person makes, of bytes that are kept.

What lies unchanged in the landing folder does not undo it, the next real arrival does; so does another rewind.
Must not live here: runs (`shp_ops.ingest.one`), and what the command says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from typing import TYPE_CHECKING

from shp_core.errors import UsageError
from shp_core.feeds.load import Catalogue
from shp_core.feeds.model import Feed
from shp_core.states import State
from shp_ops.installation import catalogue_of, looked_at, opened, require_feed
from shp_resources.ledger import NOTHING, Arrival, Ledger, PartitionRecord
from shp_resources.settings import Settings
from shp_resources.store.far import store_of

if TYPE_CHECKING:
    from shp_ops.ingest.results import FileResult
    from shp_resources.outside import Outside

REWIND = "rewind"
"""Who made such an arrival."""

_SINK = "warehouse"
_DELIVERY = re.compile(r"[0-9a-f]{6,64}\Z")


@dataclass(frozen=True)
class Step:
    """One partition that is rewound.

    Args:
        partition: partition key.
        now: the delivery that is current, None when none is.
        to: the delivery that is published again.
        size: its bytes.
    """

    partition: str
    now: str | None
    to: str
    size: int


@dataclass(frozen=True)
class Plan:
    """What a rewind does.

    Args:
        feed: the feed.
        steps: what is rewound.
        newer: partitions of which nothing was published then, and that hold or await something now; they stay as they are.
        to: what it goes back to, as it was asked.
    """

    feed: Feed
    steps: list[Step]
    newer: list[str]
    to: str


def plan(settings: Settings, feed: str, partition: str | None, to: str) -> Plan:
    """Find out what is to be published again; changes nothing.

    Args:
        settings: the installation.
        feed: feed.
        partition: partition key; None: all of the feed's, and `to` is a time.
        to: a delivery (the first digits of its SHA-256), or a time (ISO 8601, UTC unless it says otherwise).

    Raises:
        UsageError: there is no such feed, partition or delivery, its bytes are gone, or nothing was published then.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        records = {record.partition: record for record in ledger.partitions.list(feed)}
        if partition is not None and partition not in records:
            raise UsageError(f"Nothing is known of {feed}/{partition}.", f"See which partitions there are: shp partitions {feed}")
        wanted = list(records) if partition is None else [partition]
        moment = _moment(to)
        if partition is None and moment is None:
            raise UsageError("A whole feed can be rewound to a time only.", "Write it as 2026-11-20T08:00, in UTC.")
        target = _as_of(ledger, feed, moment) if moment else {partition: _named(ledger, feed, str(partition), to)}
        newer = [name for name in wanted if name not in target and _has_something(ledger, records[name])]
        if partition is not None and partition not in target:
            raise UsageError(f"Nothing of {feed}/{partition} was published at {to} yet.", f"See what was: shp history {feed} {partition}")
        steps = _steps(settings, ledger, feed, {name: target[name] for name in wanted if name in target})
        return Plan(model, list(steps), newer, to)


def carry_out(settings: Settings, found: Plan, *, drop_newer: bool = False) -> list[FileResult]:
    """Make the arrivals and publish them, one after the other; safe beside a running platform.

    Args:
        settings: the installation.
        found: of `plan`.
        drop_newer: empty the partitions of which nothing was published then.

    Returns:
        What became of each partition that is published again.

    Raises:
        Fault: a partition cannot be emptied now; the same again goes on where it stopped.
    """
    with opened(settings) as outside:
        if drop_newer:
            _drop(outside, found)  # first: where a worker has one of them, nothing else was begun
        arrivals = [_arrive(outside.ledger, found.feed.feed, step) for step in found.steps]
        return [_processed(found.feed, outside, arrival) for arrival in arrivals]


def _drop(outside: Outside, found: Plan) -> None:
    from shp_assets.emptied import empty
    from shp_assets.kit import FeedKit

    kit = FeedKit(found.feed)
    for partition in found.newer:
        empty(outside, kit, partition, REWIND, f"Emptied by {_who()}: nothing of it was published at {found.to}.")


def _has_something(ledger: Ledger, record: PartitionRecord) -> bool:
    """Whether a sink holds rows of it, or a delivery of it waits for something."""
    if record.state not in (State.EXPECTED, State.LATE, State.WAIVED):
        return True
    return any(sink.held not in (None, NOTHING) for sink in ledger.publications.sinks(record.feed, record.partition).values())


def _moment(to: str) -> datetime | None:
    if not any(sign in to for sign in "-:"):
        return None
    try:
        moment = datetime.fromisoformat(to)
    except ValueError as error:
        raise UsageError(f"{to!r} is neither a delivery nor a time.", "Write a time as 2026-11-20T08:00, in UTC.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_of(ledger: Ledger, feed: str, moment: datetime) -> dict[str, str]:
    return ledger.publications.as_of(feed, _SINK, moment)


def _named(ledger: Ledger, feed: str, partition: str, to: str) -> str:
    """The delivery that begins with these digits."""
    known = ledger.arrivals.deliveries(feed, partition)
    found = [delivery for delivery in known if delivery.startswith(to.lower())] if _DELIVERY.match(to.lower()) else []
    if len(found) == 1:
        return found[0]
    why = f"{len(found)} deliveries of {feed}/{partition} begin with {to}" if found else f"{feed}/{partition} has no delivery {to}"
    raise UsageError(f"{why}.", f"Its deliveries: {', '.join(name[:12] for name in known) or 'none'}.")


def _steps(settings: Settings, ledger: Ledger, feed: str, target: dict[str, str]) -> Iterator[Step]:
    store = store_of(settings)
    for partition, delivery in target.items():
        arrival = ledger.arrivals.current(feed, partition)
        now = arrival.delivery if arrival else None
        held = ledger.publications.sinks(feed, partition).get(_SINK)
        if now == delivery and held is not None and held.held is not None and held.held.delivery == delivery:
            continue
        if not store.keeps(delivery):
            raise UsageError(
                f"The bytes of delivery {delivery[:12]} of {feed}/{partition} are not kept any more.", "Deliver the file again."
            )
        yield Step(partition, now, delivery, ledger.arrivals.deliveries(feed, partition)[delivery])


def _arrive(ledger: Ledger, feed: str, step: Step) -> Arrival:
    """The arrival, its bytes and its audit entry, together."""
    with ledger.transaction():
        arrival = ledger.arrivals.record(feed, step.partition, None, REWIND)
        ledger.arrivals.name_delivery(arrival.number, step.to, step.size)
        record = ledger.partitions.get(feed, step.partition)
        if record is not None:
            words = f"Rewound to delivery {step.to[:12]} by {_who()}."
            ledger.partitions.move(feed, step.partition, record.state, expect_version=record.version, message=words)
    return ledger.arrivals.get(arrival.number) or arrival


def _who() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "somebody"


def _processed(feed: Feed, outside: Outside, arrival: Arrival) -> FileResult:
    from shp_assets.build import build_assets, build_kits
    from shp_ops.ingest.instance import quiet_instance
    from shp_ops.ingest.one import Ingestion

    alone = Catalogue({feed.feed: feed}, {}, [])
    kits = build_kits(alone)
    return Ingestion(kits[feed.feed], build_assets(alone, kits, outside), outside, quiet_instance()).redo(arrival)
