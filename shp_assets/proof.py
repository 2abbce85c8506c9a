"""Proof that healing healed: the sinks of an incident's partitions are read again, and only then it is closed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from shp_assets.kit import FeedKit
from shp_assets.steps import SINK
from shp_core.errors import Fault
from shp_core.healing.inventory import is_looked_after
from shp_core.states import HELD_STATES, State
from shp_resources.lake.agree import clean_rows
from shp_resources.lake.publish import curated_folder
from shp_resources.ledger import Incident, Member, PartitionRecord
from shp_resources.outside import Outside

HEALED, MOVED, WAIVED = "healed", "moved", "waived"
_SECONDS = 10.0
"""How long sinks are read in one go; the rest is read at the next."""


def prove(outside: Outside, kits: Mapping[str, FeedKit]) -> list[Incident]:
    """Let healed partitions leave their incidents, and close those that hold none any more; returns these.

    Args:
        outside: the outside systems.
        kits: the feeds.
    """
    if not outside.ledger.incidents.any_open():
        return []
    until = time.monotonic() + _SECONDS
    shut = {breaker.name for breaker in outside.ledger.breakers.open()}
    found = [incident for incident in outside.ledger.incidents.open() if not is_looked_after(incident.cause)]
    records = _records(outside, found)
    for incident in found:
        for member, outcome in _leaving(outside, kits, incident, records, shut):
            outside.ledger.incidents.leave(incident.id, member, outcome, outside.clock.now())
            if time.monotonic() > until:
                return []
    return list(_closed(outside, shut))


def _closed(outside: Outside, shut: set[str]) -> Iterator[Incident]:
    found = [incident for incident in outside.ledger.incidents.open() if not is_looked_after(incident.cause)]
    over = [incident for incident in found if not incident.held and incident.cause not in shut]
    for incident in over:
        if outside.ledger.incidents.close(incident.id, _proof(incident), outside.clock.now()):
            yield incident


def _proof(incident: Incident) -> str:
    healed = sum(member.outcome == HEALED for member in incident.members)
    others = len(incident.members) - healed
    words = f"{healed} partitions were read again in every sink and hold what the ledger recorded"
    return f"{words}; {others} are not held by it any more." if others else f"{words}."


def _records(outside: Outside, found: list[Incident]) -> dict[tuple[str, str], PartitionRecord]:
    feeds = {member.feed for incident in found for member in incident.held}
    return {(record.feed, record.partition): record for feed in feeds for record in outside.ledger.partitions.list(feed)}


def _leaving(
    outside: Outside, kits: Mapping[str, FeedKit], incident: Incident, records: Mapping[tuple[str, str], PartitionRecord], shut: set[str]
) -> Iterator[tuple[Member, str]]:
    """The members that the cause holds no more, with how they got away."""
    for member in incident.held:
        record = records.get((member.feed, member.partition))
        if record is None or record.state is State.WAIVED:
            yield member, WAIVED
        elif record.state in HELD_STATES and record.cause != incident.cause:
            yield member, MOVED
        elif record.state.is_published and SINK not in shut and _agrees(outside, kits, member):
            yield member, HEALED


def _agrees(outside: Outside, kits: Mapping[str, FeedKit], member: Member) -> bool:
    """Whether the sinks' own rows are those that the ledger recorded."""
    sinks = outside.ledger.publications.sinks(member.feed, member.partition)
    known, kit = sinks.get(SINK), kits.get(member.feed)
    if kit is None or known is None or not known.agrees:
        return False
    try:
        held = outside.warehouse.read_back(kit.target, member.partition)
        here = (held.loaded + held.displaced, held.hash)
        return here == (known.rows, known.hash) and (kit.lake is None or _in_lake(outside, kit.lake, member) == here)
    except Fault:
        return False  # no proof: the next look asks again


def _in_lake(outside: Outside, path: str, member: Member) -> tuple[int, str] | None:
    """Rows and hash of the clean rows that lie in the lake now."""
    with outside.store.scratch() as scratch:
        return clean_rows(outside.lake, curated_folder(path, member.partition), scratch)
