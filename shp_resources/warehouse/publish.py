"""Publishing a partition: all or nothing, once.

Everything happens in the caller's one transaction, under the feed's advisory lock: held alone by `publish`, shared by
those that `publish_beside` each other. Who owns a key that several partitions deliver is decided in `keys`; this module
knows the order of the steps, the fence and the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.healing.faults import Evidence
from shp_resources.warehouse import keys, straight, transfer
from shp_resources.warehouse.placeholders import Reconciled
from shp_resources.warehouse.target import INCOMING, Target, names


@dataclass(frozen=True)
class Publication:
    """What the warehouse is to hold of a partition.

    Args:
        partition: partition key.
        delivery: SHA-256 of the bytes.
        contract_version: version of the contract the rows were made with.
        converter_version: version of the converters.
        fence: (arrival, attempt); an older one never overwrites a newer one.
        rows: number of clean rows.
        hash: partition hash of the clean rows.
    """

    partition: str
    delivery: str
    contract_version: str
    converter_version: int
    fence: tuple[int, int]
    rows: int
    hash: str


@dataclass(frozen=True)
class Outcome:
    """What publishing did: whether anything changed, the rows in each place, and what stood in for it until then."""

    changed: bool
    loaded: int
    displaced: int
    rejected: int
    reconciled: Reconciled | None = None


def publish(
    cur: cursor,
    target: Target,
    publication: Publication,
    clean: Iterable[pa.RecordBatch],
    rejects: Iterable[pa.RecordBatch],
    *,
    afresh: bool = False,
) -> Outcome:
    """Make the warehouse hold a publication, also if it is on record (`afresh`); the caller holds the feed's lock alone, and commits.

    Raises:
        Fault: `superseded` or `sink_disagrees`.
        Refusal: `duplicate_delivery`.
    """
    take_fence(cur, target, publication.partition, publication.fence)
    turned = bool(target.contract.key) and keys.follow_preference(cur, target)
    recorded = _recorded_rejects(cur, target, publication)
    standing = _standing(cur, target, publication.partition)
    if recorded is not None and sum(standing) == publication.rows and not afresh:
        restored = _restore_rejects(cur, target, publication, recorded, rejects)
        return Outcome(turned or restored, *standing, recorded)
    _refuse_twin_delivery(cur, target, publication)
    if standing == (0, 0) and not target.contract.key:
        return _load_straight(cur, target, publication, clean, rejects)
    return _replace(cur, target, publication, clean, rejects)


def publish_beside(
    cur: cursor, target: Target, publication: Publication, clean: Iterable[pa.RecordBatch], rejects: Iterable[pa.RecordBatch]
) -> Outcome:
    """Make the warehouse hold a new partition of a feed with a key; the caller shares the feed's lock, and commits.

    Raises:
        Closed: something stands of it, or a key is contested: only `publish` may settle that.
        Fault: `superseded` or `sink_disagrees`.
    """
    take_fence(cur, target, publication.partition, publication.fence)
    straight.require_open(cur, target, _standing(cur, target, publication.partition))
    if _recorded_rejects(cur, target, publication) is not None:  # it has no rows, and is there already
        raise straight.Closed
    return _load_straight(cur, target, publication, clean, rejects)


def take_fence(cur: cursor, target: Target, partition: str, fence: tuple[int, int]) -> None:
    """Refuse to go on if a newer arrival or attempt has published the partition; else remember this one."""
    cur.execute(
        "INSERT INTO shp_pub.fences AS f (feed, partition, arrival, attempt) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (feed, partition) DO UPDATE SET arrival = excluded.arrival, attempt = excluded.attempt"
        " WHERE (f.arrival, f.attempt) <= (excluded.arrival, excluded.attempt)",
        (target.feed, partition, *fence),
    )
    if cur.rowcount == 0:
        message = f"A newer arrival of {target.feed}/{partition} is published; arrival {fence[0]}, attempt {fence[1]} gave way."
        raise Fault(Code.SUPERSEDED, message, Evidence(system="warehouse"))


def replace_rejects(cur: cursor, target: Target, partition: str, delivery: str, rejects: Iterable[pa.RecordBatch]) -> int:
    """Put a delivery's rejects in the place of the partition's earlier ones; returns their number."""
    cur.execute(sql.SQL("DELETE FROM {} WHERE _partition = %s").format(target.rejects), (partition,))
    return transfer.copy_rejects(cur, target, partition, delivery, rejects)


def _recorded_rejects(cur: cursor, target: Target, publication: Publication) -> int | None:
    """How many rejects this very publication had; None if another one, or none, is recorded."""
    cur.execute(
        "SELECT rows_rejected FROM shp_pub.publications WHERE feed = %s AND partition = %s"
        " AND delivery = %s AND contract_version = %s AND converter_version = %s AND hash = %s",
        (
            target.feed,
            publication.partition,
            publication.delivery,
            publication.contract_version,
            publication.converter_version,
            publication.hash,
        ),
    )
    row = cur.fetchone()
    return row[0] if row else None


def _standing(cur: cursor, target: Target, partition: str) -> tuple[int, int]:
    """Rows loaded and displaced of a partition, as they stand now: what was recorded may have been changed by hand."""
    loaded = _count(cur, target.loaded, partition)
    return loaded, _count(cur, target.displaced, partition) if target.contract.key else 0


def _count(cur: cursor, table: sql.Composable, partition: str) -> int:
    cur.execute(sql.SQL("SELECT count(*) FROM {} WHERE _partition = %s").format(table), (partition,))
    (count,) = cur.fetchone() or (0,)
    return int(count)


def _restore_rejects(cur: cursor, target: Target, publication: Publication, recorded: int, rejects: Iterable[pa.RecordBatch]) -> bool:
    """Show this delivery's rejects again if those of a refused one, or none, stand there; whether that was needed."""
    cur.execute(
        sql.SQL("SELECT count(*), count(*) FILTER (WHERE _delivery = %s) FROM {} WHERE _partition = %s").format(target.rejects),
        (publication.delivery, publication.partition),
    )
    if cur.fetchone() == (recorded, recorded):
        return False
    replace_rejects(cur, target, publication.partition, publication.delivery, rejects)
    return True


def _refuse_twin_delivery(cur: cursor, target: Target, publication: Publication) -> None:
    """Without a key the same bytes under a second partition would count everything twice."""
    if target.contract.key:
        return
    cur.execute(
        "SELECT partition FROM shp_pub.publications WHERE feed = %s AND delivery = %s AND partition <> %s LIMIT 1",
        (target.feed, publication.delivery, publication.partition),
    )
    row = cur.fetchone()
    if row:
        raise Refusal(Code.DUPLICATE_DELIVERY, f"The same bytes are already published as partition {row[0]}.", {"partition": row[0]})


def _replace(
    cur: cursor, target: Target, publication: Publication, clean: Iterable[pa.RecordBatch], rejects: Iterable[pa.RecordBatch]
) -> Outcome:
    """Put the publication in the place of whatever stands there of the partition."""
    columns = _stage(cur, target, publication, clean)
    displaced = 0
    if target.contract.key:
        kept = keys.vacate(cur, target, publication.partition)
        if kept < publication.rows:
            displaced = keys.contest(cur, target, publication.partition, publication.delivery)
    else:
        cur.execute(sql.SQL("DELETE FROM {} WHERE _partition = %s").format(target.loaded), (publication.partition,))
    loaded = _load(cur, target, publication)
    _require(loaded + displaced == publication.rows, f"{loaded} + {displaced} rows stand where {publication.rows} were sent", target)
    return _finish(cur, target, publication, columns, displaced, rejects)


def _finish(
    cur: cursor, target: Target, publication: Publication, columns: tuple[str, ...], displaced: int, rejects: Iterable[pa.RecordBatch]
) -> Outcome:
    """Show the rejects, and record what was published."""
    rejected = replace_rejects(cur, target, publication.partition, publication.delivery, rejects)
    outcome = Outcome(True, publication.rows - displaced, displaced, rejected)
    _record(cur, target, publication, columns, outcome)
    return outcome


def _load_straight(
    cur: cursor, target: Target, publication: Publication, clean: Iterable[pa.RecordBatch], rejects: Iterable[pa.RecordBatch]
) -> Outcome:
    """Bring the rows in by the short way."""
    came = straight.copy(cur, target, publication.partition, publication.delivery, clean)
    return _finish(cur, target, publication, _as_expected(came, target, publication), 0, rejects)


def _stage(cur: cursor, target: Target, publication: Publication, clean: Iterable[pa.RecordBatch]) -> tuple[str, ...]:
    """Bring the rows in; returns the contract's columns in the order the publication's hash was made with."""
    columns = (*target.contract.names, "_row")
    cur.execute(
        sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(INCOMING, names(columns), target.loaded)
    )
    return _as_expected(transfer.copy_clean(cur, INCOMING, columns, clean), target, publication)


def _as_expected(staged: transfer.Staged, target: Target, publication: Publication) -> tuple[str, ...]:
    """The contract's columns in the order the publication's hash was made with, if the rows that came are those it names."""
    _require(staged.rows == publication.rows, f"{staged.rows} rows were staged, {publication.rows} were expected", target)
    _require(staged.hash == publication.hash, f"the staged rows' hash is {staged.hash}, {publication.hash} was expected", target)
    return staged.columns or target.contract.names


def _load(cur: cursor, target: Target, publication: Publication) -> int:
    columns = names((*target.contract.names, "_row"))
    cur.execute(
        sql.SQL("INSERT INTO {loaded} ({columns}, _partition, _delivery) SELECT {columns}, %s, %s FROM {incoming}").format(
            loaded=target.loaded, columns=columns, incoming=INCOMING
        ),
        (publication.partition, publication.delivery),
    )
    return cur.rowcount


def _record(cur: cursor, target: Target, publication: Publication, columns: tuple[str, ...], outcome: Outcome) -> None:
    cur.execute("DELETE FROM shp_pub.publications WHERE feed = %s AND partition = %s", (target.feed, publication.partition))
    cur.execute(
        "INSERT INTO shp_pub.publications (feed, partition, delivery, contract_version, converter_version, columns,"
        " rows_loaded, rows_displaced, rows_rejected, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            target.feed,
            publication.partition,
            publication.delivery,
            publication.contract_version,
            publication.converter_version,
            list(columns),
            outcome.loaded,
            outcome.displaced,
            outcome.rejected,
            publication.hash,
        ),
    )


def _require(holds: bool, message: str, target: Target) -> None:
    if not holds:
        raise Fault(Code.SINK_DISAGREES, f"warehouse.{target.table}: {message}.", Evidence(system="warehouse", text=message))
