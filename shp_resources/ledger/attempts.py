"""Attempts: runs of a partition, each with a fence; the first verdict about one stands.

Must not live here: budgets and verdicts; they read what is written here.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from shp_core.codes import Code
from shp_core.healing.faults import Evidence
from shp_core.states import PUBLISHED_STATES
from shp_resources.ledger.holder import process_alive
from shp_resources.ledger.tables import arrivals, attempts, partitions
from shp_resources.ledger.transactions import Transactions, lock_partition

_RECENT = 20
REDRIVE = "redrive"
"""Who asked for a run that a verdict wants."""

ETL, ELT = "etl", "elt"
"""A partition's two runs: to the warehouse, and to the lake. They share numbers, so that the fences of both are in order."""


@dataclass(frozen=True)
class Attempt:
    """A run of a partition.

    Args:
        feed: feed.
        partition: partition key.
        number: counts the partition's attempts, from 1.
        arrival: the arrival it works on.
        run_id: Dagster's run.
        host: machine of the worker.
        pid: process of the worker.
        pid_started: start of that process, seconds since 1970.
        via: who asked for it.
        step: the step it is in or ended in.
        started_at: begin.
        ended_at: end, None while it is under way or lost.
        outcome: what it led to.
        code: what went wrong.
        kind: fault kind of the code.
        evidence: what was seen of the failure.
        message: what went wrong, for people.
        cause: what the failure is counted under.
        verdict: what was decided about it.
        due_at: when the next run is due by that verdict.
        way: which of the partition's two runs it is.
    """

    feed: str
    partition: str
    number: int
    arrival: int
    run_id: str
    host: str
    pid: int
    pid_started: float
    via: str
    step: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    code: str | None
    kind: str | None
    evidence: dict[str, Any]
    message: str | None
    cause: str | None = None
    verdict: str | None = None
    due_at: datetime | None = None
    way: str = ETL

    @property
    def fence(self) -> tuple[int, int]:
        """(arrival, number): whoever has the greater one is right."""
        return self.arrival, self.number

    @property
    def may_live(self) -> bool:
        """Whether its process lives, as far as this machine can tell: of those of others it knows nothing."""
        return self.host != socket.gethostname() or process_alive(self.pid, self.pid_started)


class Attempts:
    """Attempts on all partitions."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def begin(
        self, feed: str, partition: str, arrival: int, run_id: str, *, pid: int, pid_started: float, via: str, way: str = ETL
    ) -> Attempt:
        """Note that a run begins to work on a partition; a second call for the same run gives the same attempt.

        Args:
            feed: feed.
            partition: partition key.
            arrival: number of the arrival it works on.
            run_id: Dagster's run.
            pid: process of the worker.
            pid_started: start of that process, seconds since 1970.
            via: who asked for it (`sensor`, `ingest`, `redrive`, `ui`, …).
            way: which of the partition's two runs it is; a run may hold both, and has then two attempts.
        """
        process = {"host": socket.gethostname(), "pid": pid, "pid_started": pid_started}
        values = {"arrival": arrival, "run_id": run_id, "via": via, "way": way, **process}
        with self._transactions.begin() as connection:
            lock_partition(connection, feed, partition)
            number = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0) + 1).where(*_of(feed, partition))
            row = {"feed": feed, "partition": partition, "number": number.scalar_subquery(), **values}
            connection.execute(_insert_or_move(row))
            mine = sa.select(attempts).where(*_of(feed, partition), attempts.c.run_id == run_id, attempts.c.way == way)
            return _attempt(connection.execute(mine).one())

    def note_step(self, feed: str, partition: str, run_id: str, step: str, way: str = ETL) -> None:
        """Note which step an attempt is in, so that a lost worker tells where it died."""
        statement = sa.update(attempts).where(*_under_way(feed, partition, run_id, way)).values(step=step)
        with self._transactions.begin() as connection:
            connection.execute(statement)

    def end(
        self,
        feed: str,
        partition: str,
        run_id: str,
        outcome: str,
        *,
        code: str | None = None,
        kind: str | None = None,
        evidence: Evidence | None = None,
        message: str | None = None,
        cause: str | None = None,
        verdict: str | None = None,
        due_at: datetime | None = None,
        way: str = ETL,
    ) -> bool:
        """Note how an attempt ended.

        Args:
            feed: feed.
            partition: partition key.
            run_id: Dagster's run.
            outcome: what it led to, a state or a verdict.
            code: what went wrong, a stable code.
            kind: fault kind of the code.
            evidence: what was seen of the failure.
            message: what went wrong, for people.
            cause: what the failure is counted under.
            verdict: what was decided about it.
            due_at: when the next run is due.
            way: which of the partition's two runs it is.

        Returns:
            Whether this verdict stands; False when there was one before, or no such attempt.
        """
        seen = evidence.as_dict() if evidence else {}
        told = {"outcome": outcome, "code": code, "kind": kind, "evidence": seen, "message": message}
        values = {**told, "cause": cause, "verdict": verdict, "due_at": due_at}
        mine = _under_way(feed, partition, run_id, way)
        statement = sa.update(attempts).where(*mine).values(ended_at=sa.func.clock_timestamp(), **values)
        with self._transactions.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def under_way(self, feed: str | None = None) -> list[Attempt]:
        """Attempts that have not ended, or whose worker died without a word; oldest first.

        Args:
            feed: only those of this feed.
        """
        query = sa.select(attempts).where(attempts.c.ended_at.is_(None)).order_by(attempts.c.started_at)
        return self._read(query if feed is None else query.where(attempts.c.feed == feed))

    def of_partition(self, feed: str, partition: str) -> list[Attempt]:
        """All attempts on a partition, oldest first."""
        return self._read(sa.select(attempts).where(*_of(feed, partition)).order_by(attempts.c.number))

    def count_on_delivery(self, feed: str, partition: str, delivery: str) -> int:
        """How many attempts worked on a delivery.

        Args:
            feed: feed.
            partition: partition key.
            delivery: SHA-256 of its bytes.
        """
        on = sa.and_(arrivals.c.number == attempts.c.arrival, arrivals.c.delivery == delivery)
        query = sa.select(sa.func.count()).select_from(attempts.join(arrivals, on)).where(*_of(feed, partition))
        with self._transactions.begin() as connection:
            return connection.execute(query).scalar_one()

    def redrives(self, feed: str, partition: str, arrival: int, cause: str, since: datetime, way: str = ETL) -> int:
        """How many re-drives ended in a cause, since a person last released the partition; runs that made no call do not count.

        Args:
            feed: feed.
            partition: partition key.
            arrival: the arrival they worked on.
            cause: what they ended in.
            since: only those that began later.
            way: which of the partition's two runs.
        """
        of_record = sa.and_(partitions.c.feed == attempts.c.feed, partitions.c.partition == attempts.c.partition)
        query = sa.select(sa.func.count()).select_from(attempts.join(partitions, of_record)).where(*_of(feed, partition))
        query = query.where(attempts.c.arrival == arrival, attempts.c.cause == cause, attempts.c.via == REDRIVE, attempts.c.way == way)
        query = query.where(attempts.c.code != str(Code.BREAKER_OPEN), attempts.c.started_at >= since)
        query = query.where(sa.or_(partitions.c.armed_at.is_(None), attempts.c.started_at >= partitions.c.armed_at))
        with self._transactions.begin() as connection:
            return connection.execute(query).scalar_one()

    def ended_in(self, kinds: Collection[str], since: datetime) -> dict[str, dict[tuple[str, str], int]]:
        """Runs that ended in faults of some kinds: by cause, how many of each (feed, partition).

        Args:
            kinds: fault kinds.
            since: only those that ended later.
        """
        counted = sa.select(attempts.c.cause, attempts.c.feed, attempts.c.partition, sa.func.count().label("runs"))
        query = counted.where(attempts.c.ended_at >= since, attempts.c.kind.in_(kinds), attempts.c.cause.is_not(None))
        found: dict[str, dict[tuple[str, str], int]] = {}
        with self._transactions.begin() as connection:
            for row in connection.execute(query.group_by(attempts.c.cause, attempts.c.feed, attempts.c.partition)):
                found.setdefault(row.cause, {})[(row.feed, row.partition)] = row.runs
        return found

    def newest(self, feed: str, keys: Collection[str], way: str = ETL) -> dict[str, Attempt]:
        """The last attempt of one way on each of these partitions that had one, by partition."""
        here = (attempts.c.feed == feed, attempts.c.partition.in_(keys), attempts.c.way == way)
        query = sa.select(attempts).where(*here).distinct(attempts.c.partition)
        found = self._read(query.order_by(attempts.c.partition, attempts.c.number.desc()))
        return {attempt.partition: attempt for attempt in found}

    def usual_seconds(self, feed: str) -> float | None:
        """Median duration of the attempts that published last, in seconds; None before the first."""
        done = (attempts.c.feed == feed, attempts.c.outcome.in_([str(state) for state in PUBLISHED_STATES]))
        took = sa.func.extract("epoch", attempts.c.ended_at - attempts.c.started_at)
        with self._transactions.begin() as connection:
            last = sa.select(took).where(*done).order_by(attempts.c.ended_at.desc()).limit(_RECENT)
            found = [float(seconds) for seconds in connection.execute(last).scalars()]
        return median(found) if found else None

    def counts(self, feed: str) -> dict[str, int]:
        """How many attempts worked on the delivery of the newest arrival, by partition, in one query."""
        newest = sa.select(arrivals).where(arrivals.c.feed == feed).distinct(arrivals.c.partition)
        current = newest.order_by(arrivals.c.partition, arrivals.c.number.desc()).subquery()
        same_bytes = sa.or_(arrivals.c.number == current.c.number, arrivals.c.delivery == current.c.delivery)
        joined = attempts.join(arrivals, arrivals.c.number == attempts.c.arrival).join(
            current, sa.and_(current.c.partition == arrivals.c.partition, same_bytes)
        )
        query = sa.select(attempts.c.partition, sa.func.count().label("runs")).select_from(joined).where(attempts.c.feed == feed)
        with self._transactions.begin() as connection:
            return {row.partition: row.runs for row in connection.execute(query.group_by(attempts.c.partition))}

    def _read(self, query: sa.Select[Any]) -> list[Attempt]:
        with self._transactions.begin() as connection:
            return [_attempt(row) for row in connection.execute(query)]


def _insert_or_move(row: dict[str, Any]) -> Insert:
    # A run may go on in another process (one per step); whether it is lost is then asked of that one.
    process = {name: row[name] for name in ("host", "pid", "pid_started")}
    return (
        insert(attempts)
        .values(row)
        .on_conflict_do_update(
            index_elements=["run_id", "feed", "partition", "way"],
            set_=process,
            where=attempts.c.ended_at.is_(None),
        )
    )


def _of(feed: str, partition: str) -> tuple[sa.ColumnElement[bool], ...]:
    return attempts.c.feed == feed, attempts.c.partition == partition


def _under_way(feed: str, partition: str, run_id: str, way: str) -> tuple[sa.ColumnElement[bool], ...]:
    return *_of(feed, partition), attempts.c.run_id == run_id, attempts.c.way == way, attempts.c.ended_at.is_(None)


def _attempt(row: sa.Row[Any]) -> Attempt:
    return Attempt(**row._asdict())
