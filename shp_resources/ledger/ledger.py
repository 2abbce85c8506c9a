"""The ledger as one object: its parts share connections and transactions.

Must not live here: statements; each part has its own file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shp_core.progress import Progress
from shp_resources.ledger.arrivals import Arrivals
from shp_resources.ledger.attempts import Attempts
from shp_resources.ledger.breakers import Breakers
from shp_resources.ledger.days import Days
from shp_resources.ledger.expected import Expectations
from shp_resources.ledger.gauges import Gauges
from shp_resources.ledger.history import history
from shp_resources.ledger.incidents import Incidents
from shp_resources.ledger.kept import Deliveries
from shp_resources.ledger.lake import LakeSinks
from shp_resources.ledger.leases import Leases
from shp_resources.ledger.outbox import Outbox
from shp_resources.ledger.partitions import Partitions
from shp_resources.ledger.progress import catch_up
from shp_resources.ledger.publications import Publications
from shp_resources.ledger.transactions import Transactions
from shp_resources.ledger.waiting import Waiting


class Ledger:
    """The record of arrivals, partition states, attempts, leases, publications, breakers and incidents.

    Nothing connects before the first call. Every call is one transaction of its own, unless it stands inside
    `transaction()`. The database's failures come as `Fault` with evidence of the system `ledger`.

    Args:
        dsn: `postgresql://…` of the ledger's database, or a callable that gives it when it is needed.
        pooled: keep connections; only in short-lived processes (see `make_engine`).
    """

    def __init__(self, dsn: str | Callable[[], str | None], *, pooled: bool = False) -> None:
        self._transactions = Transactions(dsn, pooled=pooled)
        self.arrivals = Arrivals(self._transactions)
        self.partitions = Partitions(self._transactions)
        self.attempts = Attempts(self._transactions)
        self.leases = Leases(self._transactions)
        self.publications = Publications(self._transactions)
        self.breakers = Breakers(self._transactions)
        self.waiting = Waiting(self._transactions)
        self.incidents = Incidents(self._transactions)
        self.outbox = Outbox(self._transactions, self.incidents)
        self.gauges = Gauges(self._transactions)
        self.deliveries = Deliveries(self._transactions)
        self.expectations = Expectations(self._transactions)
        self.days = Days(self._transactions)
        self.lake = LakeSinks(self._transactions)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let the calls of this thread inside the block happen together or not at all."""
        with self._transactions.begin():
            yield

    def history(self, feed: str, partition: str) -> list[dict[str, Any]]:
        """Everything known of one partition, oldest first; see `shp_resources.ledger.history`."""
        return history(self._transactions, feed, partition)

    def catch_up(self) -> dict[str, Progress]:
        """By feed, how far its history is caught up; see `shp_resources.ledger.progress`."""
        return catch_up(self._transactions)

    def close(self) -> None:
        """Close connections; a later call opens new ones."""
        self._transactions.close()
