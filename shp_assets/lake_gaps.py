"""Gaps in the lake: a published partition whose files are gone or changed is parked, told once, and its run to the lake is due.

Must not live here: that run (`lake_steps`), and gaps in the warehouse (`gaps`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shp_assets.gaps import gap_cause
from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.gaps import in_turn
from shp_core.states import State
from shp_resources.lake.agree import clean_rows
from shp_resources.lake.manifests import is_whole, standing
from shp_resources.lake.publish import Partition
from shp_resources.lake.settings import lake_systems
from shp_resources.ledger import LAKE, StaleState
from shp_resources.ledger.partitions import Fields
from shp_resources.ledger.publications import Published
from shp_resources.outside import Outside

LENGTHS_A_LOOK = 20
"""Of how many partitions in turn manifests and lengths are compared at a look."""

MOST = 100
"""Of how many that are absent or changed; the next look goes on with the others."""


@dataclass(frozen=True)
class Looked:
    """What a look at a feed in the lake found.

    Args:
        gaps: partitions that do not stand there as they were published.
        after: the partition whose lengths were compared last, in turn.
        changed_at: the newest change of a partition's folder that was seen, in seconds since 1970 by the lake's clock.
    """

    gaps: tuple[str, ...] = ()
    after: str = ""
    changed_at: float = 0.0


def note_lake_gaps(outside: Outside, kit: FeedKit, published: Mapping[str, Published], reread: Collection[str], before: Looked) -> Looked:
    """Compare what was published with what lies in the lake; what does not stand there is parked.

    All folders by two listings, manifests and lengths where a folder changed and of some in turn, rows of few.

    Args:
        outside: the outside systems.
        kit: the feed.
        published: the feed's published partitions.
        reread: those whose rows are read again.
        before: the last look.

    Raises:
        Fault: the lake cannot be asked.
    """
    shut = {breaker.name for breaker in outside.ledger.breakers.open()}
    if kit.lake is None or shut.intersection(lake_systems(outside.settings)):
        return before
    intended = sorted(key for key, known in published.items() if LAKE in known.sinks)
    folders = _folders(outside, kit.lake, intended)
    turn = in_turn(intended, before.after, LENGTHS_A_LOOK)
    changed = [key for key, at in folders.items() if at > before.changed_at]
    absent = [key for key in intended if key not in folders]
    looked_at = dict.fromkeys([*absent[:MOST], *changed[:MOST], *turn, *(key for key in reread if key in folders)])
    missing = [key for key in looked_at if not _holds(outside, kit.lake, kit.name, key, with_rows=key in reread)]
    gaps = tuple(key for key in missing if _park(outside, kit, key))
    seen = max(folders.values(), default=0.0) if len(changed) <= MOST else before.changed_at
    return Looked(gaps, turn[-1] if turn else "", max(seen, before.changed_at))


def _folders(outside: Outside, path: str, intended: Iterable[str]) -> dict[str, float]:
    """The partitions that have both folders, with the newer of their changes."""
    text, clean = ({entry.name: entry.changed_at for entry in outside.lake.entries(f"{root}/{path}")} for root in ("lake", "curated"))
    named = {key: f"partition={key}" for key in intended}
    return {key: max(text[name], clean[name]) for key, name in named.items() if name in text and name in clean}


def _holds(outside: Outside, path: str, feed: str, key: str, *, with_rows: bool) -> bool:
    """Whether the lake holds a partition, if it is to hold it."""
    known = outside.ledger.lake.get(feed, key)
    if known is None or not known.complete:
        return True  # it is not there yet: its run is due
    partition = Partition(feed, path, key, "", (0, 0))
    return _stands(outside, partition, known.hash) if with_rows else _is_whole(outside, partition)


def _is_whole(outside: Outside, partition: Partition) -> bool:
    """Whether the manifests of text rows and of clean rows are there, and every file that they name, with its length."""
    for folder in (partition.lake, partition.curated):
        manifest = standing(outside.lake, folder)
        if manifest is None or not is_whole(outside.lake, folder, manifest):
            return False
    return True


def _stands(outside: Outside, partition: Partition, expected: str | None) -> bool:
    """Whether clean rows are there with the hash that was published, and text rows beside them."""
    if not _is_whole(outside, partition):
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
