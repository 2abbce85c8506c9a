"""Gaps between what was published and what stands in the sinks: found by counting, noted in the ledger, told once.

What the ledger calls published and a sink does not hold is `parked` again, so nobody is told of rows that are not there.
Must not live here: asking for the runs that fill it (`backfill`), and the proof (`proof`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from shp_assets.kit import FeedKit
from shp_assets.provenance import GAP
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.gaps import MEANINGS, Why, gap
from shp_core.states import HELD_STATES, PUBLISHED_STATES, State
from shp_resources.ledger import PartitionRecord, StaleState
from shp_resources.ledger.partitions import Fields
from shp_resources.ledger.publications import Published
from shp_resources.outside import Outside
from shp_resources.sinks import SinkView, WarehouseView

PATIENCE = timedelta(hours=1)
"""How long the backfill that is asked for has, before the partition is due for a re-drive of its own."""


@dataclass(frozen=True)
class Gap:
    """A partition that is to be filled.

    Args:
        partition: its key.
        version: version of its record when it was seen.
        arrival: number of its newest arrival; the oldest is filled first.
        sinks: the sinks that do not hold it.
        why: why, of the first of them.
        code: why it is held, where that is the reason.
    """

    partition: str
    version: int
    arrival: int
    sinks: tuple[str, ...]
    why: Why
    code: str | None = None


def sinks_of(outside: Outside) -> list[SinkView]:
    """The sinks that can be looked at."""
    return [WarehouseView(outside.warehouse)]


def find_gaps(outside: Outside, kit: FeedKit, published: Mapping[str, Published], reread: Collection[str] = ()) -> list[Gap]:
    """Published partitions of a feed that a sink does not hold, oldest arrival first.

    Args:
        outside: the outside systems.
        kit: the feed.
        published: what the ledger knew before: what is published meanwhile has another version by now.
        reread: partitions whose rows are read, not only counted.

    Raises:
        Fault: a sink cannot be asked.
    """
    missing: dict[str, list[tuple[str, Why]]] = {}
    for sink in sinks_of(outside) if published else ():
        for key, why in _of_sink(sink, kit, published, reread):
            missing.setdefault(key, []).append((sink.name, why))
    return _oldest_first(_gap(published[key], found) for key, found in missing.items())


def _gap(known: Published, found: Sequence[tuple[str, Why]]) -> Gap:
    return Gap(known.partition, known.version, known.arrival, tuple(name for name, _ in found), found[0][1])


def _of_sink(sink: SinkView, kit: FeedKit, published: Mapping[str, Published], reread: Collection[str]) -> Iterator[tuple[str, Why]]:
    held = sink.holds(kit.target)
    for key, known in published.items():
        intended = known.sinks.get(sink.name)
        if intended is None:
            continue  # not this sink's, or the ledger was rebuilt and does not know yet
        why = gap(intended, held.get(key))
        if why is None and key in reread:
            why = gap(intended, held[key], reread=sink.read_back(kit.target, key))
        if why is not None:
            yield key, why


def stale(outside: Outside, kit: FeedKit) -> list[Gap]:
    """Published partitions that another contract or converter judged than the one in force, oldest arrival first."""
    now = (kit.contract.version, CONVERTER_VERSION)
    found = outside.ledger.partitions.list(kit.name, PUBLISHED_STATES)
    return _recorded(outside, (item for item in found if (item.contract_version, item.converter_version) != now), Why.STALE)


def held_back(outside: Outside, kit: FeedKit) -> list[Gap]:
    """Partitions that wait, are parked or exhausted, which a person may want to run now; not what was refused, or waits for the lake."""
    found = outside.ledger.partitions.list(kit.name, HELD_STATES - {State.QUARANTINED})
    return _recorded(outside, (item for item in found if item.arrival is not None and item.behind is None), Why.HELD)


def _recorded(outside: Outside, records: Iterable[PartitionRecord], why: Why) -> list[Gap]:
    names = tuple(sink.name for sink in sinks_of(outside))
    return _oldest_first(Gap(item.partition, item.version, item.arrival or 0, names, why, item.code) for item in records)


def _oldest_first(gaps: Iterable[Gap]) -> list[Gap]:
    return sorted(gaps, key=lambda item: item.arrival)


def note_gaps(outside: Outside, kit: FeedKit, gaps: Sequence[Gap]) -> list[Gap]:
    """Park what a sink does not hold, and tell people once; returns what was still as it was seen.

    Args:
        outside: the outside systems.
        kit: the feed.
        gaps: published partitions.
    """
    with outside.ledger.transaction():
        noted = [found for found in gaps if _park(outside, kit, found)]
        if noted:
            first = noted[0]
            message = f"{first.sinks[0]}: {MEANINGS[first.why]} ({kit.name}/{first.partition}{_more(noted)})."
            said = {"severity": "warning", "code": str(Code.SINK_GAP), "message": message}
            keys = [found.partition for found in noted]
            outside.ledger.incidents.join_all(gap_cause(kit), kit.name, keys, at=outside.clock.now(), **said)
    return noted


def _more(noted: Sequence[Gap]) -> str:
    return f" and {len(noted) - 1} more" if len(noted) > 1 else ""


def _park(outside: Outside, kit: FeedKit, found: Gap) -> bool:
    record = outside.ledger.partitions.get(kit.name, found.partition)
    if record is None or record.version != found.version:
        return False  # it is being published: the next look tells
    said: Fields = {
        "code": str(Code.SINK_GAP),
        "message": f"{found.sinks[0]}: {MEANINGS[found.why]}.",
        "cause": gap_cause(kit),
        "next_attempt_at": outside.clock.now() + PATIENCE,
        "flags": {**record.flags, GAP: str(found.why)},
    }
    with suppress(StaleState):
        outside.ledger.partitions.move(kit.name, found.partition, State.PARKED, expect_version=found.version, **said)
        return True
    return False


def gap_cause(kit: FeedKit) -> str:
    """The cause under which people are told of a feed's gaps."""
    return f"{Code.SINK_GAP}/{kit.name}"
