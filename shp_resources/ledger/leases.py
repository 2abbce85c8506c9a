"""Leases: one worker per partition, renewed while it works, taken over when it is gone.

Must not live here: which work a lease protects; sinks have their fences for a worker that lost its lease unawares.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.ledger.errors import LeaseLost
from shp_resources.ledger.holder import Holder
from shp_resources.ledger.tables import leases
from shp_resources.ledger.transactions import Transactions

TTL_SECONDS = 30.0
RENEW_SECONDS = 10.0
Alive = Callable[[int, float], bool]


class Lease:
    """A lease that is held.

    Args:
        feed: feed.
        partition: partition key.
        valid_until: when it ends unless it is renewed, on this process's monotonic clock, seconds.
    """

    def __init__(self, feed: str, partition: str, valid_until: float) -> None:
        self.feed, self.partition = feed, partition
        self.valid_until = valid_until
        self._taken = False

    @property
    def lost(self) -> bool:
        """Whether another worker has the partition, or may have it by now."""
        return self._taken or time.monotonic() > self.valid_until

    def check(self) -> None:
        """Stop work that nobody wants any more.

        Raises:
            LeaseLost: another worker has the partition, or may have it by now.
        """
        if self.lost:
            why = "another worker has it" if self._taken else "it could not be renewed in time"
            raise LeaseLost(self.feed, self.partition, why)

    def taken(self) -> None:
        """Note that another worker has it."""
        self._taken = True


class Leases:
    """Leases on all partitions; each call is seen by others at once, also inside a transaction of the ledger."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._depth: Counter[tuple[str, str, Holder]] = Counter()
        self._counting = threading.Lock()

    def acquire(self, feed: str, partition: str, holder: Holder, *, ttl_seconds: float = TTL_SECONDS, alive: Alive | None = None) -> bool:
        """Take the lease if it is free, expired, held by the same holder, or held by a dead process of this machine.

        Args:
            feed: feed.
            partition: partition key.
            holder: who wants it.
            ttl_seconds: how long it is valid unless renewed.
            alive: tells whether (pid, start in seconds since 1970) is a living process of this machine; None: do not ask.
        """
        with self._transactions.begin_alone() as connection:
            if _take(connection, feed, partition, holder, ttl_seconds):
                return True
            other = connection.execute(sa.select(leases.c.holder).where(*_of(feed, partition))).scalar_one_or_none()
            if other is None or (alive is not None and _is_dead(other, holder.host, alive)):
                return _take(connection, feed, partition, holder, ttl_seconds, from_dead=other)
            return False

    def renew(self, feed: str, partition: str, holder: Holder, *, ttl_seconds: float = TTL_SECONDS) -> bool:
        """Make the lease valid from now on again; False when it is not the holder's any more."""
        with self._transactions.begin_alone() as connection:
            mine = (*_of(feed, partition), leases.c.holder == str(holder))
            return connection.execute(sa.update(leases).where(*mine).values(expires_at=_end(ttl_seconds))).rowcount == 1

    def release(self, feed: str, partition: str, holder: Holder) -> bool:
        """Give the lease back; False, and nothing happens, when it was not the holder's any more."""
        with self._transactions.begin_alone() as connection:
            mine = (*_of(feed, partition), leases.c.holder == str(holder))
            return connection.execute(sa.delete(leases).where(*mine)).rowcount == 1

    def holder(self, feed: str, partition: str) -> str | None:
        """Who holds a valid lease on the partition."""
        valid = leases.c.expires_at > sa.func.clock_timestamp()
        with self._transactions.begin_alone() as connection:
            return connection.execute(sa.select(leases.c.holder).where(*_of(feed, partition), valid)).scalar_one_or_none()

    @contextmanager
    def held(
        self,
        feed: str,
        partition: str,
        holder: Holder,
        *,
        ttl_seconds: float = TTL_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        alive: Alive | None = None,
    ) -> Iterator[Lease]:
        """Hold the lease while the body runs; inside another `held` of the same holder, until that one ends.

        Args:
            feed: feed.
            partition: partition key.
            holder: who wants it.
            ttl_seconds: how long it is valid unless renewed.
            renew_seconds: how often it is renewed, by a thread with a connection of its own.
            alive: see `acquire`.

        Raises:
            Fault: `partition_busy`, another worker holds it.
            LeaseLost: at the end of a body that went well, when the lease was lost meanwhile.
        """
        valid_until = time.monotonic() + ttl_seconds
        if not self.acquire(feed, partition, holder, ttl_seconds=ttl_seconds, alive=alive):
            text = f"{feed}/{partition} is held by another worker"
            raise Fault(Code.PARTITION_BUSY, f"{text}.", Evidence("ledger", text=text))
        lease = Lease(feed, partition, valid_until)
        with self._counted(lease, holder), _renewing(self, lease, holder, ttl_seconds, renew_seconds):
            yield lease
        lease.check()

    @contextmanager
    def _counted(self, lease: Lease, holder: Holder) -> Iterator[None]:
        key = (lease.feed, lease.partition, holder)
        with self._counting:
            self._depth[key] += 1
        try:
            yield
        finally:
            with self._counting:
                self._depth[key] -= 1
                last = self._depth[key] == 0
            if last:
                self._give_back(lease, holder)

    def _give_back(self, lease: Lease, holder: Holder) -> None:
        try:
            if not self.release(lease.feed, lease.partition, holder):
                lease.taken()
        except Fault:
            pass  # the ledger is away: the lease ends by itself, and the body's own outcome must be seen


@contextmanager
def _renewing(owner: Leases, lease: Lease, holder: Holder, ttl_seconds: float, every: float) -> Iterator[None]:
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(every) and not lease.lost:
            _renew_once(owner, lease, holder, ttl_seconds)

    thread = threading.Thread(target=renew, name=f"lease {lease.feed}/{lease.partition}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=1.0)  # it may hang in a dead connection; it is a daemon and harms nobody


def _renew_once(owner: Leases, lease: Lease, holder: Holder, ttl_seconds: float) -> None:
    asked = time.monotonic()
    try:
        if owner.renew(lease.feed, lease.partition, holder, ttl_seconds=ttl_seconds):
            lease.valid_until = asked + ttl_seconds
        else:
            lease.taken()
    except Fault:
        pass  # the ledger is away: the lease is good until its time is over, which `lost` knows


def _take(
    connection: sa.Connection, feed: str, partition: str, holder: Holder, ttl_seconds: float, *, from_dead: str | None = None
) -> bool:
    row = {"feed": feed, "partition": partition, "holder": str(holder), "acquired_at": _now(), "expires_at": _end(ttl_seconds)}
    mine = leases.c.holder == str(holder)
    free = sa.or_(mine, leases.c.expires_at <= _now(), leases.c.holder == from_dead)
    since = sa.case((mine, leases.c.acquired_at), else_=_now())
    changed = {"holder": str(holder), "acquired_at": since, "expires_at": _end(ttl_seconds)}
    statement = insert(leases).values(row).on_conflict_do_update(index_elements=["feed", "partition"], set_=changed, where=free)
    return connection.execute(statement.returning(leases.c.holder)).one_or_none() is not None


def _is_dead(text: str, this_host: str, alive: Alive) -> bool:
    holder = Holder.parse(text)
    return holder is not None and holder.host == this_host and not alive(holder.pid, holder.started)


def _of(feed: str, partition: str) -> tuple[sa.ColumnElement[bool], ...]:
    return leases.c.feed == feed, leases.c.partition == partition


def _now() -> sa.ColumnElement[object]:
    return sa.func.clock_timestamp()  # now() stands still while a statement waits for another worker's row


def _end(ttl_seconds: float) -> sa.ColumnElement[object]:
    return sa.func.clock_timestamp() + timedelta(seconds=ttl_seconds)
