"""Publications: what each sink is to hold of a partition, what it was made to hold, how far marts have read.

The order is: intend here, change the sink, confirm here. The sinks' own records are the truth; this follows them.
Must not live here: the sinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.gaps import Content
from shp_core.states import PUBLISHED_STATES
from shp_resources.ledger.errors import Superseded
from shp_resources.ledger.tables import mart_watermarks, partitions, publications, sinks
from shp_resources.ledger.transactions import Transactions, lock_partition


@dataclass(frozen=True)
class Publication:
    """What a sink holds, or is to hold, of a partition.

    Args:
        delivery: SHA-256 of the bytes.
        contract_version: contract that judged them.
        converter_version: converter that converted them.
    """

    delivery: str
    contract_version: str
    converter_version: int


NOTHING = Publication("", "", 0)
"""What a sink is to hold of a partition that was emptied."""


@dataclass(frozen=True)
class SinkRecord:
    """What the ledger knows of a partition in one sink.

    Args:
        sink: sink.
        intended: what it is to hold.
        fence: (arrival, attempt) of the intention.
        held: what it was last made to hold, None before the first publication.
        number: number of that publication.
        rows: rows that it then held.
        hash: partition hash of those rows.
        at: when it was made to hold them.
        agreed_at: when the sinks last said the same of it, None: not since it or they changed; only of the lake.
        cause: what holds its run back; only of the lake.
        code: why.
        next_attempt_at: when its next run is due; only of the lake.
    """

    sink: str
    intended: Publication
    fence: tuple[int, int]
    held: Publication | None
    number: int | None
    rows: int | None
    hash: str | None
    at: datetime | None
    agreed_at: datetime | None = None
    cause: str | None = None
    code: str | None = None
    next_attempt_at: datetime | None = None

    @property
    def agrees(self) -> bool:
        """Whether it was made to hold what it is to hold."""
        return self.held == self.intended

    @property
    def complete(self) -> bool:
        """Whether the lake holds what it is to hold, and the sinks were read and agreed since."""
        return self.agrees and self.agreed_at is not None


@dataclass(frozen=True, slots=True)
class Published:
    """A published partition, and what its sinks were made to hold.

    Args:
        partition: its key.
        version: version of its record; a move names it.
        arrival: number of its newest arrival.
        sinks: what each sink was made to hold, by sink.
    """

    partition: str
    version: int
    arrival: int
    sinks: dict[str, Content]


class Publications:
    """Publications of all feeds in all sinks."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def intend(self, feed: str, partition: str, sink: str, publication: Publication, fence: tuple[int, int]) -> None:
        """Note what a sink is to hold, before it is touched.

        Args:
            feed: feed.
            partition: partition key.
            sink: sink.
            publication: what it is to hold.
            fence: (arrival, attempt) of the worker.

        Raises:
            Superseded: a newer fence intends something already.
        """
        row = {"feed": feed, "partition": partition, "sink": sink, **intended_columns(publication, fence)}
        changed = {**intended_columns(publication, fence), "intended_at": sa.func.clock_timestamp()}
        not_newer = sa.tuple_(sinks.c.intended_arrival, sinks.c.intended_attempt) <= sa.tuple_(sa.literal(fence[0]), sa.literal(fence[1]))
        statement = insert(sinks).values(row).on_conflict_do_update(index_elements=_KEY, set_=changed, where=not_newer)
        with self._transactions.begin() as connection:
            if connection.execute(statement.returning(sinks.c.sink)).one_or_none() is None:
                raise Superseded(feed, partition, f"a newer attempt publishes to {sink}")

    def confirm(
        self,
        feed: str,
        partition: str,
        sink: str,
        publication: Publication,
        fence: tuple[int, int],
        *,
        rows: int,
        hash: str,
        at: datetime,
        again: bool = False,
    ) -> int:
        """Note what a sink was made to hold, once it does.

        A number is drawn after the sink has changed, so whoever reads `newest` and then a sink misses nothing below
        that number. The same content again, or what is older than noted, draws none.

        Args:
            feed: feed.
            partition: partition key.
            sink: sink.
            publication: what it holds.
            fence: (arrival, attempt) under which it was made to.
            rows: rows that it holds of the partition.
            hash: partition hash of those rows.
            at: when it was made to.
            again: draw a number for the same content too: what stood there meanwhile was something else.

        Returns:
            Number of the publication that is noted now.
        """
        row = {"feed": feed, "partition": partition, "sink": sink, **_held(publication, fence), "rows": rows, "hash": hash, "at": at}
        with self._transactions.begin() as connection:
            lock_partition(connection, feed, partition)
            noted = connection.execute(_current(feed, partition, sink)).one_or_none()
            if noted is not None and (_is_newer(noted, fence) or (_is_same(noted, row) and not again)):
                return int(noted.number)
            number: int = connection.execute(insert(publications).values(row).returning(publications.c.number)).scalar_one()
            _point(connection, (feed, partition, sink), publication, fence, number)
            return number

    def sinks(self, feed: str, partition: str) -> dict[str, SinkRecord]:
        """What is known of a partition in each sink, by sink."""
        return self.all_sinks(feed, partition).get(partition, {})

    def all_sinks(self, feed: str, partition: str | None = None) -> dict[str, dict[str, SinkRecord]]:
        """What is known of the partitions of a feed, by partition and sink, in one query.

        Args:
            feed: feed.
            partition: only this one.
        """
        query = SINKS.where(sinks.c.feed == feed)
        if partition is not None:
            query = query.where(sinks.c.partition == partition)
        found: dict[str, dict[str, SinkRecord]] = {}
        with self._transactions.begin() as connection:
            for row in connection.execute(query):
                found.setdefault(row.partition, {})[row.sink] = sink_record(row)
        return found

    def published(self, feed: str) -> dict[str, Published]:
        """What the sinks were made to hold of the published partitions of a feed, by partition, in one lean query."""
        is_published = partitions.c.state.in_([str(state) for state in PUBLISHED_STATES])
        query = sa.select(*_LEAN).join(sinks, sinks.c.publication == publications.c.number).join(partitions, _SAME)
        found: dict[str, Published] = {}
        with self._transactions.begin() as connection:
            rows = connection.execute(query.where(sinks.c.feed == feed, is_published))
            for key, version, arrival, sink, delivery, contract, converter, count, digest in rows:
                known = found.setdefault(key, Published(key, version, arrival or 0, {}))
                known.sinks[sink] = Content((delivery, contract, converter), count, digest)
        return found

    def as_of(self, feed: str, sink: str, moment: datetime) -> dict[str, str]:
        """The delivery of each partition that a sink held then, by partition; without those of which it held nothing.

        Args:
            feed: feed.
            sink: sink.
            moment: when.
        """
        then = (publications.c.feed == feed, publications.c.sink == sink, publications.c.at <= moment)
        query = sa.select(publications.c.partition, publications.c.delivery).where(*then).distinct(publications.c.partition)
        with self._transactions.begin() as connection:
            found = connection.execute(query.order_by(publications.c.partition, publications.c.number.desc()))
            return {row.partition: row.delivery for row in found if row.delivery != NOTHING.delivery}

    def newest(self, feed: str | None = None, sink: str | None = None) -> int:
        """Number of the newest publication, 0 before the first; never goes back.

        Args:
            feed: only those of this feed.
            sink: only those in this sink; what stands in for late partitions is shown by the warehouse.
        """
        query = sa.select(sa.func.coalesce(sa.func.max(publications.c.number), 0))
        if feed is not None:
            query = query.where(publications.c.feed == feed)
        if sink is not None:
            query = query.where(publications.c.sink.in_([sink, *([PLACEHOLDER] if sink == "warehouse" else [])]))
        with self._transactions.begin() as connection:
            return int(connection.execute(query).scalar_one())

    def note_placeholder(self, feed: str, partition: str, source: str | None, at: datetime) -> None:
        """Draw a number for a partition without a delivery, so that marts are made anew: they show what stands in for it, and miss it.

        Args:
            feed: feed.
            partition: a partition that turned late, was waived, or is stood in for.
            source: the partition that stands in, None when none does.
            at: now.
        """
        held = _current(feed, source or "", "warehouse")
        same = [publications.c[name] for name in ("delivery", "contract_version", "converter_version", "rows", "hash")]
        nothing = {"delivery": "", "contract_version": "", "converter_version": 0, "rows": 0, "hash": ""}
        with self._transactions.begin() as connection:
            row = connection.execute(held.with_only_columns(*same)).one_or_none()
            about = row._asdict() if row is not None else nothing
            values = {"feed": feed, "partition": partition, "sink": PLACEHOLDER, "arrival": 0, "attempt": 0, "at": at, **about}
            connection.execute(insert(publications).values(values))

    def mart_watermark(self, mart: str) -> int:
        """How far a mart has read, 0 before its first run."""
        query = sa.select(mart_watermarks.c.publication).where(mart_watermarks.c.mart == mart)
        with self._transactions.begin() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def set_mart_watermark(self, mart: str, publication: int) -> None:
        """Note how far a mart has read; it never goes back.

        Args:
            mart: mart.
            publication: what `newest` said before the mart read its data.
        """
        row = insert(mart_watermarks).values(mart=mart, publication=publication)
        forward = sa.func.greatest(mart_watermarks.c.publication, row.excluded.publication)
        changed = {"publication": forward, "at": sa.func.clock_timestamp()}
        with self._transactions.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["mart"], set_=changed))


_KEY = ["feed", "partition", "sink"]
PLACEHOLDER = "placeholder"
"""The sink of records of what stands in for late partitions."""

_SAME = sa.and_(partitions.c.feed == sinks.c.feed, partitions.c.partition == sinks.c.partition)
_CONTENT = ("delivery", "contract_version", "converter_version", "rows", "hash")
_LEAN = [partitions.c.partition, partitions.c.version, partitions.c.arrival, sinks.c.sink, *(publications.c[name] for name in _CONTENT)]
_HELD = [column.label(f"held_{column.name}") for column in publications.columns if column.name not in _KEY]
SINKS = sa.select(sinks, *_HELD).outerjoin(publications, publications.c.number == sinks.c.publication)
"""What `sink_record` tells of."""


def intended_columns(publication: Publication, fence: tuple[int, int]) -> dict[str, Any]:
    """The columns of `sinks` that say what a sink is to hold."""
    return {
        "intended_delivery": publication.delivery,
        "intended_contract_version": publication.contract_version,
        "intended_converter_version": publication.converter_version,
        "intended_arrival": fence[0],
        "intended_attempt": fence[1],
    }


def _held(publication: Publication, fence: tuple[int, int]) -> dict[str, Any]:
    return {
        "delivery": publication.delivery,
        "contract_version": publication.contract_version,
        "converter_version": publication.converter_version,
        "arrival": fence[0],
        "attempt": fence[1],
    }


def _current(feed: str, partition: str, sink: str) -> sa.Select[Any]:
    query = sa.select(publications).join(sinks, sinks.c.publication == publications.c.number)
    return query.where(sinks.c.feed == feed, sinks.c.partition == partition, sinks.c.sink == sink)


def _is_newer(noted: sa.Row[Any], fence: tuple[int, int]) -> bool:
    return (noted.arrival, noted.attempt) > fence


def _is_same(noted: sa.Row[Any], row: dict[str, Any]) -> bool:
    return all(getattr(noted, name) == row[name] for name in _CONTENT)


def _point(connection: sa.Connection, key: tuple[str, str, str], publication: Publication, fence: tuple[int, int], number: int) -> None:
    # No intention is on record when the ledger is rebuilt from what the sinks hold; what they hold is then intended.
    row = {**dict(zip(_KEY, key, strict=True)), **intended_columns(publication, fence), "publication": number}
    changed = {"publication": number}
    connection.execute(insert(sinks).values(row).on_conflict_do_update(index_elements=_KEY, set_=changed))


def sink_record(row: sa.Row[Any]) -> SinkRecord:
    """What a row of `SINKS` tells."""
    intended = Publication(row.intended_delivery, row.intended_contract_version, row.intended_converter_version)
    fence = (row.intended_arrival, row.intended_attempt)
    held = None
    if row.publication is not None:
        held = Publication(row.held_delivery, row.held_contract_version, row.held_converter_version)
    held_as = (row.publication, row.held_rows, row.held_hash, row.held_at)
    return SinkRecord(row.sink, intended, fence, held, *held_as, row.agreed_at, row.cause, row.code, row.next_attempt_at)
