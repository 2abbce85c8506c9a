"""The standing inventory: what is still held, how old it is, and what healing hides.

Lives here: counting and its words, and from when on a person is told of what nobody was told of.
Must not live here: looking into the ledger, and incidents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

SILENT_FOR = timedelta(days=1)
"""So long a partition may be held without anybody being told."""

HEALED_OFTEN, WITHIN = 10, timedelta(days=7)
"""A cause that nobody is told of and that so many runs met within so long is told, although each of them healed."""

CALM = timedelta(days=1)
"""So long no run meets a cause before it counts as gone."""

INVENTORY = "inventory"
PLATFORM = "platform/"
"""The beginning of causes that are the platform's own; the watchdog opens and closes their incidents."""

OF_SOURCE = "source/"
"""The beginning of causes about a feed's source as a whole; who looks at sources opens and closes their incidents."""

_RECURRING = "recurring/"
_SHOWN = 3


def recurring(cause: str) -> str:
    """The cause under which people are told that another one keeps coming back."""
    return f"{_RECURRING}{cause}"


def recurs(cause: str) -> str | None:
    """What keeps coming back, of such a cause."""
    return cause.removeprefix(_RECURRING) if cause.startswith(_RECURRING) else None


def is_looked_after(cause: str) -> bool:
    """Whether an incident is somebody's business (the inventory's, the watchdog's), and not proven over by reading sinks."""
    return cause == INVENTORY or recurs(cause) is not None or cause.startswith((PLATFORM, OF_SOURCE))


@dataclass(frozen=True)
class Held:
    """A partition that is held.

    Args:
        feed: feed.
        partition: partition key.
        state: where it waits.
        code: why.
        since: since when.
    """

    feed: str
    partition: str
    state: str
    code: str
    since: datetime


def silent(held: Iterable[Held], told: Collection[tuple[str, str]], now: datetime) -> list[Held]:
    """What is held for long and nobody was told of, oldest first.

    Args:
        held: all that is held.
        told: (feed, partition) of what people were told of.
        now: the present instant.
    """
    untold = [one for one in held if (one.feed, one.partition) not in told and now - one.since >= SILENT_FOR]
    return sorted(untold, key=lambda one: one.since)


def summary(held: Collection[Held], now: datetime) -> str:
    """All of it in a sentence or two, for people."""
    if not held:
        return "Nothing is held."
    states = ", ".join(f"{count} {state}" for state, count in sorted(Counter(one.state for one in held).items()))
    codes = ", ".join(f"{code} ({count})" for code, count in Counter(one.code for one in held).most_common(_SHOWN))
    oldest = min(held, key=lambda one: one.since)
    since = f"{oldest.feed}/{oldest.partition}, for {age(now - oldest.since)}"
    return f"{len(held)} partitions are held: {states}. The oldest is {since}. Most frequent: {codes}."


def age(span: timedelta) -> str:
    """A span as people say it, by its largest unit."""
    if span >= timedelta(days=2):
        return f"{span.days} days"
    hours = int(span.total_seconds() // 3600)
    return f"{hours} hours" if hours >= 2 else f"{int(span.total_seconds() // 60)} minutes"
