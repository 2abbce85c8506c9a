"""Arrivals: sources as they were last seen, numbered arrivals, deliveries.

Must not live here: looking at sources, choosing partition keys, deciding what to do with an arrival.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.states import State
from shp_resources.ledger import partitions as states
from shp_resources.ledger import tables
from shp_resources.ledger.columns import SCHEMA
from shp_resources.ledger.errors import KeyTaken
from shp_resources.ledger.tables import arrivals, deliveries, publications, sinks, sources
from shp_resources.ledger.tables import partitions as rows
from shp_resources.ledger.transactions import Transactions, lock_partition


@dataclass(frozen=True)
class Source:
    """A source as it is seen; two are the same sight when all fields are equal.

    Args:
        uri: where it lies; names it.
        name: file name.
        size: bytes.
        mtime_ns: modification time, nanoseconds since 1970.
        inode: inode, 0 where there is none.
        etag: ETag, empty where there is none.
    """

    uri: str
    name: str
    size: int
    mtime_ns: int
    inode: int
    etag: str = ""


@dataclass(frozen=True)
class SeenSource:
    """A source as it was last seen, with the partition and the arrival it then made."""

    source: Source
    partition: str
    arrival: int


@dataclass(frozen=True)
class Arrival:
    """A source was seen new or changed.

    Args:
        number: increases over all feeds; the newest of a partition decides.
        feed: feed.
        partition: partition key.
        source: as it was seen; None when a person made the arrival (a rewind).
        via: who saw it (`sensor`, `ingest`, `rewind`, …).
        delivery: SHA-256 of its bytes, None until they are kept.
        at: when it was seen.
    """

    number: int
    feed: str
    partition: str
    source: Source | None
    via: str
    delivery: str | None
    at: datetime


class Arrivals:
    """Arrivals of all feeds."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def known_sources(self, feed: str) -> dict[str, SeenSource]:
        """The sources of a feed as they were last seen, by URI."""
        with self._transactions.begin() as connection:
            seen = connection.execute(sa.select(sources).where(sources.c.feed == feed))
            return {row.uri: SeenSource(_source(row), row.partition, row.arrival) for row in seen}

    def record(
        self, feed: str, partition: str, source: Source | None, via: str, *, sole_owner: bool = False, again: bool = False
    ) -> Arrival:
        """Note that a source was seen new or changed, and move its partition to `arrived`.

        The same sight of the same source again gives the arrival it made before. While a run is under way the state
        stays; only the newest arrival is noted, which makes the version that the run saw stale.

        Args:
            feed: feed.
            partition: partition key.
            source: what was seen; None for an arrival that a person makes, which is always new.
            via: who saw it.
            sole_owner: the key belongs to the first file name that comes under it (feeds by file).
            again: the same sight is a new arrival too: another source stood for the partition since.

        Returns:
            The arrival, new or known.

        Raises:
            KeyTaken: another file name owns the key; only with `sole_owner`.
        """
        with self._transactions.begin() as connection:
            lock_partition(connection, feed, partition)
            if sole_owner and source:
                _check_owner(connection, feed, partition, source.name)
            known = _known(connection, feed, partition, source) if source and not again else None
            if known is not None:
                return known
            arrival = _insert(connection, feed, partition, source, via)
            _note_on_partition(connection, arrival)
            return arrival

    def current(self, feed: str, partition: str) -> Arrival | None:
        """The newest arrival of a partition, None before the first."""
        query = sa.select(arrivals).where(arrivals.c.feed == feed, arrivals.c.partition == partition)
        with self._transactions.begin() as connection:
            row = connection.execute(query.order_by(arrivals.c.number.desc()).limit(1)).one_or_none()
            return _arrival(row) if row is not None else None

    def get(self, number: int) -> Arrival | None:
        """The arrival of that number, if there is one."""
        with self._transactions.begin() as connection:
            row = connection.execute(sa.select(arrivals).where(arrivals.c.number == number)).one_or_none()
            return _arrival(row) if row is not None else None

    def that_lay(self, numbers: Collection[int], longer_than: timedelta) -> set[int]:
        """The arrivals among these whose source had lain there for some time when it was seen.

        Args:
            numbers: of arrivals.
            longer_than: how long.
        """
        written = sa.func.to_timestamp(arrivals.c.mtime_ns / 1e9)
        query = sa.select(arrivals.c.number).where(arrivals.c.number.in_(numbers), arrivals.c.at - written > longer_than)
        with self._transactions.begin() as connection:
            return set(connection.execute(query).scalars())

    def name_delivery(self, arrival: int, sha256: str, size: int) -> None:
        """Note which bytes an arrival brought, once they are kept; the first name stands.

        Args:
            arrival: its number.
            sha256: of the bytes, 64 hex digits.
            size: bytes.

        Raises:
            Fault: `still_moving`, the arrival was named otherwise before: its source changed while it was copied.
        """
        unnamed = sa.or_(arrivals.c.delivery.is_(None), arrivals.c.delivery == sha256)
        statement = sa.update(arrivals).where(arrivals.c.number == arrival, unnamed).values(delivery=sha256)
        with self._transactions.begin() as connection:
            row = connection.execute(statement.returning(arrivals.c.feed, arrivals.c.partition)).one_or_none()
            if row is None:
                text = f"arrival {arrival} is not known or has other bytes"
                raise Fault(Code.STILL_MOVING, f"{text}; the source changed meanwhile.", Evidence("ledger", text=text))
            values = {"feed": row.feed, "partition": row.partition, "delivery": sha256, "size": size, "arrival": arrival}
            connection.execute(insert(deliveries).values(values).on_conflict_do_nothing())

    def partition_owner(self, feed: str, partition: str) -> str | None:
        """Name of the first file that came under a partition key, None while the key is free."""
        with self._transactions.begin() as connection:
            return _owner(connection, feed, partition)

    def partitions_of_delivery(self, feed: str, sha256: str) -> list[str]:
        """The partitions of a feed of which some sink holds, or is to hold, these bytes; sorted."""
        held = sa.and_(publications.c.number == sinks.c.publication, publications.c.delivery == sha256)
        query = sa.select(sinks.c.partition).outerjoin(publications, held).distinct()
        here = sa.or_(sinks.c.intended_delivery == sha256, publications.c.number.is_not(None))
        with self._transactions.begin() as connection:
            return sorted(connection.execute(query.where(sinks.c.feed == feed, here)).scalars())

    def deliveries(self, feed: str, partition: str) -> dict[str, int]:
        """The versions of a partition's bytes that ever came, oldest first, with their sizes."""
        query = sa.select(deliveries).where(deliveries.c.feed == feed, deliveries.c.partition == partition)
        with self._transactions.begin() as connection:
            return {row.delivery: row.size for row in connection.execute(query.order_by(deliveries.c.at, deliveries.c.arrival))}

    def adopt(self, number: int, feed: str, partition: str, via: str) -> int:
        """Note an arrival that a sink knows and this ledger does not, and move its partition to `arrived`.

        Args:
            number: its number, as the sink's fence says.
            feed: feed.
            partition: partition key.
            via: who found it.

        Returns:
            Its number here: a new one where another arrival has that number by now.
        """
        self.continue_above(number)
        row = {"number": number, "feed": feed, "partition": partition, "via": via}
        with self._transactions.begin() as connection:
            lock_partition(connection, feed, partition)
            statement = insert(arrivals).values(row).on_conflict_do_nothing(index_elements=["number"])
            found = connection.execute(statement.returning(arrivals)).one_or_none()
            arrival = _arrival(found) if found is not None else _insert(connection, feed, partition, None, via)
            _note_on_partition(connection, arrival)
            return arrival.number

    def continue_above(self, number: int) -> None:
        """Let arrival numbers go on above a fence that was found in a sink; after a restore or a rebuild."""
        name = f"{SCHEMA}.{tables.arrival_numbers.name}"
        with self._transactions.begin() as connection:
            drawn = connection.execute(sa.select(tables.arrival_numbers.next_value())).scalar_one()
            if drawn < number:
                connection.execute(sa.select(sa.func.setval(name, number)))


def _known(connection: sa.Connection, feed: str, partition: str, source: Source) -> Arrival | None:
    seen = sa.select(sources).where(sources.c.feed == feed, sources.c.uri == source.uri)
    row = connection.execute(seen).one_or_none()
    if row is None or row.partition != partition or _source(row) != source:
        return None
    return _arrival(connection.execute(sa.select(arrivals).where(arrivals.c.number == row.arrival)).one())


def _check_owner(connection: sa.Connection, feed: str, partition: str, name: str) -> None:
    owner = _owner(connection, feed, partition)
    if owner is not None and owner != name:
        raise KeyTaken(feed, partition, owner)


def _owner(connection: sa.Connection, feed: str, partition: str) -> str | None:
    query = sa.select(rows.c.owner).where(rows.c.feed == feed, rows.c.partition == partition)
    return connection.execute(query).scalar_one_or_none()


def _insert(connection: sa.Connection, feed: str, partition: str, source: Source | None, via: str) -> Arrival:
    seen = asdict(source) if source else {}
    values = {"feed": feed, "partition": partition, "via": via, **seen}
    arrival = _arrival(connection.execute(sa.insert(arrivals).values(values).returning(arrivals)).one())
    if source:
        row = {"feed": feed, "partition": partition, "arrival": arrival.number, **seen}
        statement = insert(sources).values(row).on_conflict_do_update(index_elements=["feed", "uri"], set_=row)
        connection.execute(statement)
    return arrival


def _note_on_partition(connection: sa.Connection, arrival: Arrival) -> None:
    key = (arrival.feed, arrival.partition)
    old = states.read(connection, *key, lock=True)
    to = State.RUNNING if old and old.state is State.RUNNING else State.ARRIVED
    states.change(connection, old, *key, to, {"arrival": arrival.number})
    if arrival.source:
        free = (rows.c.feed == arrival.feed, rows.c.partition == arrival.partition, rows.c.owner.is_(None))
        connection.execute(sa.update(rows).where(*free).values(owner=arrival.source.name))


def _source(row: sa.Row[Any]) -> Source:
    return Source(row.uri, row.name, row.size, row.mtime_ns, int(row.inode), row.etag)


def _arrival(row: sa.Row[Any]) -> Arrival:
    source = _source(row) if row.uri is not None else None
    return Arrival(row.number, row.feed, row.partition, source, row.via, row.delivery, row.at)
