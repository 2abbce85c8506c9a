"""Which addresses of a feed's source are looked at: all periods have one where the address names the period."""

from __future__ import annotations

from shp_assets.kit import FeedKit
from shp_core.expectations.periods import begins, key_of, spelled
from shp_core.fallbacks import FALLBACK
from shp_core.feeds.origin import Origin
from shp_core.states import PUBLISHED_STATES, State
from shp_resources.outside import Outside

NEWEST, RECENT = 3, 31
"""So many of the newest periods are looked at whatever their state, and so many while they are not published."""


def addresses(outside: Outside, kit: FeedKit, origin: Origin) -> list[Origin]:
    """The addresses to look at, newest period first.

    Args:
        outside: the outside systems.
        kit: the feed.
        origin: its source, or a fallback.
    """
    if not origin.by_period:
        return [origin]
    spec = kit.feed.partition
    records = outside.ledger.partitions.list(kit.name, {*PUBLISHED_STATES, State.WAIVED})
    done = {record.partition for record in records if FALLBACK not in record.flags}  # what a fallback gave is still wanted
    recent = list(begins(spec, outside.clock.now()))[-RECENT:][::-1]
    return [origin.at(spelled(spec, begin)) for number, begin in enumerate(recent) if number < NEWEST or key_of(begin) not in done]
