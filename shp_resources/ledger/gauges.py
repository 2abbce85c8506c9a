"""Counts for monitoring: how many partitions stand where, how often runs fail, and how soon that is seen and healed.

Must not live here: single partitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from shp_core.states import HELD_STATES, PUBLISHED_STATES, State
from shp_resources.ledger.attempts import REDRIVE
from shp_resources.ledger.tables import attempts, partitions, publications, sinks, transitions
from shp_resources.ledger.transactions import Transactions

_HELD, _PUBLISHED = sorted(map(str, HELD_STATES)), sorted(map(str, PUBLISHED_STATES))


@dataclass(frozen=True)
class Worked:
    """How a feed's runs went.

    Args:
        runs: runs that ended.
        redrives: those of them that the platform asked for because an earlier one had failed.
        detect_seconds: from the beginning of a run that failed to the verdict about it, on average; None: none failed.
    """

    runs: int
    redrives: int
    detect_seconds: float | None


@dataclass(frozen=True)
class Healed:
    """How long a feed's partitions were held until they were published.

    Args:
        count: how often one was held and then published.
        seconds: from the first verdict that held it to its publication, on average.
    """

    count: int
    seconds: float


@dataclass(frozen=True)
class Quarantined:
    """What is held for what is in it.

    Args:
        rows: rejected rows of current deliveries.
        oldest: since when the partition waits that was quarantined first; None: none is.
    """

    rows: int
    oldest: datetime | None


class Gauges:
    """Counts over all feeds."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def partitions(self) -> dict[tuple[str, State], int]:
        """By (feed, state), how many partitions there are; only what there is."""
        query = sa.select(partitions.c.feed, partitions.c.state, sa.func.count()).group_by(partitions.c.feed, partitions.c.state)
        with self._transactions.begin() as connection:
            return {(feed, State(state)): count for feed, state, count in connection.execute(query)}

    def published(self) -> dict[str, datetime]:
        """By feed, when a sink was last made to hold something of it."""
        held = sinks.join(publications, publications.c.number == sinks.c.publication)
        query = sa.select(sinks.c.feed, sa.func.max(publications.c.at)).select_from(held).group_by(sinks.c.feed)
        with self._transactions.begin() as connection:
            return {row.feed: row[1] for row in connection.execute(query)}

    def quarantined(self) -> dict[str, Quarantined]:
        """By feed, what is held for what is in it."""
        rows = sa.func.coalesce(sa.func.sum(partitions.c.rows["rejected"].astext.cast(sa.BigInteger)), 0)
        oldest = sa.func.min(partitions.c.updated_at).filter(partitions.c.state == str(State.QUARANTINED))
        query = sa.select(partitions.c.feed, rows, oldest).group_by(partitions.c.feed)
        with self._transactions.begin() as connection:
            return {feed: Quarantined(int(count), since) for feed, count, since in connection.execute(query)}

    def worked(self, since: datetime) -> dict[str, Worked]:
        """By feed, how the runs went that ended since a time."""
        took = sa.func.extract("epoch", attempts.c.ended_at - attempts.c.started_at)
        detected = sa.func.avg(took).filter(attempts.c.code.is_not(None))
        asked_again = sa.func.count().filter(attempts.c.via == REDRIVE)
        query = sa.select(attempts.c.feed, sa.func.count(), asked_again, detected).where(attempts.c.ended_at >= since)
        with self._transactions.begin() as connection:
            found = connection.execute(query.group_by(attempts.c.feed)).all()
        return {feed: Worked(runs, again, None if seconds is None else float(seconds)) for feed, runs, again, seconds in found}

    def healed(self, since: datetime) -> dict[str, Healed]:
        """By feed, how long it took from the first verdict that held a partition to its next publication, of those since a time."""
        spells = _spells(since)
        took = sa.func.extract("epoch", spells.c.published_at - spells.c.held_at)
        query = sa.select(spells.c.feed, sa.func.count(), sa.func.avg(took)).where(took.is_not(None)).group_by(spells.c.feed)
        with self._transactions.begin() as connection:
            return {feed: Healed(count, float(seconds)) for feed, count, seconds in connection.execute(query)}


def _spells(since: datetime) -> sa.Subquery:
    """What happened to each partition between one publication and the next: when it was first held, when it was published."""
    publishes = sa.func.sum(sa.case((transitions.c.new.in_(_PUBLISHED), 1), else_=0))
    backwards = publishes.over(partition_by=(transitions.c.feed, transitions.c.partition), order_by=transitions.c.id.desc())
    left = backwards.label("publications_to_come")
    moves = sa.select(transitions.c.feed, transitions.c.partition, transitions.c.new, transitions.c.at, left)
    known = moves.where(transitions.c.at >= since).subquery()
    held_at = sa.func.min(known.c.at).filter(known.c.new.in_(_HELD)).label("held_at")
    published_at = sa.func.max(known.c.at).filter(known.c.new.in_(_PUBLISHED)).label("published_at")
    spell = (known.c.feed, known.c.partition, known.c.publications_to_come)
    return sa.select(*spell, held_at, published_at).group_by(*spell).subquery()
