"""Publishing a partition: all or nothing, once.

Everything happens in the caller's one transaction, under the feed's advisory lock. A key belongs to one partition:
the preferred one in byte order of partition keys; other partitions' rows with that key are displaced, and the best of
them moves back when the winner drops the key. So the tables do not depend on the order in which partitions came.
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
from shp_resources.warehouse import transfer
from shp_resources.warehouse.target import PLACE, Target, names, same_key


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
    """What publishing did: whether anything changed, and the rows in each place."""

    changed: bool
    loaded: int
    displaced: int
    rejected: int


def publish(
    cur: cursor, target: Target, publication: Publication, clean: Iterable[pa.RecordBatch], rejects: Iterable[pa.RecordBatch]
) -> Outcome:
    """Make the warehouse hold a publication; the caller holds the feed's lock and commits.

    Raises:
        Fault: `superseded` or `sink_disagrees`.
        Refusal: `duplicate_delivery`.
    """
    take_fence(cur, target, publication.partition, publication.fence)
    held = _held(cur, target, publication)
    if held is not None:
        return held
    _refuse_twin_delivery(cur, target, publication)
    _stage(cur, target, publication, clean)
    _vacate(cur, target, publication.partition)
    displaced = _contest(cur, target, publication) if target.contract.key else 0
    loaded = _load(cur, target, publication)
    _require(loaded + displaced == publication.rows, f"{loaded} + {displaced} rows stand where {publication.rows} were sent", target)
    rejected = replace_rejects(cur, target, publication.partition, publication.delivery, rejects)
    _record(cur, target, publication, loaded, displaced, rejected)
    return Outcome(True, loaded, displaced, rejected)


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


def _held(cur: cursor, target: Target, publication: Publication) -> Outcome | None:
    """The outcome recorded for this very publication, if the warehouse holds it."""
    cur.execute(
        "SELECT rows_loaded, rows_displaced, rows_rejected FROM shp_pub.publications WHERE feed = %s AND partition = %s"
        " AND delivery = %s AND contract_version = %s AND converter_version = %s",
        (target.feed, publication.partition, publication.delivery, publication.contract_version, publication.converter_version),
    )
    row = cur.fetchone()
    return Outcome(False, *_counts(cur, target, publication.partition), row[2]) if row else None


def _counts(cur: cursor, target: Target, partition: str) -> tuple[int, int]:
    """Rows loaded and displaced of a partition, as they stand now."""
    cur.execute(sql.SQL("SELECT count(*) FROM {} WHERE _partition = %s").format(target.loaded), (partition,))
    (loaded,) = cur.fetchone() or (0,)
    if not target.contract.key:
        return loaded, 0
    cur.execute(sql.SQL("SELECT count(*) FROM {} WHERE _partition = %s").format(target.displaced), (partition,))
    (displaced,) = cur.fetchone() or (0,)
    return loaded, displaced


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


def _stage(cur: cursor, target: Target, publication: Publication, clean: Iterable[pa.RecordBatch]) -> None:
    columns = (*target.contract.names, "_row")
    cur.execute(
        sql.SQL("CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(names(columns), target.loaded)
    )
    staged = transfer.copy_clean(cur, columns, clean)
    _require(staged == publication.rows, f"{staged} rows were staged, {publication.rows} were expected", target)


def _vacate(cur: cursor, target: Target, partition: str) -> None:
    """Take the partition's rows out; a key it owned goes to the best displaced row of another partition."""
    if not target.contract.key:
        cur.execute(sql.SQL("DELETE FROM {} WHERE _partition = %s").format(target.loaded), (partition,))
        return
    fill = {
        "loaded": target.loaded,
        "displaced": target.displaced,
        "key": names(target.key),
        "columns": names((*target.contract.names, *PLACE)),
        "of_best": same_key("d", "best", target.key),
        "of_leaving": same_key("d", "leaving", target.key),
        "of_loaded": same_key("d", "l", target.key),
        "best_first": _order(target),
    }
    cur.execute(sql.SQL("DELETE FROM {displaced} WHERE _partition = %s").format(**fill), (partition,))
    cur.execute(
        sql.SQL("CREATE TEMP TABLE leaving ON COMMIT DROP AS SELECT {key} FROM {loaded} WHERE _partition = %s").format(**fill), (partition,)
    )
    cur.execute(sql.SQL("DELETE FROM {loaded} WHERE _partition = %s").format(**fill), (partition,))
    cur.execute(
        sql.SQL(
            "WITH best AS (SELECT DISTINCT ON ({key}) d.ctid FROM {displaced} d JOIN leaving USING ({key})"
            ' ORDER BY {key}, d._partition COLLATE "C" {best_first}),'
            " moved AS (DELETE FROM {displaced} d USING best WHERE d.ctid = best.ctid RETURNING d.*)"
            " INSERT INTO {loaded} ({columns}) SELECT {columns} FROM moved"
        ).format(**fill)
    )
    if cur.rowcount:
        cur.execute(
            sql.SQL(
                "UPDATE {displaced} d SET _winner = l._partition FROM leaving, {loaded} l"
                " WHERE {of_leaving} AND {of_loaded} AND d._winner <> l._partition"
            ).format(**fill)
        )


def _contest(cur: cursor, target: Target, publication: Publication) -> int:
    """Settle keys that another partition holds; returns how many staged rows are displaced (and no longer staged)."""
    fill = {
        "loaded": target.loaded,
        "displaced": target.displaced,
        "columns": names((*target.contract.names, *PLACE)),
        "own": names((*target.contract.names, "_row"), "i"),
        "plain": names((*target.contract.names, "_row")),
        "with_loaded": same_key("l", "i", target.key),
        "with_displaced": same_key("d", "i", target.key),
        "beats": sql.SQL("<" if target.prefer == "first" else ">"),
    }
    own = {"partition": publication.partition, "delivery": publication.delivery}
    cur.execute(sql.SQL("SELECT EXISTS (SELECT FROM {loaded} l JOIN incoming i ON {with_loaded})").format(**fill))
    if cur.fetchone() == (False,):
        return 0
    cur.execute(
        sql.SQL(
            "WITH beaten AS (DELETE FROM {loaded} l USING incoming i WHERE {with_loaded}"
            ' AND %(partition)s::text COLLATE "C" {beats} l._partition RETURNING l.*)'
            " INSERT INTO {displaced} ({columns}, _winner) SELECT {columns}, %(partition)s FROM beaten"
        ).format(**fill),
        own,
    )
    cur.execute(
        sql.SQL(
            "UPDATE {displaced} d SET _winner = %(partition)s FROM incoming i WHERE {with_displaced}"
            ' AND %(partition)s::text COLLATE "C" {beats} d._winner'
        ).format(**fill),
        own,
    )
    cur.execute(
        sql.SQL(
            "WITH losing AS (DELETE FROM incoming i USING {loaded} l WHERE {with_loaded} RETURNING {own}, l._partition AS _winner)"
            " INSERT INTO {displaced} ({plain}, _partition, _delivery, _winner)"
            " SELECT {plain}, %(partition)s, %(delivery)s, _winner FROM losing"
        ).format(**fill),
        own,
    )
    return cur.rowcount


def _load(cur: cursor, target: Target, publication: Publication) -> int:
    columns = names((*target.contract.names, "_row"))
    cur.execute(
        sql.SQL("INSERT INTO {loaded} ({columns}, _partition, _delivery) SELECT {columns}, %s, %s FROM incoming").format(
            loaded=target.loaded, columns=columns
        ),
        (publication.partition, publication.delivery),
    )
    return cur.rowcount


def _record(cur: cursor, target: Target, publication: Publication, loaded: int, displaced: int, rejected: int) -> None:
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
            list(target.contract.names),
            loaded,
            displaced,
            rejected,
            publication.hash,
        ),
    )


def _order(target: Target) -> sql.SQL:
    return sql.SQL("ASC" if target.prefer == "first" else "DESC")


def _require(holds: bool, message: str, target: Target) -> None:
    if not holds:
        raise Fault(Code.SINK_DISAGREES, f"warehouse.{target.table}: {message}.", Evidence(system="warehouse", text=message))
