"""The warehouse as the rest of the platform sees it: one method per thing that is done to it, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg2
import pyarrow as pa
import sqlalchemy as sa
from psycopg2 import sql

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.feeds.marts import Mart
from shp_core.gaps import Content
from shp_core.healing.faults import Evidence
from shp_resources.database import make_engine, translate
from shp_resources.warehouse import marts
from shp_resources.warehouse.counts import content_now
from shp_resources.warehouse.placeholders import reconcile, set_placeholders, standing
from shp_resources.warehouse.publish import Outcome, Publication, publish, publish_beside, replace_rejects, take_fence
from shp_resources.warehouse.readback import Held, read_back, row_digests
from shp_resources.warehouse.records import Record, all_records
from shp_resources.warehouse.straight import Closed
from shp_resources.warehouse.tables import ensure_schemas, ensure_tables, tables_stand
from shp_resources.warehouse.target import Target
from shp_resources.warehouse.withdraw import withdraw


class Warehouse:
    """The PostgreSQL that gets the tables; nothing connects before the first use.

    Args:
        dsn: gives the address, late; None means that the embedded server is not up.
        pooled: keep connections (short-lived processes only).
    """

    def __init__(self, dsn: Callable[[], str | None], *, pooled: bool = False) -> None:
        self._dsn = dsn
        self._pooled = pooled
        self._known: tuple[str, sa.Engine] | None = None

    def _engine(self) -> sa.Engine:
        """The engine of the address that holds now: an embedded server may come back under another one."""
        dsn = self._dsn()
        if dsn is None:
            raise Fault(
                Code.SINK_UNREACHABLE,
                "The warehouse has no address: the embedded server is not up.",
                Evidence(system="warehouse"),
                "Start it with: shp up (or set SHP_WAREHOUSE_DSN or SHP_PG_DSN).",
            )
        if self._known is None or self._known[0] != dsn:
            self.close()
            self._known = (dsn, make_engine(dsn, pooled=self._pooled))
        return self._known[1]

    def close(self) -> None:
        """Let the kept connections go; the next use connects anew."""
        known, self._known = self._known, None
        if known is not None:
            known[1].dispose()

    @contextmanager
    def transaction(self, isolation: str = "READ COMMITTED", *, readonly: bool = False) -> Iterator[Any]:
        """A transaction: committed at the end, undone by any exception, foreign ones told as faults.

        Args:
            isolation: whatever the database's default is; publishing must see what was committed while it waited for its lock.
            readonly: whether it only reads.
        """
        with translate("warehouse"):
            connection = self._engine().raw_connection()
            try:
                connection.set_session(isolation_level=isolation, readonly=readonly or "DEFAULT")
                yield connection.cursor()
                connection.commit()
            except BaseException:  # boundary: whatever it was, the transaction is undone and the exception goes on
                _undo(connection)
                raise
            finally:
                connection.close()

    def make_schemas(self) -> None:
        """Make the schemas and the platform's own tables, where they are missing."""
        with self.transaction() as cur:
            ensure_schemas(cur)

    @contextmanager
    def alone(self, target: Target) -> Iterator[Any]:
        """A transaction that alone may change a feed's tables, as they are."""
        with self.transaction() as cur:
            ensure_schemas(cur)
            _lock(cur, target, alone=True)
            yield cur

    @contextmanager
    def _feed(self, target: Target) -> Iterator[Any]:
        """A transaction that alone may change a feed's tables, which fit it."""
        with self.alone(target) as cur:
            ensure_tables(cur, target)
            yield cur

    @contextmanager
    def _beside(self, target: Target) -> Iterator[Any]:
        """A transaction that may add a partition to a feed's tables while others add theirs."""
        with self.transaction() as cur:
            ensure_schemas(cur)
            _lock(cur, target, alone=False)
            if not tables_stand(cur, target):
                cur.connection.rollback()  # the shared lock with it
                _lock(cur, target, alone=True)
                ensure_tables(cur, target)
                cur.connection.commit()
                _lock(cur, target, alone=False)
            yield cur

    def publish(
        self,
        target: Target,
        publication: Publication,
        clean: Iterable[pa.RecordBatch],
        rejects: Iterable[pa.RecordBatch],
        *,
        afresh: bool = False,
        instead_of: str | None = None,
    ) -> Outcome:
        """Make the warehouse hold a publication, in one transaction.

        Args:
            target: the feed's tables.
            publication: what is to be held.
            clean: clean rows: `_row`, the contract's columns, `_hash`; may be gone through twice.
            rejects: rejects: `row`, `reasons`, `kinds`, `texts`.
            afresh: write every row, also if this publication is on record: what stands there is known to be another.
            instead_of: where the rows came from that stand there, if that was a fallback: the outcome tells how they differ.

        Raises:
            Fault: the database failed, or a newer arrival was published (`superseded`).
            Refusal: the same bytes are published as another partition of a feed without a key.
        """
        if target.contract.key and not afresh:
            with suppress(Closed), self._beside(target) as cur:
                stood = standing(cur, target, publication.partition, instead_of)
                outcome = publish_beside(cur, target, publication, clean, rejects)
                return replace(outcome, reconciled=reconcile(cur, target, publication.partition, stood))
        with self._feed(target) as cur:
            stood = standing(cur, target, publication.partition, instead_of)
            outcome = publish(cur, target, publication, clean, rejects, afresh=afresh)
            return replace(outcome, reconciled=reconcile(cur, target, publication.partition, stood))

    def set_placeholders(self, target: Target, wanted: Mapping[str, str]) -> None:
        """Let these partitions stand in for late ones, and no others.

        Args:
            target: the feed's tables.
            wanted: by late partition, the one that stands in.
        """
        with self._feed(target) as cur:
            set_placeholders(cur, target, wanted)

    def publish_rejects(
        self, target: Target, partition: str, delivery: str, fence: tuple[int, int], rejects: Iterable[pa.RecordBatch]
    ) -> int:
        """Show the rejects of a delivery that is refused as a whole; its clean rows stay out, older rows stay in."""
        with self._feed(target) as cur:
            take_fence(cur, target, partition, fence)
            return replace_rejects(cur, target, partition, delivery, rejects)

    def withdraw(self, target: Target, partition: str, fence: tuple[int, int]) -> None:
        """Hold nothing of a partition any more, in one transaction.

        Args:
            target: the feed's tables.
            partition: partition key.
            fence: (arrival, attempt) on whose behalf.

        Raises:
            Fault: the database failed, or a newer arrival was published (`superseded`).
        """
        with self._feed(target) as cur:
            withdraw(cur, target, partition, fence)

    def read_back(self, target: Target, partition: str) -> Held:
        """What stands in the tables of a partition, with the hash computed from the rows."""
        with self.transaction("REPEATABLE READ", readonly=True) as cur:
            return read_back(cur, target, partition)

    def holds(self, target: Target) -> dict[str, Content]:
        """What the warehouse holds of a feed, by partition: its records, with the rows that stand there now."""
        with self.transaction("REPEATABLE READ", readonly=True) as cur:
            return content_now(cur, target)

    def records(self) -> list[Record]:
        """The publication records of all feeds, each with the fence under which it was made; none where nothing was ever published."""
        with self.transaction(readonly=True) as cur:
            return all_records(cur)

    def row_digests(self, target: Target, partition: str) -> dict[int, bytes]:
        """Row hashes of a partition by sheet row, to name the rows in which another sink differs."""
        with self.transaction("REPEATABLE READ", readonly=True) as cur:
            return row_digests(cur, target, partition)

    def try_out(self, target: Target | None = None) -> None:
        """Find out whether the warehouse can be written, without writing a row.

        Args:
            target: also whether this feed's tables can be; they are made if they are missing.

        Raises:
            Fault: it cannot.
        """
        with self.transaction() as cur:
            cur.execute("SET LOCAL lock_timeout = '5s'")
            cur.execute("CREATE TEMPORARY TABLE shp_try_out (a integer) ON COMMIT DROP")
            if target is not None:
                ensure_schemas(cur)
                ensure_tables(cur, target)
                _touch_nothing(cur, [target.loaded, target.rejects])

    def refresh_mart(self, mart: Mart, target: Target) -> marts.MartOutcome:
        """Make a mart anew from the feed's table, in one transaction."""
        with self.transaction() as cur:
            ensure_schemas(cur)
            return marts.refresh(cur, mart, target)


def _lock(cur: Any, target: Target, *, alone: bool) -> None:
    """Take the feed's lock until the transaction's end."""
    shared = "" if alone else "_shared"
    cur.execute(f"SELECT pg_advisory_xact_lock{shared}(hashtext('shp.publish'), hashtext(%s))", (target.feed,))


def _touch_nothing(cur: Any, tables: Iterable[sql.Composable]) -> None:
    """Use every right that publishing needs, on no row."""
    for table in tables:
        cur.execute(sql.SQL("INSERT INTO {0} SELECT * FROM {0} WHERE false").format(table))
        cur.execute(sql.SQL("DELETE FROM {} WHERE false").format(table))


def _undo(connection: Any) -> None:
    """Roll back; a connection that is lost has no transaction left, and must not hide why it was lost."""
    if connection.driver_connection.closed:
        connection.invalidate()
    else:
        with suppress(psycopg2.Error):
            connection.rollback()
