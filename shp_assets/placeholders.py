"""What stands in for late partitions: kept as it is to be, in the warehouse and in the ledger.

A level, not an edge: each look compares what is to stand in with what is noted. Must not live here: which partition that
is (`shp_core.expectations.placeholders`), and how a real delivery ends it (the publishing transaction).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from shp_assets.kit import FeedKit
from shp_core.expectations.placeholders import stand_ins
from shp_core.states import State
from shp_resources.ledger import StaleState
from shp_resources.ledger.expected import STANDS_IN, Standing
from shp_resources.outside import Outside

_NOT_AWAITED = (State.WAIVED, State.EXPECTED)


def keep_placeholders(outside: Outside, kit: FeedKit, known: Mapping[str, Standing]) -> dict[str, str]:
    """Let the newest good partition stand in for each late one, where the feed allows it; returns what stands in.

    A late file that came and is refused is stood in for until a good one is published.

    Args:
        outside: the outside systems.
        kit: the feed.
        known: where its partitions stand.

    Raises:
        Fault: the warehouse cannot be asked.
    """
    noted = outside.ledger.expectations.stand_ins(kit.name)
    if kit.feed.partition.placeholder_days is None and not noted:
        return {}
    good = [key for key, found in known.items() if found.state.is_published]
    late = [key for key, found in known.items() if found.state is State.LATE or (key in noted and _waits(found))]
    wanted = stand_ins(kit.feed.partition, late, good)
    if wanted != noted:
        outside.warehouse.set_placeholders(kit.target, wanted)
        for key in sorted({*wanted, *noted}):
            if wanted.get(key) != noted.get(key):
                _note(outside, kit, key, wanted.get(key))
    return wanted


def _waits(found: Standing) -> bool:
    return not found.state.is_published and found.state not in _NOT_AWAITED


def _note(outside: Outside, kit: FeedKit, partition: str, source: str | None) -> None:
    ledger = outside.ledger
    record = ledger.partitions.get(kit.name, partition)
    if record is None:
        return
    flags = {name: value for name, value in record.flags.items() if name != STANDS_IN}
    beside = {**flags, STANDS_IN: source} if source else flags
    with suppress(StaleState), ledger.transaction():  # somebody moved it: the next look sees the difference again
        ledger.partitions.move(kit.name, partition, record.state, expect_version=record.version, flags=beside)
        ledger.publications.note_placeholder(kit.name, partition, source, outside.clock.now())
