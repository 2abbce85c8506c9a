"""The messages: what happened, since when, which partitions, what the platform is doing, what the reader can do.

Must not live here: when and to whom. No message holds values of rows, and none the words of an exception nobody named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shp_core.alerts.concern import Concern
from shp_core.alerts.plan import Kind, Notice
from shp_core.codes import Code, Scope
from shp_core.healing.faults import FaultKind
from shp_core.healing.inventory import age
from shp_core.runbook_words import PERSON

SHOWN = 10
"""So many partitions, or incidents of a storm, are named; the rest is counted."""

_LONGEST = 500
_KEPT = "It keeps the file, leaves the last good rows where they are, and judges the file again when the feed file changes."
_PROBES = "It keeps and checks what arrives, asks from time to time whether the system is back, then loads what waits, oldest first."

DOING: dict[FaultKind, str] = {
    FaultKind.TRANSIENT: "It has tried again with growing pauses, and does so once a day from now on.",
    FaultKind.SOURCE_MISSING: "It goes on looking for the file, and takes it as soon as it comes.",
    FaultKind.SOURCE_DOWN: "It asks from time to time whether the source is back, tries the fallbacks that the feed names, and leaves the "
    "last good rows where they are.",
    FaultKind.SINK_DOWN: _PROBES,
    FaultKind.SINK_REFUSED: _PROBES,
    FaultKind.DATA_BREACH: _KEPT,
    FaultKind.SCHEMA_DRIFT: _KEPT,
    FaultKind.CORRUPT_INPUT: "It keeps the file, leaves the last good rows where they are, and waits for a file that can be read.",
    FaultKind.WORKER_LOST: "It holds the file, for the file may be what kills its workers; other files go on.",
    FaultKind.INTERRUPTED: "It takes the work up again by itself.",
    FaultKind.CODE_BUG: "It holds the partition and does not run it again by itself; other partitions go on.",
}
_DOING_OF = {
    Code.LEDGER_UNREACHABLE: "It keeps the verdicts of runs under way, decides nothing until the ledger is back, and then goes on.",
    Code.SERVICE_FAILED: "It starts the process again, after a pause that grows up to half a minute.",
    Code.PLATFORM_STRAINED: "It goes on as well as it can, and says when it is over.",
    Code.SINK_GAP: "It fills the sink again from what it keeps; nobody has to send anything.",
    Code.SINKS_DIFFER: "It makes both sinks hold the delivery again, and compares them.",
    Code.STILL_HELD: "It goes on holding them; nothing changes by itself.",
    Code.HEALED_OFTEN: "It heals each of them; that is why nobody noticed.",
}


@dataclass(frozen=True)
class Message:
    """What a person reads.

    Args:
        subject: one line.
        text: plain text, several lines.
    """

    subject: str
    text: str


def message(notices: Sequence[Notice], now: datetime) -> Message:
    """The message for one notice, or the one for a storm of them.

    Args:
        notices: what is told, at least one.
        now: the present instant.
    """
    return _single(notices[0], now) if len(notices) == 1 else _storm(notices)


def explained(code: Code) -> str:
    """Where a code is explained."""
    return f"docs/runbook.md#{code}"


def _single(notice: Notice, now: datetime) -> Message:
    concern = notice.concern
    if notice.kind is Kind.CLOSED:
        span = f"It lasted from {_at(concern.opened_at)} to {_at(concern.closed_at)}."
        proof = f"Proof: {concern.proof}" if concern.proof else ""
        return _written(notice, f"What it was: {_what(concern)}", span, _partitions(concern.members), proof, "There is nothing left to do.")
    since = f"Since {_at(concern.opened_at)}, for {age(now - concern.opened_at)}."
    means = (f"The platform: {doing(concern.code)}", f"You: {can_do(concern.code)}")
    return _written(notice, f"What: {_what(concern)}", since, _partitions(concern.held), *means)


def _storm(notices: Sequence[Notice]) -> Message:
    lines = [_line(notice) for notice in notices[:SHOWN]]
    more = [f"... and {len(notices) - SHOWN} more"] if len(notices) > SHOWN else []
    opened = sum(notice.kind is not Kind.CLOSED for notice in notices)
    subject = f"[SHP] {opened} incidents are open, {len(notices) - opened} are over"
    head = "Much happened at once; this is all of it in one message."
    return Message(subject, "\n".join([head, "", *lines, *more, "", "All of them, with what to do: shp incidents"]))


def _written(notice: Notice, *lines: str) -> Message:
    look = f"shp incidents (number {notice.concern.id})" if notice.concern.id else "shp status"
    more = f"More: {look}, {explained(notice.concern.code)}"
    return Message(f"[SHP] {_line(notice)}", "\n".join([*(line for line in lines if line), more]))


def _line(notice: Notice) -> str:
    concern = notice.concern
    head = {Kind.OPENED: str(concern.severity), Kind.REMINDER: f"still {concern.severity}", Kind.CLOSED: "over"}[notice.kind]
    count = len(concern.members if notice.kind is Kind.CLOSED else concern.held)
    partitions = f", {count} {'partition' if count == 1 else 'partitions'}" if concern.members or concern.held else ""
    return f"{head}: {concern.cause} ({concern.code}){partitions}"


def doing(code: Code) -> str:
    """What the platform does about it meanwhile."""
    return _DOING_OF.get(code, DOING[code.info.kind])


def can_do(code: Code) -> str:
    """What the reader can do: the runbook's own words."""
    if code.info.scope in (Scope.ROW, Scope.FILE) and code not in PERSON:
        return f"Tell the sender: {code.info.sender} See the file with: shp quarantine list"
    return PERSON.get(code, "Look at the system that is named, and mend it; nothing else has to be started.")


def _what(concern: Concern) -> str:
    told = "" if concern.code is Code.CODE_BUG else " ".join(concern.message.split())[:_LONGEST]
    return f"{concern.code.info.operator} {told}".strip()


def _partitions(found: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(f"{feed}/{partition}" for feed, partition in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"Partitions ({len(found)}): {names}{more}" if found else ""


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "now"
