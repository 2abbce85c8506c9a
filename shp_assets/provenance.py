"""Where what is published came from: the source itself, a fallback, the last good delivery; and which flags that leaves.

Must not live here: when a fallback is asked (`shp_core.fallbacks`), and the moves of states (`work`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shp_core.fallbacks import FALLBACK, SNAPSHOT
from shp_resources.landing import is_local
from shp_resources.ledger import STALE, Arrival, PartitionRecord
from shp_resources.ledger.expected import STANDS_IN

GAP = "gap"
"""The flag of a partition that a sink was seen not to hold, with the reason; it goes when the sink is written again."""

_OVER = (STALE, GAP, STANDS_IN, FALLBACK)


def fallback_of(arrival: Arrival) -> str | None:
    """Which fallback an arrival came from, None where it is the source's own."""
    if arrival.via == FALLBACK and arrival.source is not None:
        return arrival.source.uri
    return SNAPSHOT if arrival.via == SNAPSHOT else None


def came_from(arrival: Arrival) -> dict[str, str]:
    """What is shown of an arrival's way here beside its name: the address of a remote source, and whether it is a fallback."""
    uri = arrival.source.uri if arrival.source is not None and not is_local(arrival.source.uri) else None
    return {name: said for name, said in (("uri", uri), (FALLBACK, fallback_of(arrival))) if said}


def stood_in(record: PartitionRecord | None, arrival: Arrival) -> str | None:
    """The fallback whose rows an arrival of the source itself takes the place of, None where there is none."""
    return record.flags.get(FALLBACK) if record is not None and fallback_of(arrival) is None else None


def flags_after(record: PartitionRecord, arrival: Arrival, delivery: str, now: datetime) -> dict[str, Any]:
    """The flags of a partition that is published: what it is no more is gone, what it is now is there.

    Args:
        record: the partition before.
        arrival: what was published.
        delivery: SHA-256 of its bytes.
        now: the present instant.
    """
    flags = {name: value for name, value in record.flags.items() if name not in _OVER}
    replaced = stood_in(record, arrival) is not None and record.delivery != delivery
    if STANDS_IN in record.flags or replaced:
        flags["reconciled_at"] = now.isoformat()
    fallback = fallback_of(arrival)
    return {**flags, FALLBACK: fallback} if fallback else flags
