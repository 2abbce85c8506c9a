"""How far each feed's history is caught up: what had lain in its folder while nobody looked, since that began.

Must not live here: what counts as history (`shp_core.progress`), and which runs come first (the sensor `arrivals`).
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from shp_core.progress import HISTORY_AFTER, Progress
from shp_core.states import State
from shp_resources.ledger.tables import arrivals, partitions
from shp_resources.ledger.transactions import Transactions

_PAUSE = timedelta(minutes=10)
"""History that was seen after no other was seen for so long is a stretch of its own."""

_AT_WORK = (str(State.ARRIVED), str(State.RUNNING))


def catch_up(transactions: Transactions) -> dict[str, Progress]:
    """By feed, how far its history is caught up; only feeds with some that is not done.

    A stretch is what was seen one after the other, and its partitions are counted by what they hold now: one that got a
    newer file since is not history any more.
    """
    stretch = _stretches().subquery()
    done = sa.func.count().filter(stretch.c.state.not_in(_AT_WORK))
    left = sa.func.count().filter(stretch.c.state.in_(_AT_WORK))
    query = sa.select(stretch.c.feed, done, sa.func.count()).group_by(stretch.c.feed, stretch.c.stretch).having(left > 0)
    found: dict[str, Progress] = {}
    with transactions.begin() as connection:
        for feed, finished, total in connection.execute(query):
            before = found.get(feed, Progress(0, 0))
            found[feed] = Progress(before.done + finished, before.total + total)
    return found


def _stretches() -> sa.Select[tuple[str, str, int]]:
    """The partitions that came as history, with the number of their stretch."""
    written = sa.func.to_timestamp(arrivals.c.mtime_ns / 1e9)
    came = partitions.join(arrivals, arrivals.c.number == partitions.c.arrival)
    before = sa.func.lag(arrivals.c.at).over(partition_by=partitions.c.feed, order_by=arrivals.c.number)
    apart = sa.case((arrivals.c.at - before > _PAUSE, 1), else_=0).label("apart")
    lay = arrivals.c.at - written > HISTORY_AFTER
    steps = sa.select(partitions.c.feed, partitions.c.state, arrivals.c.number, apart).select_from(came).where(lay).subquery()
    stretch = sa.func.sum(steps.c.apart).over(partition_by=steps.c.feed, order_by=steps.c.number)
    return sa.select(steps.c.feed, steps.c.state, stretch.label("stretch"))
