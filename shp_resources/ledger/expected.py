"""Expected partitions: planned before their source comes, late when it does not; many at once, every move kept.

Must not live here: which partitions are expected and when they are due (`shp_core.expectations`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.expectations.counted import Tally
from shp_core.feeds.model import Feed
from shp_core.service_levels import WINDOW, Level, Levels
from shp_core.states import PUBLISHED_STATES, State, check_transition
from shp_resources.ledger.days import Days
from shp_resources.ledger.tables import arrivals, partitions, transitions
from shp_resources.ledger.transactions import Transactions

UNEXPECTED = "unexpected"
"""The flag of a partition that was waived because its feed file does not expect it any more."""

STANDS_IN = "placeholder_of"
"""The flag of a late partition, with the one that stands in for it; it goes with the real delivery, and leaves `reconciled_at`."""


@dataclass(frozen=True)
class Standing:
    """What is known of a partition that may be expected.

    Args:
        state: its state.
        due_at: when its source is due, as noted.
        unexpected: whether it was waived because nobody expected it any more.
    """

    state: State
    due_at: datetime | None
    unexpected: bool


class Expectations:
    """What feeds expect."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def known(self, feed: str, *, awaited_only: bool = False) -> dict[str, Standing]:
        """Where the partitions of a feed stand, by key, in one query.

        Args:
            feed: feed.
            awaited_only: only those that nothing came for.
        """
        unexpected = partitions.c.flags.has_key(UNEXPECTED)
        query = sa.select(partitions.c.partition, partitions.c.state, partitions.c.due_at, unexpected).where(partitions.c.feed == feed)
        if awaited_only:
            query = query.where(partitions.c.state.in_([str(State.EXPECTED), str(State.LATE)]))
        with self._transactions.begin() as connection:
            return {row[0]: Standing(State(row[1]), row[2], row[3]) for row in connection.execute(query)}

    def plan(self, feed: str, due: Mapping[str, datetime | None]) -> int:
        """Expect partitions that nothing is known of; returns how many were new.

        Args:
            feed: feed.
            due: when each is due, by key.
        """
        check_transition(None, State.EXPECTED)
        values = [{"feed": feed, "partition": key, "state": str(State.EXPECTED), "version": 1, "due_at": at} for key, at in due.items()]
        if not values:
            return 0
        with self._transactions.begin() as connection:
            added = insert(partitions).on_conflict_do_nothing().returning(partitions.c.partition)
            keys = connection.execute(added, values).scalars().all()
            moves = [{"feed": feed, "partition": key, "new": str(State.EXPECTED), "version": 1} for key in keys]
            if moves:
                connection.execute(sa.insert(transitions), moves)
            return len(keys)

    def set_due(self, feed: str, due: Mapping[str, datetime | None]) -> None:
        """Note when known partitions are due; their states stay.

        Args:
            feed: feed.
            due: when each is due, by key.
        """
        statement = sa.update(partitions).where(partitions.c.feed == feed, partitions.c.partition == sa.bindparam("key"))
        changed = statement.values(due_at=sa.bindparam("at"), version=partitions.c.version + 1)
        if due:
            with self._transactions.begin() as connection:
                connection.execute(changed, [{"key": key, "at": at} for key, at in due.items()])

    def turn_late(self, feed: str, now: datetime, *, but: Collection[str] = ()) -> list[str]:
        """Move what is expected and due to `late`, all at once; returns the keys, sorted.

        Args:
            feed: feed.
            now: the present instant.
            but: partitions to leave out, whose files are there.
        """
        said = {"code": "late", "message": "The due time passed, and no file came."}
        return self._move(feed, State.EXPECTED, State.LATE, sa.and_(partitions.c.due_at <= now, partitions.c.partition.not_in(but)), said)

    def turn_expected(self, feed: str, now: datetime) -> list[str]:
        """Move what is late but not due any more back to `expected`: its due time was moved; returns the keys, sorted."""
        not_due = sa.or_(partitions.c.due_at > now, partitions.c.due_at.is_(None))
        return self._move(feed, State.LATE, State.EXPECTED, not_due, {"code": None, "message": None})

    def dismiss(self, feed: str, keys: Sequence[str]) -> None:
        """Waive partitions that the feed file does not expect any more, and that nothing came for."""
        said = {"message": "The feed file does not expect it any more.", "flags": sa.cast({UNEXPECTED: True}, partitions.c.flags.type)}
        for old in (State.EXPECTED, State.LATE):
            self._move(feed, old, State.WAIVED, partitions.c.partition.in_(keys), {"code": None, **said})

    def recall(self, feed: str, keys: Sequence[str]) -> None:
        """Expect partitions again that were waived by the feed file alone."""
        said = {"code": None, "message": None, "flags": partitions.c.flags - UNEXPECTED}
        again = sa.and_(partitions.c.partition.in_(keys), partitions.c.flags.has_key(UNEXPECTED))
        self._move(feed, State.WAIVED, State.EXPECTED, again, said)

    def stand_ins(self, feed: str) -> dict[str, str]:
        """By partition, the one that stands in for it, as noted."""
        noted = partitions.c.flags[STANDS_IN].astext
        query = sa.select(partitions.c.partition, noted).where(partitions.c.feed == feed, partitions.c.flags.has_key(STANDS_IN))
        with self._transactions.begin() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def on_time(self, feed: str, since: datetime, until: datetime) -> tuple[int, int]:
        """Of the partitions that were due in a time and not waived: how many came by then, and how many there are.

        Args:
            feed: feed.
            since: the first due time.
            until: the last due time.
        """
        due = sa.and_(partitions.c.feed == feed, partitions.c.due_at > since, partitions.c.due_at <= until, partitions.c.state != "waived")
        first = sa.select(sa.func.min(arrivals.c.at)).where(arrivals.c.feed == feed, arrivals.c.partition == partitions.c.partition)
        came = first.correlate(partitions).scalar_subquery() <= partitions.c.due_at
        query = sa.select(sa.func.count().filter(came), sa.func.count()).select_from(partitions).where(due)
        with self._transactions.begin() as connection:
            good, total = connection.execute(query).one()
            return int(good), int(total)

    def successes(self, feed: str, since: datetime) -> tuple[int, int]:
        """Of the partitions whose newest arrival came since a time and that are not waived: how many are published, and how many there are.

        Args:
            feed: feed.
            since: the time.
        """
        newest = sa.and_(arrivals.c.number == partitions.c.arrival, arrivals.c.at > since)
        is_published = partitions.c.state.in_([str(state) for state in PUBLISHED_STATES])
        query = sa.select(sa.func.count().filter(is_published), sa.func.count()).select_from(partitions.join(arrivals, newest))
        settled = partitions.c.state.not_in([str(State.WAIVED), str(State.ARRIVED), str(State.RUNNING)])
        with self._transactions.begin() as connection:
            good, total = connection.execute(query.where(partitions.c.feed == feed, settled)).one()
            return int(good), int(total)

    def leads(self, feed: str, limit: int) -> list[timedelta]:
        """First arrival minus due time of the partitions that were due last and came.

        Args:
            feed: feed.
            limit: at most so many.
        """
        came = (partitions.c.feed == feed, partitions.c.due_at.is_not(None), partitions.c.arrival.is_not(None))
        last = (
            sa.select(partitions.c.partition, partitions.c.due_at).where(*came).order_by(partitions.c.due_at.desc()).limit(limit).subquery()
        )
        first = sa.select(sa.func.min(arrivals.c.at)).where(arrivals.c.feed == feed, arrivals.c.partition == last.c.partition)
        query = sa.select(last.c.due_at, first.scalar_subquery())
        with self._transactions.begin() as connection:
            return [came_at - due_at for due_at, came_at in connection.execute(query) if came_at is not None]

    def first_arrival(self, feed: str, partition: str) -> datetime | None:
        """When the first source of a partition was seen, None before that."""
        query = sa.select(sa.func.min(arrivals.c.at)).where(arrivals.c.feed == feed, arrivals.c.partition == partition)
        with self._transactions.begin() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
            return found

    def levels(self, feed: Feed, now: datetime) -> Levels:
        """A feed's service levels.

        Args:
            feed: feed.
            now: the present instant.
        """
        good, total = self.on_time(feed.feed, now - WINDOW, now)
        days = [tally for tally in Days(self._transactions).tallies(feed.feed, feed.partition, now) if _counts(tally, now)]
        on_time = good + sum(tally.on_time for tally in days), total + sum(tally.day.wanted for tally in days)
        success = self.successes(feed.feed, now - WINDOW)
        return Levels(feed.feed, Level(feed.targets.on_time, *on_time), Level(feed.targets.success, *success))

    def _move(self, feed: str, old: State, new: State, which: sa.ColumnElement[bool], said: dict[str, Any]) -> list[str]:
        """Move every partition of a feed that is in a state, in one statement."""
        check_transition(old, new)
        changed = {"state": str(new), "version": partitions.c.version + 1, "updated_at": sa.func.clock_timestamp(), **said}
        there = (partitions.c.feed == feed, partitions.c.state == str(old), which)
        moved = sa.update(partitions).where(*there).values(changed).returning(*partitions.columns).cte("moved")
        noted = sa.select(moved.c.feed, moved.c.partition, sa.literal(str(old)), *(moved.c[name] for name in _NOTED))
        statement = insert(transitions).from_select(["feed", "partition", "old", "new", *_NOTED[1:]], noted)
        with self._transactions.begin() as connection:
            return sorted(connection.execute(statement.returning(transitions.c.partition)).scalars())


def _counts(tally: Tally, now: datetime) -> bool:
    """Whether a day counts for the service level: it was due, and nobody gave it up."""
    return now - WINDOW < tally.day.due_at <= now and tally.state(now) is not State.WAIVED


_NOTED = ("state", "version", "arrival", "delivery", "code", "message")


def changed_dues(known: Mapping[str, Standing], wanted: Iterable[tuple[str, datetime | None]]) -> dict[str, datetime | None]:
    """The due times that are noted otherwise, of partitions that are known."""
    return {key: at for key, at in wanted if key in known and known[key].due_at != at}
