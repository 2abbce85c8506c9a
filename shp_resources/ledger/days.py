"""The days of feeds that expect a number of files each day, as the ledger has them, and when their files first came.

Must not live here: which days are expected, and what came of them (`shp_core.expectations.counted`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.expectations.counted import Day, Tally, days_of, tallies
from shp_core.feeds.partition import Partition
from shp_resources.ledger.tables import arrivals, expected_days
from shp_resources.ledger.transactions import Transactions


class Days:
    """The days of all feeds."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def plan(self, feed: str, wanted: Iterable[Day], now: datetime) -> None:
        """Note the days that are expected; what was due already stays as it was, and a waiver stays.

        Args:
            feed: feed.
            wanted: the days, as the feed file has them now.
            now: the present instant.
        """
        rows = [{"feed": feed, "day": day.day, "wanted": day.wanted, "due_at": day.due_at} for day in wanted]
        statement = insert(expected_days)
        new = {name: statement.excluded[name] for name in ("wanted", "due_at")}
        changed = sa.or_(*(expected_days.c[name] != value for name, value in new.items()))
        noted = statement.on_conflict_do_update(
            index_elements=["feed", "day"], set_=new, where=sa.and_(expected_days.c.due_at > now, changed)
        )
        if rows:
            with self._transactions.begin() as connection:
                connection.execute(noted, rows)

    def since(self, feed: str, day: date) -> list[Day]:
        """A feed's days from one on, in order."""
        columns = (expected_days.c.day, expected_days.c.wanted, expected_days.c.due_at, expected_days.c.waived)
        query = sa.select(*columns).where(expected_days.c.feed == feed, expected_days.c.day >= day).order_by(expected_days.c.day)
        with self._transactions.begin() as connection:
            return [Day(*row) for row in connection.execute(query)]

    def firsts(self, feed: str, since: datetime) -> dict[str, datetime]:
        """When each partition of a feed first came, of those that first came at an instant or later."""
        first = sa.func.min(arrivals.c.at)
        query = sa.select(arrivals.c.partition, first).where(arrivals.c.feed == feed).group_by(arrivals.c.partition).having(first >= since)
        with self._transactions.begin() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def tallies(self, feed: str, spec: Partition, now: datetime, *, lying: Iterable[str] = ()) -> list[Tally]:
        """What came of the files of a feed's last days; none of a feed that expects no number of files.

        Args:
            feed: feed.
            spec: its partitions.
            now: the present instant.
            lying: partitions whose files are there, though nobody took them up yet.
        """
        planned = days_of(spec, now)
        if not planned:
            return []
        first = planned[0].day
        noted = {day.day: day for day in self.since(feed, first)}
        came = self.firsts(feed, datetime.combine(first, time(), spec.zone))
        known = [noted.get(day.day, day) for day in planned]
        return tallies(spec, known, [*came.values(), *(now for key in lying if key not in came)])

    def waive(self, feed: str, day: Day, why: str | None) -> None:
        """Note that nobody waits for the rest of a day's files, or that somebody does again.

        Args:
            feed: feed.
            day: the day.
            why: the reason; None takes a waiver back.
        """
        values = {"feed": feed, "day": day.day, "wanted": day.wanted, "due_at": day.due_at, "waived": why}
        noted = insert(expected_days).values(values).on_conflict_do_update(index_elements=["feed", "day"], set_={"waived": why})
        with self._transactions.begin() as connection:
            connection.execute(noted)
