"""Held partitions that are to run again: whose time has come, whose breaker closed, who is judged otherwise now.

Must not live here: when that is (verdicts), and asking for the runs (sensors).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shp_core.states import HELD_STATES, PUBLISHED_STATES, State
from shp_resources.ledger.partitions import COLUMNS, PartitionRecord, record_of
from shp_resources.ledger.tables import partitions
from shp_resources.ledger.transactions import Transactions
from shp_resources.ledger.trouble_tables import breakers

STALE = "stale"
"""The flag of a partition that another contract or converter made than those in force."""


class Waiting:
    """Partitions of all feeds that are held for now."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def due(self, feed: str, now: datetime, kept_back: Collection[str], limit: int) -> list[PartitionRecord]:
        """Held partitions of a feed that are to run again, oldest arrival first.

        Due is whose time has come, what is parked behind a breaker that is closed again, and what was exhausted before
        the breaker of its cause closed; but nothing that would only meet an open breaker.

        Args:
            feed: feed.
            now: the present instant.
            kept_back: names of open breakers.
            limit: at most so many.
        """
        held = partitions.c.state.in_([str(state) for state in HELD_STATES])
        drained = sa.and_(partitions.c.state == str(State.PARKED), partitions.c.next_attempt_at.is_(None))
        in_time = sa.and_(held, partitions.c.next_attempt_at <= now)
        query = sa.select(*COLUMNS).where(partitions.c.feed == feed, sa.or_(in_time, drained, _armed_by_breaker()))
        query = query.where(_NOT_BEHIND, ~sa.or_(_PLACE.in_(kept_back), _SYSTEM.in_(kept_back)))
        return self._read(query.order_by(partitions.c.arrival).limit(limit))

    def judged_otherwise(
        self,
        feed: str,
        contract: tuple[str, Collection[str]],
        converter: tuple[int, Collection[str]],
        limits: tuple[str, Collection[str]],
        limit: int,
    ) -> list[PartitionRecord]:
        """Held partitions of a feed whose delivery was judged under something else than what is in force, oldest first.

        Args:
            feed: feed.
            contract: the contract version in force, and the codes that another one may lift.
            converter: the converter version in force, and the codes that another one may lift.
            limits: the version of the limits in force, and the codes that others may lift.
            limit: at most so many.
        """
        held = partitions.c.state.in_([str(State.QUARANTINED), str(State.EXHAUSTED)])
        by_contract = sa.and_(partitions.c.contract_version != contract[0], partitions.c.code.in_(contract[1]))
        by_converter = sa.and_(partitions.c.converter_version != converter[0], partitions.c.code.in_(converter[1]))
        by_limits = sa.and_(partitions.c.limits_version != limits[0], partitions.c.code.in_(limits[1]))
        query = sa.select(*COLUMNS).where(partitions.c.feed == feed, held, _NOT_BEHIND, sa.or_(by_contract, by_converter, by_limits))
        return self._read(query.order_by(partitions.c.arrival).limit(limit))

    def mark_stale(self, feed: str, contract: str, converter: int) -> int:
        """Flag published partitions that another contract or converter made than those in force; returns how many changed.

        Args:
            feed: feed.
            contract: the contract version in force.
            converter: the converter version in force.
        """
        published = partitions.c.state.in_([str(state) for state in PUBLISHED_STATES])
        other = sa.or_(partitions.c.contract_version != contract, partitions.c.converter_version != converter)
        marked = partitions.c.flags.has_key(STALE)
        flag = sa.cast({STALE: True}, JSONB)
        flags = sa.case((other, partitions.c.flags.concat(flag)), else_=partitions.c.flags - STALE)
        statement = sa.update(partitions).where(partitions.c.feed == feed, published, other != marked)
        with self._transactions.begin() as connection:
            return connection.execute(statement.values(flags=flags)).rowcount

    def parked_behind(self, breaker: str, feeds: Collection[str]) -> PartitionRecord | None:
        """The oldest partition that waits for a breaker, None when there is none.

        Args:
            breaker: its name.
            feeds: only partitions of these feeds.
        """
        waits = (partitions.c.state == str(State.PARKED), partitions.c.cause == breaker, partitions.c.feed.in_(feeds), _NOT_BEHIND)
        found = self._read(sa.select(*COLUMNS).where(*waits).order_by(partitions.c.arrival).limit(1))
        return found[0] if found else None

    def _read(self, query: sa.Select[Any]) -> list[PartitionRecord]:
        with self._transactions.begin() as connection:
            return [record_of(row) for row in connection.execute(query)]


_NOT_BEHIND = partitions.c.behind.is_(None)
"""What is parked for the lake only runs by another way (`lake`)."""

_PLACE = sa.func.regexp_replace(sa.func.coalesce(partitions.c.cause, ""), "^transient/", "")
"""The breaker that a cause speaks of, if it speaks of one."""

_SYSTEM = sa.func.split_part(_PLACE, "/", 1)


def _armed_by_breaker() -> sa.ColumnElement[bool]:
    """Exhausted by a cause whose breaker was closed since."""
    closed = sa.exists().where(breakers.c.name == _PLACE, breakers.c.closed_at > partitions.c.updated_at)
    return sa.and_(partitions.c.state == str(State.EXHAUSTED), closed)
