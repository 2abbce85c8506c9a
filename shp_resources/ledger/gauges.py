"""Counts for monitoring: how many partitions stand where, and when each feed was last published.

Must not live here: single partitions.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from shp_core.states import State
from shp_resources.ledger.tables import partitions, publications, sinks
from shp_resources.ledger.transactions import Transactions


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
