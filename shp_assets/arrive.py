"""From a file that was seen to an arrival of a partition; shared by the sensor and by `shp ingest`."""

from __future__ import annotations

from dataclasses import dataclass

from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.errors import Refusal
from shp_core.partitions import file_key, partition_key, unplaced_key
from shp_core.states import State
from shp_resources.landing import Seen, path_of
from shp_resources.ledger import Arrival, KeyTaken, Ledger, Source


@dataclass(frozen=True)
class Arrived:
    """What became of a file that was seen.

    Args:
        arrival: the arrival, with its partition.
        refusal: why it is held before any run; None when a run may take it up.
    """

    arrival: Arrival
    refusal: Refusal | None = None

    @property
    def placed(self) -> bool:
        """Whether a partition was found for the file."""
        return self.refusal is None or self.refusal.code is not Code.NO_PARTITION


def arrive(ledger: Ledger, kit: FeedKit, seen: Seen, via: str) -> Arrived:
    """Note in the ledger that a file arrived; a file no run can take up is held with the reason.

    Args:
        ledger: the ledger.
        kit: the feed.
        seen: the file as it lies there.
        via: who saw it (`sensor`, `ingest`).
    """
    try:
        partition = partition_key(kit.feed, seen.source.name)
        _require_known_day(kit, partition)
    except Refusal as unplaced:
        return _hold(ledger, ledger.arrivals.record(kit.name, unplaced_key(seen.source.name), seen.source, via), unplaced)
    before = ledger.arrivals.current(kit.name, partition)
    arrival = _record(ledger, kit, partition, seen.source, via)
    if before is not None and _ambiguous(kit, before, seen.source):
        other = before.source.name if before.source else ""
        refusal = Refusal(
            Code.AMBIGUOUS_PARTITION, f"{seen.source.name} and {other} both stand for {partition}.", {"files": [seen.source.name, other]}
        )
        return _hold(ledger, arrival, refusal)
    return Arrived(arrival)


def _record(ledger: Ledger, kit: FeedKit, partition: str, source: Source, via: str) -> Arrival:
    by_file = kit.feed.partition.by == "file"
    try:
        return ledger.arrivals.record(kit.name, partition, source, via, sole_owner=by_file)
    except KeyTaken:
        return ledger.arrivals.record(kit.name, file_key(source.name, taken=True), source, via, sole_owner=True)


def _require_known_day(kit: FeedKit, partition: str) -> None:
    if kit.feed.partition.by == "day" and not kit.partitions.has_partition_key(partition):
        raise Refusal(Code.NO_PARTITION, f"{partition} in the file's name lies in the future.")


def _ambiguous(kit: FeedKit, before: Arrival, source: Source) -> bool:
    """Whether another file that is still there stands for the same period."""
    if kit.feed.partition.by == "file" or kit.feed.partition.many == "newest" or before.source is None:
        return False
    return before.source.uri != source.uri and path_of(before.source.uri).is_file()


def _hold(ledger: Ledger, arrival: Arrival, refusal: Refusal) -> Arrived:
    record = ledger.partitions.get(arrival.feed, arrival.partition)
    if record is not None and record.state is State.ARRIVED:
        ledger.partitions.move(
            arrival.feed,
            arrival.partition,
            State.QUARANTINED,
            expect_version=record.version,
            code=str(refusal.code),
            message=f"{arrival.source.name if arrival.source else ''}: {refusal.message}",
        )
    return Arrived(arrival, refusal)
