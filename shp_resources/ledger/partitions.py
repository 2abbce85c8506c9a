"""States of partitions: read, listed, moved with compare-and-set; every move is kept.

Must not live here: which move is legal (`shp_core.states`) and which is wise (verdicts).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.states import PUBLISHED_STATES, State, check_transition
from shp_resources.ledger.errors import StaleState
from shp_resources.ledger.tables import partitions, transitions
from shp_resources.ledger.transactions import Transactions, lock_partition


@dataclass(frozen=True)
class PartitionRecord:
    """Where a partition stands.

    Args:
        feed: feed.
        partition: partition key.
        state: state.
        version: counts changes of the record; a move names the one it saw.
        arrival: number of the newest arrival, None before the first.
        delivery: SHA-256 of the delivery that the state is about.
        code: why it is held.
        message: why it is held, for people.
        rows: row counts of the delivery.
        flags: `placeholder_of`, `reconciled_at`, `stale`, `fallback`.
        contract_version: contract that judged the delivery.
        converter_version: converter that converted the delivery.
        next_attempt_at: when the next attempt is due.
        due_at: when the source is due.
        updated_at: last change.
        cause: what holds it, or last held it and is not proven healed.
        armed_at: when a person last released it.
        behind: the sink that it is parked for while the warehouse holds it.
        limits_version: limits of the intake under which the delivery was judged.
    """

    feed: str
    partition: str
    state: State
    version: int
    arrival: int | None
    delivery: str | None
    code: str | None
    message: str | None
    rows: dict[str, int]
    flags: dict[str, Any]
    contract_version: str | None
    converter_version: int | None
    next_attempt_at: datetime | None
    due_at: datetime | None
    updated_at: datetime
    cause: str | None = None
    armed_at: datetime | None = None
    behind: str | None = None
    limits_version: str | None = None


class Fields(TypedDict, total=False):
    """What a move may set beside the state; dictionaries are replaced as a whole."""

    arrival: int | None
    delivery: str | None
    code: str | None
    message: str | None
    rows: dict[str, int]
    flags: dict[str, Any]
    contract_version: str | None
    converter_version: int | None
    next_attempt_at: datetime | None
    due_at: datetime | None
    cause: str | None
    armed_at: datetime | None
    behind: str | None
    limits_version: str | None


# They say why a partition is in its state, so they go when the state does.
_ABOUT_STATE: Fields = {"code": None, "message": None, "next_attempt_at": None, "behind": None}

_RECENT, _ENOUGH = 20, 3  # partitions that say what is usual; with fewer, nothing is


class Partitions:
    """The partitions of all feeds."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def lock(self, feed: str, partition: str) -> None:
        """Let one transaction at a time decide about a partition; released when the caller's transaction ends."""
        with self._transactions.begin() as connection:
            lock_partition(connection, feed, partition)

    def get(self, feed: str, partition: str) -> PartitionRecord | None:
        """One partition, None when nothing is known of it."""
        with self._transactions.begin() as connection:
            return read(connection, feed, partition)

    def list(self, feed: str, states: Collection[State] | None = None) -> list[PartitionRecord]:
        """The partitions of a feed, sorted by key.

        Args:
            feed: feed.
            states: only those in one of these states.
        """
        query = sa.select(*COLUMNS).where(partitions.c.feed == feed).order_by(partitions.c.partition.collate("C"))
        if states is not None:
            query = query.where(partitions.c.state.in_([str(state) for state in states]))
        with self._transactions.begin() as connection:
            return [record_of(row) for row in connection.execute(query)]

    def usual_reads(self, feed: str, *, but: str) -> float | None:
        """Median of the rows read for the partitions that were published last.

        Args:
            feed: feed.
            but: a partition to leave out, the one that is judged.

        Returns:
            Rows; None while fewer than three partitions are published.
        """
        read = partitions.c.rows["read"].as_integer()
        published = partitions.c.state.in_([str(state) for state in PUBLISHED_STATES])
        query = sa.select(read).where(partitions.c.feed == feed, partitions.c.partition != but, published, read.is_not(None))
        with self._transactions.begin() as connection:
            reads = connection.execute(query.order_by(partitions.c.updated_at.desc()).limit(_RECENT)).scalars().all()
        return median(reads) if len(reads) >= _ENOUGH else None

    def move(self, feed: str, partition: str, to: State, *, expect_version: int, **fields: Unpack[Fields]) -> PartitionRecord:
        """Move a partition, if it is still what the caller saw.

        Fields that are not named stay; but `code`, `message`, `next_attempt_at` and `behind` go with the state they were about.
        An arrival during a run also counts as a change: whoever ends the run finds its version stale, reads again,
        sees a newer `arrival` than its own and gives the partition back (`arrived`).

        Args:
            feed: feed.
            partition: partition key.
            to: the state to be in; the present one if only fields are to change.
            expect_version: version of the record that the caller saw; 0 when there was none.
            **fields: what else to set.

        Returns:
            The record after the move.

        Raises:
            StaleState: the record is not of that version any more.
            IllegalTransition: there is no such move.
        """
        with self._transactions.begin() as connection:
            old = read(connection, feed, partition, lock=True)
            if (old.version if old else 0) != expect_version:
                raise StaleState(feed, partition, expect_version)
            return change(connection, old, feed, partition, to, fields)


def read(connection: sa.Connection, feed: str, partition: str, *, lock: bool = False) -> PartitionRecord | None:
    """One partition; `lock` keeps others from changing it until the transaction ends."""
    query = sa.select(*COLUMNS).where(partitions.c.feed == feed, partitions.c.partition == partition)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return record_of(row) if row is not None else None


def change(
    connection: sa.Connection,
    old: PartitionRecord | None,
    feed: str,
    partition: str,
    to: State,
    fields: Fields,
) -> PartitionRecord:
    """Write a move and its entry in the record of moves.

    Args:
        connection: a transaction that has locked the row, if there is one.
        old: the record before.
        feed: feed.
        partition: partition key.
        to: the state to be in.
        fields: what else to set.

    Raises:
        StaleState: there was no row, and now there is.
        IllegalTransition: there is no such move.
    """
    check_transition(old.state if old else None, to)
    about = _ABOUT_STATE if old is None or old.state is not to else {}
    new = _insert(connection, feed, partition, to, fields) if old is None else _update(connection, old, to, {**about, **fields})
    _note(connection, old, new)
    return new


def _insert(connection: sa.Connection, feed: str, partition: str, to: State, fields: Fields) -> PartitionRecord:
    values = {"feed": feed, "partition": partition, "state": str(to), "version": 1, **fields}
    statement = insert(partitions).values(values).on_conflict_do_nothing().returning(*COLUMNS)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise StaleState(feed, partition, 0)
    return record_of(row)


def _update(connection: sa.Connection, old: PartitionRecord, to: State, fields: Fields) -> PartitionRecord:
    values = {"state": str(to), "version": old.version + 1, "updated_at": sa.func.clock_timestamp(), **fields}
    where = (partitions.c.feed == old.feed, partitions.c.partition == old.partition, partitions.c.version == old.version)
    row = connection.execute(sa.update(partitions).where(*where).values(values).returning(*COLUMNS)).one_or_none()
    if row is None:
        raise StaleState(old.feed, old.partition, old.version)
    return record_of(row)


def _note(connection: sa.Connection, old: PartitionRecord | None, new: PartitionRecord) -> None:
    same = ("feed", "partition", "version", "arrival", "delivery", "code", "message")
    values = {name: getattr(new, name) for name in same}
    connection.execute(sa.insert(transitions).values(old=str(old.state) if old else None, new=str(new.state), **values))


COLUMNS = [partitions.c[name] for name in PartitionRecord.__dataclass_fields__]


def record_of(row: sa.Row[Any]) -> PartitionRecord:
    """The record that a row of `COLUMNS` tells."""
    values = row._asdict()
    return PartitionRecord(**{**values, "state": State(values["state"])})
