"""Gaps in the lake: a published partition whose files are gone or changed is parked, told once, and its run to the lake is due.

Must not live here: that run (`lake_steps`), and gaps in the warehouse (`gaps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from shp_assets.gaps import gap_cause
from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.states import State
from shp_resources.lake.agree import clean_rows
from shp_resources.lake.manifests import is_whole, standing
from shp_resources.lake.publish import Partition
from shp_resources.lake.settings import lake_systems
from shp_resources.ledger import LAKE, StaleState
from shp_resources.ledger.partitions import Fields
from shp_resources.outside import Outside


def note_lake_gaps(outside: Outside, kit: FeedKit, partitions: Iterable[str]) -> list[str]:
    """Read published partitions again in the lake; returns those that do not stand there as they were published.

    Args:
        outside: the outside systems.
        kit: the feed.
        partitions: which of its published partitions.

    Raises:
        Fault: the lake cannot be asked.
    """
    shut = {breaker.name for breaker in outside.ledger.breakers.open()}
    if kit.lake is None or shut.intersection(lake_systems(outside.settings)):
        return []
    return [partition for partition in _missing(outside, kit, kit.lake, partitions) if _park(outside, kit, partition)]


def _missing(outside: Outside, kit: FeedKit, path: str, partitions: Iterable[str]) -> Iterator[str]:
    for partition in partitions:
        known = outside.ledger.lake.get(kit.name, partition)
        if known is not None and known.complete and not _stands(outside, Partition(kit.name, path, partition, "", (0, 0)), known.hash):
            yield partition


def _stands(outside: Outside, partition: Partition, expected: str | None) -> bool:
    """Whether clean rows are there with the hash that was published, and text rows beside them."""
    text = standing(outside.lake, partition.lake)
    if text is None or not is_whole(outside.lake, partition.lake, text):
        return False
    clean = standing(outside.lake, partition.curated)
    if clean is None or not is_whole(outside.lake, partition.curated, clean):
        return False
    with outside.store.scratch() as scratch:
        found = clean_rows(outside.lake, partition.curated, scratch)
        return found is not None and found[1] == expected


def _park(outside: Outside, kit: FeedKit, partition: str) -> bool:
    ledger, now = outside.ledger, outside.clock.now()
    code, message = str(Code.SINK_GAP), f"{outside.lake.label} does not hold {kit.name}/{partition} as it was published."
    beside: Fields = {"code": code, "message": message, "behind": LAKE, "cause": gap_cause(kit), "next_attempt_at": now}
    with suppress(StaleState), ledger.transaction():
        ledger.partitions.lock(kit.name, partition)
        record = ledger.partitions.get(kit.name, partition)
        if record is None or not record.state.is_published:
            return False
        ledger.partitions.move(kit.name, partition, State.PARKED, expect_version=record.version, **beside)
        ledger.lake.hold(kit.name, partition, None, code, message, now)
        ledger.incidents.join(gap_cause(kit), kit.name, partition, severity="warning", code=code, message=message, at=now)
        return True
    return False
