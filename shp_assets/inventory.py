"""The inventory taken: what the ledger holds, and the incidents about what nobody would be told of otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shp_assets.kit import FeedKit
from shp_assets.proof import HEALED, MOVED, WAIVED
from shp_core.codes import Code
from shp_core.healing.decide import TABLE, Severity, Telling
from shp_core.healing.inventory import CALM, HEALED_OFTEN, INVENTORY, WITHIN, Held, recurring, recurs, silent, summary
from shp_core.states import HELD_STATES, State
from shp_resources.ledger import Incident, Member, PartitionRecord
from shp_resources.outside import Outside

Key = tuple[str, str]
_WARNING = str(Severity.WARNING)
_UNTOLD = [str(kind) for kind, treatment in TABLE.items() if treatment.telling is Telling.AT_LAST]
"""The fault kinds that heal without anybody being told."""


def take_inventory(outside: Outside, kits: Mapping[str, FeedKit]) -> str:
    """Look at all that is held, tell people of what nobody told them, and take back what is over.

    Args:
        outside: the outside systems.
        kits: the feeds.

    Returns:
        The summary, for people.
    """
    held = [_held(record) for name in kits for record in outside.ledger.partitions.list(name, HELD_STATES)]
    _tell_silent(outside, held)
    _tell_recurring(outside)
    return summary(held, outside.clock.now())


def _held(record: PartitionRecord) -> Held:
    return Held(record.feed, record.partition, str(record.state), record.code or "-", record.updated_at)


def _tell_silent(outside: Outside, held: list[Held]) -> None:
    """One incident about all that is held for long without one."""
    now, found = outside.clock.now(), outside.ledger.incidents.open()
    told = {(member.feed, member.partition) for incident in found if incident.cause != INVENTORY for member in incident.held}
    untold = silent(held, told, now)
    message = summary(untold, now)
    for feed in dict.fromkeys(one.feed for one in untold):
        names = [one.partition for one in untold if one.feed == feed]
        outside.ledger.incidents.join_all(INVENTORY, feed, names, severity=_WARNING, code=str(Code.STILL_HELD), message=message, at=now)
    still = {(one.feed, one.partition) for one in untold}
    for incident in (one for one in found if one.cause == INVENTORY):
        _leave(outside, incident, [member for member in incident.held if (member.feed, member.partition) not in still])
        outside.ledger.incidents.close(incident.id, "None of its partitions is held untold any more.", now)


def _tell_recurring(outside: Outside) -> None:
    """An incident for each cause that healing hides, until it is gone for a day."""
    now = outside.clock.now()
    attempts = outside.ledger.attempts
    often = {cause: keys for cause, keys in attempts.ended_in(_UNTOLD, now - WITHIN).items() if sum(keys.values()) >= HEALED_OFTEN}
    lately = attempts.ended_in(_UNTOLD, now - CALM)
    for cause, keys in often.items():
        if cause in lately:
            _join(outside, cause, keys)
    for incident in outside.ledger.incidents.open():
        cause_ = recurs(incident.cause)
        if cause_ is not None and cause_ not in lately:
            _leave(outside, incident, incident.held)
            outside.ledger.incidents.close(incident.id, f"No run met {cause_} for a day.", now)


def _join(outside: Outside, cause: str, keys: Mapping[Key, int]) -> None:
    runs = sum(keys.values())
    message = f"{runs} runs met {cause} within {WITHIN.days} days; each was healed, and nobody looked at the cause."
    for feed in dict.fromkeys(feed for feed, _ in keys):
        names = [partition for owner, partition in keys if owner == feed]
        said = {"severity": _WARNING, "code": str(Code.HEALED_OFTEN), "message": message}
        outside.ledger.incidents.join_all(recurring(cause), feed, names, at=outside.clock.now(), **said)


def _leave(outside: Outside, incident: Incident, members: Iterable[Member]) -> None:
    for member in members:
        record = outside.ledger.partitions.get(member.feed, member.partition)
        state = record.state if record else State.WAIVED
        outcome = HEALED if state.is_published else WAIVED if state is State.WAIVED else MOVED
        outside.ledger.incidents.leave(incident.id, member, outcome, outside.clock.now())
