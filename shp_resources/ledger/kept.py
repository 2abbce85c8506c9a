"""What the ledger knows of deliveries: all of them, and those that something still needs.

Must not live here: what may go (`shp_core.retention`), and the store.
"""

from __future__ import annotations

import sqlalchemy as sa

from shp_core.retention import Delivered
from shp_resources.ledger.publications import PLACEHOLDER
from shp_resources.ledger.tables import arrivals, attempts, deliveries, partitions, publications, sinks
from shp_resources.ledger.transactions import Transactions


class Deliveries:
    """Deliveries of all feeds."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def all(self) -> list[Delivered]:
        """Every delivery of every partition, with the time of its last arrival."""
        mine = sa.and_(
            arrivals.c.feed == deliveries.c.feed,
            arrivals.c.partition == deliveries.c.partition,
            arrivals.c.delivery == deliveries.c.delivery,
        )
        last = sa.func.greatest(deliveries.c.at, sa.func.max(arrivals.c.at)).label("last")
        columns = (deliveries.c.feed, deliveries.c.partition, deliveries.c.delivery, deliveries.c.at)
        query = sa.select(*columns, last).outerjoin(arrivals, mine).group_by(*columns)
        with self._transactions.begin() as connection:
            return [Delivered(row.feed, row.partition, row.delivery, row.last) for row in connection.execute(query)]

    def newest_held(self, feed: str, limit: int) -> list[str]:
        """The deliveries of a feed that sinks hold, those first that were published last.

        Args:
            feed: feed.
            limit: at most so many.
        """
        held = sa.select(publications.c.delivery).join(sinks, sinks.c.publication == publications.c.number)
        query = held.where(publications.c.feed == feed, publications.c.delivery != "").group_by(publications.c.delivery)
        with self._transactions.begin() as connection:
            return list(connection.execute(query.order_by(sa.func.max(publications.c.number).desc()).limit(limit)).scalars())

    def needed(self) -> set[str]:
        """What must stay.

        That is what a sink holds or is to hold or held last (a partition that was emptied can be had back), what a partition's
        state is about, what its newest arrival brought, and what is worked on.
        """
        newest = sa.select(sa.func.max(arrivals.c.number)).group_by(arrivals.c.feed, arrivals.c.partition)
        worked_on = sa.select(attempts.c.arrival).where(attempts.c.ended_at.is_(None))
        held = sa.select(publications.c.delivery).join(sinks, sinks.c.publication == publications.c.number)
        of_one = (publications.c.feed, publications.c.partition)
        good = sa.select(publications.c.delivery).where(publications.c.delivery != "", publications.c.sink != PLACEHOLDER).distinct(*of_one)
        queries = [
            sa.select(sinks.c.intended_delivery),
            held,
            good.order_by(*of_one, publications.c.number.desc()),
            sa.select(partitions.c.delivery).where(partitions.c.delivery.is_not(None)),
            sa.select(arrivals.c.delivery).where(
                arrivals.c.delivery.is_not(None), sa.or_(arrivals.c.number.in_(newest), arrivals.c.number.in_(worked_on))
            ),
        ]
        with self._transactions.begin() as connection:
            return {name for query in queries for name in connection.execute(query).scalars()}
