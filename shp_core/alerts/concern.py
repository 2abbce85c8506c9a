"""An incident, as far as people are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shp_core.codes import Code
from shp_core.healing.decide import Severity


@dataclass(frozen=True)
class Concern:
    """What people are told about.

    Args:
        id: the incident's number.
        cause: what it is about.
        severity: how bad it is.
        code: stable code.
        message: what is wrong, for people; without values of rows.
        opened_at: since when.
        closed_at: when it was over, None while it lasts.
        proof: what was read again before it was closed.
        held: (feed, partition) of those that it holds.
        members: (feed, partition) of all that it ever held.
    """

    id: int
    cause: str
    severity: Severity
    code: Code
    message: str
    opened_at: datetime
    closed_at: datetime | None = None
    proof: str | None = None
    held: tuple[tuple[str, str], ...] = ()
    members: tuple[tuple[str, str], ...] = ()

    @property
    def feeds(self) -> frozenset[str]:
        """The feeds that it is about."""
        return frozenset(feed for feed, _ in self.members)
