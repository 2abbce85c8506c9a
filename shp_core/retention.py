"""What of all that is kept may go: by age and by count, and never what something still needs.

Must not live here: looking for them, and taking them away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Retention:
    """How long things are kept.

    Args:
        raw_days: bytes of deliveries, days since they last arrived.
        artefact_days: their text rows, clean rows and rejects, days since they last arrived.
        keep: so many of a partition's newest deliveries are kept whatever their age.
        run_days: Dagster's runs with their events and captured output, days since they ended; the last of each partition stays.
        alert_days: messages to people that were delivered or given up, days.
    """

    raw_days: int = 400
    artefact_days: int = 90
    keep: int = 3
    run_days: int = 60
    alert_days: int = 90


@dataclass(frozen=True)
class Delivered:
    """A partition's delivery.

    Args:
        feed: feed.
        partition: partition key.
        delivery: SHA-256 of the bytes.
        at: when it last arrived.
    """

    feed: str
    partition: str
    delivery: str
    at: datetime


@dataclass(frozen=True)
class MayGo:
    """Deliveries whose artefacts may go.

    Args:
        raw: whose bytes may go; their other artefacts may, too.
        artefacts: of which everything but the bytes may go.
    """

    raw: frozenset[str] = frozenset()
    artefacts: frozenset[str] = frozenset()


def may_go(known: Iterable[Delivered], needed: Collection[str], rules: Retention, now: datetime) -> MayGo:
    """What may go.

    Args:
        known: every delivery of every partition; the same bytes may be several partitions'.
        needed: deliveries that something still needs.
        rules: how long they are kept.
        now: the present instant.
    """
    found = list(known)
    spared = {*needed, *_newest(found, rules.keep)}
    last = _last(found)
    return MayGo(
        frozenset(name for name, at in last.items() if name not in spared and now - at > timedelta(days=rules.raw_days)),
        frozenset(name for name, at in last.items() if name not in spared and now - at > timedelta(days=rules.artefact_days)),
    )


def _last(found: Iterable[Delivered]) -> dict[str, datetime]:
    last: dict[str, datetime] = {}
    for one in found:
        last[one.delivery] = max(one.at, last.get(one.delivery, one.at))
    return last


def _newest(found: Iterable[Delivered], keep: int) -> set[str]:
    """The newest deliveries of each partition."""
    of: dict[tuple[str, str], list[Delivered]] = {}
    for one in found:
        of.setdefault((one.feed, one.partition), []).append(one)
    return {one.delivery for mine in of.values() for one in sorted(mine, key=lambda one: one.at, reverse=True)[:keep]}
