"""The lake as a sink that follows by a run of its own: what it is to hold, what holds it back, when that run is due.

The lake is complete for a partition when it was made to hold what it is to hold, and both sinks were read and agreed since.
Must not live here: the lake, the run, and what is decided about its failures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.healing.cause import GUARDED
from shp_core.states import PUBLISHED_STATES, State
from shp_resources.ledger import partitions as states
from shp_resources.ledger.attempts import ELT
from shp_resources.ledger.partitions import COLUMNS, PartitionRecord, record_of
from shp_resources.ledger.publications import SINKS, Publication, SinkRecord, intended_columns, sink_record
from shp_resources.ledger.tables import attempts, partitions, publications, sinks
from shp_resources.ledger.transactions import Transactions, lock_partition

LAKE = "lake"
BEHIND = "The warehouse holds it; the lake does not yet."


@dataclass(frozen=True)
class Behind:
    """A partition that the lake does not hold yet.

    Args:
        feed: feed.
        partition: partition key.
        sink: what the lake is to hold, and holds.
    """

    feed: str
    partition: str
    sink: SinkRecord


class LakeSinks:
    """The lake's side of all partitions."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def want(self, feed: str, partition: str, publication: Publication, fence: tuple[int, int], now: datetime) -> None:
        """Note what the lake is to hold; if that is new, its run is due. A newer fence's word stands.

        Args:
            feed: feed.
            partition: partition key.
            publication: what it is to hold.
            fence: (arrival, attempt) of who says so.
            now: the present instant.
        """
        wanted = intended_columns(publication, fence)
        row = {"feed": feed, "partition": partition, "sink": LAKE, **wanted, **_due_at(now)}
        same = sa.and_(*[sinks.c[f"intended_{name}"] == wanted[f"intended_{name}"] for name in _CONTENT])
        kept = {name: sa.case((same, sinks.c[name]), else_=value) for name, value in _due_at(now).items()}
        not_newer = sa.tuple_(sinks.c.intended_arrival, sinks.c.intended_attempt) <= sa.tuple_(sa.literal(fence[0]), sa.literal(fence[1]))
        changed = {**wanted, **kept, "intended_at": sa.func.clock_timestamp()}
        statement = (
            insert(sinks).values(row).on_conflict_do_update(index_elements=["feed", "partition", "sink"], set_=changed, where=not_newer)
        )
        with self._transactions.begin() as connection:
            connection.execute(statement)

    def get(self, feed: str, partition: str) -> SinkRecord | None:
        """What is known of a partition in the lake, None before anything was to lie there."""
        with self._transactions.begin() as connection:
            row = connection.execute(SINKS.where(*_of(feed, partition))).one_or_none()
            return sink_record(row) if row is not None else None

    def doubt(self, feed: str, partition: str, now: datetime) -> None:
        """A sink changed: both are to be read again; a run that is held back stays so."""
        waits = sa.or_(sinks.c.cause.is_not(None), sinks.c.next_attempt_at.is_not(None))
        due = sa.case((waits, sinks.c.next_attempt_at), else_=now)
        self._set(feed, partition, {"agreed_at": None, "next_attempt_at": due})

    def arm(self, feed: str, partition: str, now: datetime) -> None:
        """Its run is due now, whatever held it back."""
        self._set(feed, partition, _due_at(now))

    def pause(self, feed: str, partition: str, until: datetime) -> None:
        """Ask for no run before then; what holds it back stays on record."""
        self._set(feed, partition, {"next_attempt_at": until})

    def agreed(self, feed: str, partition: str, now: datetime) -> None:
        """Both sinks were read and say the same."""
        self._set(feed, partition, {**_due_at(None), "agreed_at": now})

    def hold(self, feed: str, partition: str, cause: str | None, code: str | None, message: str | None, due: datetime | None) -> None:
        """Note what holds its run back.

        Args:
            feed: feed.
            partition: partition key.
            cause: what the failure is counted under.
            code: why, a stable code.
            message: why, for people.
            due: when its next run is due; None: when the breaker of the cause closes, or a person or the warehouse asks.
        """
        held = {"agreed_at": None, "cause": cause, "code": code, "message": message, "next_attempt_at": due}
        self._set(feed, partition, held)

    def due(self, feed: str, now: datetime, kept_back: Collection[str], limit: int) -> list[Behind]:
        """Partitions of a feed whose run to the lake is due, oldest arrival first.

        Args:
            feed: feed.
            now: the present instant.
            kept_back: names of open breakers.
            limit: at most so many.
        """
        drained = sa.and_(sinks.c.next_attempt_at.is_(None), _SYSTEM.in_(GUARDED), sinks.c.cause == _PLACE)
        free = ~sa.or_(_PLACE.in_(kept_back), _SYSTEM.in_(kept_back))
        query = _BEHIND.where(sinks.c.feed == feed, sa.or_(sinks.c.next_attempt_at <= now, drained), free)
        return self._read(query.limit(limit))

    def refused(self, feed: str, limit: int) -> list[PartitionRecord]:
        """Partitions whose newest delivery was read and refused, and whose text rows no run has put into the lake, oldest arrival first.

        Where the lake still lacks clean rows of an earlier delivery, those come first: they are made from its text rows.

        Args:
            feed: feed.
            limit: at most so many.
        """
        held = (partitions.c.feed == feed, partitions.c.state == str(State.QUARANTINED), partitions.c.rows.has_key("read"))
        query = sa.select(*COLUMNS).where(*held, ~_TEXT_RUN, ~_LACKING).order_by(partitions.c.arrival)
        with self._transactions.begin() as connection:
            return [record_of(row) for row in connection.execute(query.limit(limit))]

    def parked_behind(self, breaker: str, feeds: Collection[str]) -> Behind | None:
        """The oldest partition whose run to the lake waits for a breaker, None when there is none."""
        found = self._read(_BEHIND.where(sinks.c.cause == breaker, sinks.c.feed.in_(feeds)).limit(1))
        return found[0] if found else None

    def adopt(self, feed: str, contract_version: str, converter_version: int, now: datetime, limit: int) -> list[str]:
        """Let published partitions of a feed that declares the lake since wait for it; returns their keys.

        What another contract or converter published is left alone: it is stale in the warehouse too.
        """
        query = _ADOPTED.where(partitions.c.feed == feed, publications.c.contract_version == contract_version)
        query = query.where(publications.c.converter_version == converter_version).limit(limit)
        with self._transactions.begin() as connection:
            keys = list(connection.execute(query).scalars())
        return [key for key in keys if self.follow(feed, key, now)]

    def follow(self, feed: str, partition: str, now: datetime) -> bool:
        """Let the lake hold what the warehouse was made to hold before the feed declared the lake; a published partition waits for it.

        Returns:
            Whether the warehouse holds anything of it.
        """
        with self._transactions.begin() as connection:
            lock_partition(connection, feed, partition)
            old = states.read(connection, feed, partition, lock=True)
            warehouse = connection.execute(SINKS.where(*_of(feed, partition, "warehouse"))).one_or_none()
            held = sink_record(warehouse) if warehouse is not None else None
            if old is None or held is None or held.held is None:
                return False
            self.want(feed, partition, held.held, held.fence, now)
            self.arm(feed, partition, now)
            if old.state.is_published:
                states.change(connection, old, feed, partition, State.PARKED, {"behind": LAKE, "message": BEHIND, "next_attempt_at": now})
            return True

    def disown(self, feed: str) -> list[str]:
        """A feed that declares no lake any more waits for none: its partitions are published; returns their keys."""
        query = sa.select(*COLUMNS).where(partitions.c.feed == feed, partitions.c.behind == LAKE).with_for_update()
        with self._transactions.begin() as connection:
            records = [record_of(row) for row in connection.execute(query)]
            for old in records:
                states.change(connection, old, feed, old.partition, published_state(old), {"cause": None})
        return [record.partition for record in records]

    def _read(self, query: sa.Select[Any]) -> list[Behind]:
        with self._transactions.begin() as connection:
            return [Behind(row.feed, row.partition, sink_record(row)) for row in connection.execute(query)]

    def _set(self, feed: str, partition: str, values: dict[str, Any]) -> None:
        with self._transactions.begin() as connection:
            connection.execute(sa.update(sinks).where(*_of(feed, partition)).values(values))


def published_state(record: PartitionRecord) -> State:
    """The state of a partition that every sink holds."""
    return State.PUBLISHED_WITH_REJECTS if record.rows.get("rejected") else State.PUBLISHED


_CONTENT = ("delivery", "contract_version", "converter_version")


def _of(feed: str, partition: str, sink: str = LAKE) -> tuple[sa.ColumnElement[bool], ...]:
    return sinks.c.feed == feed, sinks.c.partition == partition, sinks.c.sink == sink


def _due_at(at: datetime | None) -> dict[str, Any]:
    return {"agreed_at": None, "cause": None, "code": None, "message": None, "next_attempt_at": at}


def _differ() -> Iterator[sa.ColumnElement[bool]]:
    return (publications.c[name] != sinks.c[f"intended_{name}"] for name in _CONTENT)


_PLACE = sa.func.regexp_replace(sa.func.coalesce(sinks.c.cause, ""), "^transient/", "")
"""The breaker that a cause speaks of, if it speaks of one."""

_SYSTEM = sa.func.split_part(_PLACE, "/", 1)
_INCOMPLETE = sa.or_(sinks.c.publication.is_(None), sinks.c.agreed_at.is_(None), *_differ())
_BEHIND = SINKS.where(sinks.c.sink == LAKE, _INCOMPLETE).order_by(sinks.c.intended_arrival, sinks.c.partition)

_TEXT_RUN = sa.exists().where(
    attempts.c.feed == partitions.c.feed,
    attempts.c.partition == partitions.c.partition,
    attempts.c.arrival == partitions.c.arrival,
    attempts.c.way == ELT,
    sa.or_(attempts.c.ended_at.is_(None), attempts.c.outcome == "ended"),
)
_LACKING = (
    sa.select(sinks.c.sink)
    .outerjoin(publications, publications.c.number == sinks.c.publication)
    .where(sinks.c.feed == partitions.c.feed, sinks.c.partition == partitions.c.partition, sinks.c.sink == LAKE, _INCOMPLETE)
    .exists()
)

_WANTED = sa.alias(sinks)
_HELD_HERE = sa.exists().where(
    _WANTED.c.feed == sinks.c.feed,
    _WANTED.c.partition == sinks.c.partition,
    _WANTED.c.sink == LAKE,
    *(_WANTED.c[f"intended_{name}"] == publications.c[name] for name in _CONTENT),
)
_ADOPTED = (
    sa.select(partitions.c.partition)
    .join(sinks, sa.and_(sinks.c.feed == partitions.c.feed, sinks.c.partition == partitions.c.partition, sinks.c.sink == "warehouse"))
    .join(publications, publications.c.number == sinks.c.publication)
    .where(partitions.c.state.in_([str(state) for state in PUBLISHED_STATES]), ~_HELD_HERE)
    .order_by(partitions.c.arrival)
)
