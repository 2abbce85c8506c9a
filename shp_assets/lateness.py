"""Lateness: what feeds expect goes into the ledger, what is due and did not come is late, and people are told once.

A partition is judged by its own due time: the delivery of another day never makes it green. Must not live here: when a
partition is due (`shp_core.expectations`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shp_assets.arrive import place_of
from shp_assets.counted import newly_short, plan_days, states_of, words
from shp_assets.kit import FeedKit
from shp_assets.placeholders import keep_placeholders
from shp_assets.proof import MOVED, WAIVED
from shp_assets.remote import lying_at_source
from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.expectations.counted import Tally
from shp_core.expectations.expected import awaits, expected
from shp_core.expectations.usual import RECENT, is_unusual, usual_lead
from shp_core.states import State
from shp_resources.landing import Seen, look
from shp_resources.ledger import Incident
from shp_resources.ledger.expected import Standing, changed_dues
from shp_resources.outside import Outside

_AWAITED = (State.EXPECTED, State.LATE)
_SEVERITIES = {Code.LATE: "warning", Code.UNUSUALLY_LATE: "info"}
CAME = "came"
"""How a partition leaves when its file is there; whether that is published is another incident's business."""


@dataclass(frozen=True)
class Late:
    """What a look at a feed found.

    Args:
        planned: partitions that are expected from now on.
        turned: partitions that are late since this look, with their due times.
        short: days that are late since this look, of a feed that expects a number of files.
    """

    planned: int = 0
    turned: tuple[tuple[str, datetime], ...] = ()
    short: tuple[Tally, ...] = ()


def look_for_late(outside: Outside, kit: FeedKit) -> Late:
    """Bring the ledger up to what a feed expects by now, and tell people what is late.

    Args:
        outside: the outside systems.
        kit: the feed.
    """
    expectations, spec, now = outside.ledger.expectations, kit.feed.partition, outside.clock.now()
    due = {item.partition: item.due_at for item in expected(spec, now)}
    known = expectations.known(kit.name, awaited_only=not awaits(spec) or spec.a_day is not None)
    days, short = _look_at_days(outside, kit, now)
    if short:
        _tell(outside, kit, Code.LATE, [tally.day.key for tally in short], words(kit, short[0]))
    if not due and not known:
        _let_go(outside, kit, states_of(days, now))
        return Late(short=tuple(short))
    lying = _lying(outside, kit, known, due, now)
    with outside.ledger.transaction():
        planned = _plan(outside, kit, known, due)
        back = expectations.turn_expected(kit.name, now) if _some(known, State.LATE) else []
        turned = expectations.turn_late(kit.name, now, but=lying) if _any_due(known, due, now) else []
        if turned:
            _tell(outside, kit, Code.LATE, turned, f"No file came for {kit.name}/{turned[0]}, due {_when(kit, due[turned[0]])}.")
            outside.ledger.publications.note_placeholder(kit.name, turned[0], None, now)  # roll-ups miss it from now on
    if planned or back or turned:
        known = expectations.known(kit.name)
    _warn(outside, kit, known, due, now)
    _let_go(outside, kit, {key: found.state for key, found in known.items()} | states_of(days, now))
    keep_placeholders(outside, kit, known)
    return Late(planned, tuple((key, at) for key in turned if (at := due[key]) is not None), tuple(short))


def _look_at_days(outside: Outside, kit: FeedKit, now: datetime) -> tuple[list[Tally], list[Tally]]:
    """What came of each day of which a number of files is expected, and which of them people are to be told of."""
    if kit.feed.partition.a_day is None:
        return [], []
    days = plan_days(outside, kit, now)
    short = newly_short(outside, kit, days, now)
    if short:  # only then: where files lie may be far away
        days = outside.ledger.days.tallies(kit.name, kit.feed.partition, now, lying=_lying_files(outside, kit))
        short = newly_short(outside, kit, days, now)
    return days, short


def _any_due(known: Mapping[str, Standing], due: Mapping[str, datetime | None], now: datetime) -> bool:
    """Whether anything that is awaited, or not planned yet, is due."""
    waits = [at for key, at in due.items() if key not in known or known[key].state in (*_AWAITED, State.WAIVED)]
    return any(at is not None and at <= now for at in waits)


def _lying(outside: Outside, kit: FeedKit, known: Mapping[str, Standing], due: Mapping[str, datetime | None], now: datetime) -> set[str]:
    """The partitions of files that lie there: after a stop nothing is late that only nobody has looked at yet."""
    waits = {key: at for key, at in due.items() if key not in known or known[key].state is not State.LATE}
    if not _any_due(known, waits, now):
        return set()
    return _lying_files(outside, kit)


def _lying_files(outside: Outside, kit: FeedKit) -> set[str]:
    """The partitions of the files that are there, taken up or not."""
    if kit.feed.source.uri is not None:
        return lying_at_source(outside, kit)
    with suppress(Fault):  # a folder that cannot be read holds nothing for sure
        return {place for file in look(outside.settings.landing / kit.name, kit.feed.source.match) if (place := _place(kit, file))}
    return set()


def _place(kit: FeedKit, file: Seen) -> str | None:
    try:
        return place_of(kit, file.source)
    except Refusal:
        return None


def _some(known: Mapping[str, Standing], state: State) -> bool:
    return any(found.state is state for found in known.values())


def _plan(outside: Outside, kit: FeedKit, known: Mapping[str, Standing], due: Mapping[str, datetime | None]) -> int:
    """Expect what is new, forget what the feed file does not expect any more; returns how many are new."""
    expectations = outside.ledger.expectations
    gone = [key for key, found in known.items() if key not in due and found.state in _AWAITED]
    again = [key for key, found in known.items() if key in due and found.state is State.WAIVED and found.unexpected]
    if gone:
        expectations.dismiss(kit.name, gone)
    if again:
        expectations.recall(kit.name, again)
    expectations.set_due(kit.name, changed_dues(known, due.items()))
    return expectations.plan(kit.name, {key: at for key, at in due.items() if key not in known}) + len(gone) + len(again)


def _tell(outside: Outside, kit: FeedKit, code: Code, partitions: Sequence[str], message: str) -> None:
    said = {"severity": _SEVERITIES[code], "code": str(code), "message": message}
    outside.ledger.incidents.join_all(f"{code}/{kit.name}", kit.name, partitions, at=outside.clock.now(), **said)


def _when(kit: FeedKit, at: datetime | None) -> str:
    spec = kit.feed.partition
    return f"{at.astimezone(spec.zone):%Y-%m-%d %H:%M} {spec.timezone}" if at else "some time"


def _warn(outside: Outside, kit: FeedKit, known: Mapping[str, Standing], due: Mapping[str, datetime | None], now: datetime) -> None:
    """Tell people of what is usually there by now, before it is due."""
    waits = {key: at for key, at in due.items() if at is not None and at > now and key in known and known[key].state is State.EXPECTED}
    usual = usual_lead(outside.ledger.expectations.leads(kit.name, RECENT)) if waits else None
    early = [key for key, at in waits.items() if is_unusual(at, usual, now)]
    if early:
        when = f"{kit.name}/{early[0]}, due {_when(kit, due[early[0]])}."
        _tell(outside, kit, Code.UNUSUALLY_LATE, early, f"The file is usually there by now, and did not come yet: {when}")


def _let_go(outside: Outside, kit: FeedKit, states: Mapping[str, State]) -> None:
    """Close what people were told of this feed's files, when each of them has come, was waived, or is late instead."""
    for code, stays in ((Code.LATE, State.LATE), (Code.UNUSUALLY_LATE, State.EXPECTED)):
        for incident in outside.ledger.incidents.of_cause(f"{code}/{kit.name}"):
            _close(outside, incident, states, stays, "files" if kit.feed.partition.a_day is None else "days' files")


def _close(outside: Outside, incident: Incident, states: Mapping[str, State], stays: State, what: str) -> None:
    incidents, now = outside.ledger.incidents, outside.clock.now()
    leaving = {member: _outcome(states.get(member.partition)) for member in incident.held if states.get(member.partition) is not stays}
    for member, outcome in leaving.items():
        incidents.leave(incident.id, member, outcome, now)
    if len(leaving) == len(incident.held):
        outcomes = [leaving.get(member, member.outcome) for member in incident.members]
        came = len(outcomes) - sum(outcome in (WAIVED, MOVED) for outcome in outcomes)
        others = f"; {len(outcomes) - came} are not waited for any more" if came < len(outcomes) else ""
        incidents.close(incident.id, f"{came} {what} came{others}.", now)


def _outcome(state: State | None) -> str:
    if state is None or state is State.WAIVED:
        return WAIVED
    return MOVED if state in _AWAITED else CAME
