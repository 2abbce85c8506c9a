"""Days of which a number of files is expected: planned in the ledger, late when too few came, told with what is missing.

Must not live here: what came of a day (`shp_core.expectations.counted`), and when people are told no more (`lateness`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from shp_assets.kit import FeedKit
from shp_core.codes import Code
from shp_core.expectations.counted import Tally, days_of
from shp_core.states import State
from shp_resources.outside import Outside


def plan_days(outside: Outside, kit: FeedKit, now: datetime) -> list[Tally]:
    """Bring the ledger's days up to the feed file; what came of each.

    Args:
        outside: the outside systems.
        kit: the feed.
        now: the present instant.
    """
    outside.ledger.days.plan(kit.name, days_of(kit.feed.partition, now), now)
    return outside.ledger.days.tallies(kit.name, kit.feed.partition, now)


def newly_short(outside: Outside, kit: FeedKit, tallies: Collection[Tally], now: datetime) -> list[Tally]:
    """The days that are late and that people were not told of yet."""
    late = [tally for tally in tallies if tally.state(now) is State.LATE]
    if not late:
        return []
    told = {member.partition for found in outside.ledger.incidents.of_cause(f"{Code.LATE}/{kit.name}") for member in found.held}
    return [tally for tally in late if tally.day.key not in told]


def words(kit: FeedKit, tally: Tally) -> str:
    """What people are told of a late day."""
    spec, day = kit.feed.partition, tally.day
    due = f"{day.due_at.astimezone(spec.zone):%Y-%m-%d %H:%M} {spec.timezone}"
    return f"{tally.came:,} of {day.wanted:,} files came for {kit.name} on {day.key}, due {due}."


def states_of(tallies: Collection[Tally], now: datetime) -> dict[str, State]:
    """Where each day stands."""
    return {tally.day.key: tally.state(now) for tally in tallies}


def lacking_files(outside: Outside, kit: FeedKit) -> int:
    """How many files are due and did not come, of a feed that expects a number of them each day; 0 of others."""
    now = outside.clock.now()
    late = [tally for tally in outside.ledger.days.tallies(kit.name, kit.feed.partition, now) if tally.state(now) is State.LATE]
    return sum(tally.day.wanted - tally.came for tally in late)
