"""Incidents: what people are told, one at a time for each cause, with the partitions it holds.

Must not live here: when an incident opens (verdicts) and what proves that a member is healed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_resources.ledger.transactions import Transactions
from shp_resources.ledger.trouble_tables import incident_members, incidents

_STILL_OPEN = incidents.c.closed_at.is_(None)


@dataclass(frozen=True)
class Member:
    """A partition that an incident is about.

    Args:
        feed: feed.
        partition: partition key.
        left_at: when it was seen to be held by the cause no more.
        outcome: how it left.
    """

    feed: str
    partition: str
    left_at: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class Incident:
    """What people are told about a cause.

    Args:
        id: counts incidents.
        cause: what it is about.
        severity: `info`, `warning` or `critical`.
        code: stable code.
        message: what is wrong, for people.
        opened_at: when it was opened.
        closed_at: when it was closed, None while it is open.
        proof: what was read again before.
        members: the partitions, those that left among them.
    """

    id: int
    cause: str
    severity: str
    code: str
    message: str
    opened_at: datetime
    closed_at: datetime | None
    proof: str | None
    members: tuple[Member, ...] = ()

    @property
    def held(self) -> list[Member]:
        """The members that it still holds, or that nothing proves healed yet."""
        return [member for member in self.members if member.left_at is None]


class Incidents:
    """The incidents of all causes."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def join(self, cause: str, feed: str, partition: str, *, severity: str, code: str, message: str, at: datetime) -> int:
        """Make a partition a member of its cause's incident; see `join_all`."""
        return self.join_all(cause, feed, [partition], severity=severity, code=code, message=message, at=at)

    def join_all(self, cause: str, feed: str, partitions: Sequence[str], *, severity: str, code: str, message: str, at: datetime) -> int:
        """Make partitions members of their cause's incident, which opens with its first member.

        Args:
            cause: what holds the partitions.
            feed: feed.
            partitions: partition keys; none where it is about the platform itself.
            severity: of an incident that opens.
            code: of an incident that opens.
            message: of an incident that opens, for people.
            at: now.

        Returns:
            The incident's id.
        """
        values = {"cause": cause, "severity": severity, "code": code, "message": message, "opened_at": at, "updated_at": at}
        opened = insert(incidents).values(values)
        touched = opened.on_conflict_do_update(index_elements=["cause"], index_where=_STILL_OPEN, set_={"updated_at": at})
        known = sa.update(incidents).where(incidents.c.cause == cause, _STILL_OPEN).values(updated_at=at).returning(incidents.c.id)
        with self._transactions.begin() as connection:
            number: int | None = connection.execute(known).scalar_one_or_none()
            if number is None:  # an insert that meets a row draws a number too: five hundred members, five hundred numbers
                number = connection.execute(touched.returning(incidents.c.id)).scalar_one()
            members = [{"incident": number, "feed": feed, "partition": partition, "joined_at": at} for partition in partitions]
            again = {"left_at": None, "outcome": None}
            joined = insert(incident_members).on_conflict_do_update(index_elements=["incident", "feed", "partition"], set_=again)
            if members:
                connection.execute(joined, members)
            return number

    def leave(self, incident: int, member: Member, outcome: str, at: datetime) -> None:
        """Note that a partition is held by the cause no more.

        Args:
            incident: its id.
            member: the partition.
            outcome: how it left: `healed`, `moved`, `waived`.
            at: now.
        """
        here = (incident_members.c.incident == incident, incident_members.c.feed == member.feed)
        this = (*here, incident_members.c.partition == member.partition)
        with self._transactions.begin() as connection:
            connection.execute(sa.update(incident_members).where(*this).values(left_at=at, outcome=outcome))
            connection.execute(sa.update(incidents).where(incidents.c.id == incident).values(updated_at=at))

    def close(self, incident: int, proof: str, at: datetime) -> bool:
        """Close an incident that holds no partition any more; False when one joined meanwhile, or it is closed.

        Args:
            incident: its id.
            proof: what was read again, for people.
            at: now.
        """
        held = sa.exists().where(incident_members.c.incident == incident, incident_members.c.left_at.is_(None))
        with self._transactions.begin() as connection:
            # Whoever joins locks this row first, so nobody slips in between the question and the answer.
            connection.execute(sa.select(incidents.c.id).where(incidents.c.id == incident).with_for_update())
            statement = sa.update(incidents).where(incidents.c.id == incident, _STILL_OPEN, ~held)
            return connection.execute(statement.values(closed_at=at, updated_at=at, proof=proof)).rowcount == 1

    def open(self) -> list[Incident]:
        """Incidents that are open, oldest first."""
        return self._read(sa.select(incidents).where(_STILL_OPEN).order_by(incidents.c.id))

    def of_cause(self, cause: str) -> list[Incident]:
        """The open incident of a cause, if there is one."""
        return self._read(sa.select(incidents).where(_STILL_OPEN, incidents.c.cause == cause))

    def newest(self, limit: int) -> list[Incident]:
        """The open ones, then those that were closed last."""
        closed = sa.select(incidents).where(~_STILL_OPEN).order_by(incidents.c.closed_at.desc()).limit(limit)
        return [*self.open(), *self._read(closed)]

    def where(self, condition: sa.ColumnElement[bool]) -> list[Incident]:
        """Those of which something holds, oldest first.

        Args:
            condition: on the columns of `shp.incidents`.
        """
        return self._read(sa.select(incidents).where(condition).order_by(incidents.c.id))

    def any_open(self) -> bool:
        """Whether there is an open one."""
        with self._transactions.begin() as connection:
            return connection.execute(sa.select(sa.exists().where(_STILL_OPEN))).scalar_one()

    def _read(self, query: sa.Select[Any]) -> list[Incident]:
        with self._transactions.begin() as connection:
            found = connection.execute(query).all()
            members = _members(connection, [row.id for row in found])
        return [_incident(row, members.get(row.id, [])) for row in found]


def _members(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, list[Member]]:
    query = sa.select(incident_members).where(incident_members.c.incident.in_(list(numbers)))
    by_incident: dict[int, list[Member]] = {}
    for row in connection.execute(query.order_by(incident_members.c.joined_at, incident_members.c.partition)):
        by_incident.setdefault(row.incident, []).append(Member(row.feed, row.partition, row.left_at, row.outcome))
    return by_incident


def _incident(row: sa.Row[Any], members: list[Member]) -> Incident:
    told = (row.id, row.cause, row.severity, row.code, row.message, row.opened_at, row.closed_at, row.proof)
    return Incident(*told, tuple(members))
