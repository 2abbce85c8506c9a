"""From a file that was seen to an arrival of a partition; shared by the sensor and by `shp ingest`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.errors import Refusal
from shp_core.partitions import file_key, partition_key, unplaced_key
from shp_core.states import State
from shp_resources.landing import Seen, lies_there, path_of, printable
from shp_resources.ledger import Arrival, KeyTaken, Ledger, PartitionRecord, SeenSource, Source

BEFORE_A_RUN = (Code.NO_PARTITION, Code.AMBIGUOUS_PARTITION)
"""Why a file is held without having been opened."""


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


def arrive(ledger: Ledger, kit: FeedKit, seen: Seen, via: str, there: Callable[[Source], bool] = lies_there) -> Arrived:
    """Note in the ledger that a file arrived; a file no run can take up is held with the reason.

    Args:
        ledger: the ledger.
        kit: the feed.
        seen: the file as it lies there.
        via: who saw it (`sensor`, `ingest`, `fallback`).
        there: whether another source that was seen before is still there.
    """
    with ledger.transaction():  # an arrival that is to be held is never seen as one that waits for a run
        try:
            partition = place_of(kit, seen.source)
        except Refusal as unplaced:
            return _hold(ledger, ledger.arrivals.record(kit.name, _unplaced(seen.source), seen.source, via), unplaced)
        arrival = _record(ledger, kit, partition, seen.source, via)
        _clear_unplaced(ledger, kit, seen.source)
        known = ledger.arrivals.known_sources(kit.name).values() if _one_file_a_day(kit) else ()
        rival = rival_of(kit, partition, seen.source, known, there)
        if rival is not None:
            return _hold(ledger, arrival, _ambiguous(partition, seen.source, rival.source))
        _release(ledger, arrival)
        return Arrived(arrival)


def place_of(kit: FeedKit, source: Source) -> str:
    """The partition that a file stands for.

    Raises:
        Refusal: `no_partition`.
    """
    partition = partition_key(kit.feed, _name(source))
    if kit.feed.partition.by_period and not kit.partitions.has_partition_key(partition):
        raise Refusal(Code.NO_PARTITION, f"{partition} in the file's name lies in the future.")
    return partition


def is_free(
    kit: FeedKit, file: Seen, known: Mapping[str, SeenSource], record: PartitionRecord, there: Callable[[Source], bool] = lies_there
) -> bool:
    """Whether a file was held without having been opened, and need not be: it has a place now, or its rival is gone.

    Args:
        kit: the feed.
        file: the file as it lies there.
        known: the feed's sources as they were last seen.
        record: where its partition stands.
        there: whether another source that was seen before is still there.
    """
    unopened = record.code in BEFORE_A_RUN and _has_place(kit, file)
    return unopened and rival_of(kit, record.partition, file.source, known.values(), there) is None


def _has_place(kit: FeedKit, file: Seen) -> bool:
    try:
        place_of(kit, file.source)
    except Refusal:
        return False
    return True


def rival_of(
    kit: FeedKit, partition: str, source: Source, known: Iterable[SeenSource], there: Callable[[Source], bool] = lies_there
) -> SeenSource | None:
    """A file of another name that is still there and stands for the same period, where that is not allowed.

    Args:
        kit: the feed.
        partition: the period.
        source: the file.
        known: the feed's sources as they were last seen.
        there: whether one of them is still there.
    """
    others = (seen for seen in known if seen.partition == partition and seen.source.name != source.name)
    return next((seen for seen in others if _one_file_a_day(kit) and there(seen.source)), None)


def _one_file_a_day(kit: FeedKit) -> bool:
    return kit.feed.partition.by_period and kit.feed.partition.many is None


def _record(ledger: Ledger, kit: FeedKit, partition: str, source: Source, via: str) -> Arrival:
    """The partition's newest arrival, which is this file: also if it was seen before, and another file since."""
    by_file = kit.feed.partition.by == "file"
    try:
        arrival = ledger.arrivals.record(kit.name, partition, source, via, sole_owner=by_file)
    except KeyTaken:
        arrival = ledger.arrivals.record(kit.name, file_key(_name(source), taken=True), source, via, sole_owner=True)
    newest = ledger.arrivals.current(kit.name, arrival.partition)
    if newest is None or newest.number == arrival.number:
        return arrival
    return ledger.arrivals.record(kit.name, arrival.partition, source, via, sole_owner=by_file, again=True)


def _name(source: Source) -> str:
    """The file's name with every byte of it; the ledger's is for people, or the one that another source's file stands for."""
    name = path_of(source.uri).name
    return name if printable(name) == source.name else source.name


def _unplaced(source: Source) -> str:
    return unplaced_key(_name(source))


def _ambiguous(partition: str, source: Source, other: Source) -> Refusal:
    message = f"{source.name} and {other.name} both stand for {partition}."
    return Refusal(Code.AMBIGUOUS_PARTITION, message, {"files": [source.name, other.name]})


def _clear_unplaced(ledger: Ledger, kit: FeedKit, source: Source) -> None:
    """A file that has found its place is not missed where it was held without one."""
    record = ledger.partitions.get(kit.name, _unplaced(source)) if kit.feed.partition.by_period else None
    if record is not None and record.state is State.QUARANTINED:
        ledger.partitions.move(
            kit.name, record.partition, State.WAIVED, expect_version=record.version, message="The file has its place now."
        )


def _hold(ledger: Ledger, arrival: Arrival, refusal: Refusal) -> Arrived:
    record = ledger.partitions.get(arrival.feed, arrival.partition)
    if record is not None and record.state in (State.ARRIVED, State.RUNNING):
        message = f"{arrival.source.name if arrival.source else ''}: {refusal.message}"
        _move(ledger, record, State.QUARANTINED, code=str(refusal.code), message=message)
    return Arrived(arrival, refusal)


def _release(ledger: Ledger, arrival: Arrival) -> None:
    """What kept the file from being opened is gone."""
    record = ledger.partitions.get(arrival.feed, arrival.partition)
    if record is not None and record.state is State.QUARANTINED and record.code in BEFORE_A_RUN:
        _move(ledger, record, State.ARRIVED)


def _move(ledger: Ledger, record: PartitionRecord, to: State, code: str | None = None, message: str | None = None) -> None:
    ledger.partitions.move(record.feed, record.partition, to, expect_version=record.version, code=code, message=message)
