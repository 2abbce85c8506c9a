"""Keys between partitions: a key belongs to one of them, the others' rows with that key are displaced.

The owner is the preferred partition in byte order of partition keys; when it drops the key, the best displaced row
moves back. So the tables do not depend on the order in which partitions came. All of it happens in the caller's
transaction, under the feed's lock, and in feeds with a key only.
"""

from __future__ import annotations

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_resources.warehouse.target import INCOMING, PLACE, Target, names, same_key

_LEAVING = sql.Identifier("pg_temp", "leaving")
"""Keys that are to be given to the best displaced row; gone with the transaction."""


def follow_preference(cur: cursor, target: Target) -> bool:
    """Give every contested key to its new owner if the feed prefers the other end than it did when they were settled.

    Returns:
        Whether that was needed.
    """
    cur.execute(sql.SQL("SELECT _partition, _winner FROM {} LIMIT 1").format(target.displaced))
    row = cur.fetchone()
    if row is None or _beats(target, row[1], row[0]):
        return False
    fill = _fill(target)
    cur.execute(sql.SQL("CREATE TEMP TABLE {leaving} ON COMMIT DROP AS SELECT DISTINCT {key} FROM {displaced}").format(**fill))
    cur.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {loaded} l USING {leaving} k WHERE {l_is_k} RETURNING l.*)"
            " INSERT INTO {displaced} ({columns}, _winner) SELECT {columns}, _partition FROM gone"
        ).format(**fill)
    )
    _promote(cur, fill)
    cur.execute(sql.SQL("DROP TABLE {leaving}").format(**fill))
    return True


def vacate(cur: cursor, target: Target, partition: str) -> int:
    """Take the partition's rows out; a key that it owned and does not bring again goes to the best displaced row.

    Returns:
        How many incoming keys the partition owned already: nobody can contest these.
    """
    fill = _fill(target)
    cur.execute(sql.SQL("DELETE FROM {displaced} WHERE _partition = %s").format(**fill), (partition,))
    cur.execute(
        sql.SQL(
            "CREATE TEMP TABLE {leaving} ON COMMIT DROP AS SELECT {key} FROM {loaded} l WHERE _partition = %s"
            " AND NOT EXISTS (SELECT FROM {incoming} i WHERE {l_is_i})"
        ).format(**fill),
        (partition,),
    )
    dropped_keys = cur.rowcount
    cur.execute(sql.SQL("DELETE FROM {loaded} WHERE _partition = %s").format(**fill), (partition,))
    owned_keys = cur.rowcount
    if dropped_keys:
        _promote(cur, fill)
    return owned_keys - dropped_keys


def contest(cur: cursor, target: Target, partition: str, delivery: str) -> int:
    """Settle keys that another partition holds; returns how many incoming rows are displaced (and no longer incoming)."""
    fill = _fill(target)
    own = {"partition": partition, "delivery": delivery}
    cur.execute(sql.SQL("SELECT EXISTS (SELECT FROM {loaded} l JOIN {incoming} i ON {l_is_i})").format(**fill))
    if cur.fetchone() == (False,):
        return 0
    cur.execute(
        sql.SQL(
            "WITH beaten AS (DELETE FROM {loaded} l USING {incoming} i WHERE {l_is_i}"
            ' AND %(partition)s::text COLLATE "C" {beats} l._partition RETURNING l.*)'
            " INSERT INTO {displaced} ({columns}, _winner) SELECT {columns}, %(partition)s FROM beaten"
        ).format(**fill),
        own,
    )
    cur.execute(
        sql.SQL(
            "UPDATE {displaced} d SET _winner = %(partition)s FROM {incoming} i WHERE {d_is_i}"
            ' AND %(partition)s::text COLLATE "C" {beats} d._winner'
        ).format(**fill),
        own,
    )
    cur.execute(
        sql.SQL(
            "WITH losing AS (DELETE FROM {incoming} i USING {loaded} l WHERE {l_is_i} RETURNING {brought}, l._partition AS _winner)"
            " INSERT INTO {displaced} ({plain}, _partition, _delivery, _winner)"
            " SELECT {plain}, %(partition)s, %(delivery)s, _winner FROM losing"
        ).format(**fill),
        own,
    )
    return cur.rowcount


def _promote(cur: cursor, fill: dict[str, sql.Composable]) -> None:
    """Move the best displaced row of each leaving key into the table, and tell the other rows who won."""
    cur.execute(
        sql.SQL(
            "WITH best AS (SELECT DISTINCT ON ({key}) d.ctid FROM {displaced} d JOIN {leaving} k USING ({key})"
            ' ORDER BY {key}, d._partition COLLATE "C" {best_first}),'
            " moved AS (DELETE FROM {displaced} d USING best WHERE d.ctid = best.ctid RETURNING d.*)"
            " INSERT INTO {loaded} ({columns}) SELECT {columns} FROM moved"
        ).format(**fill)
    )
    if cur.rowcount:
        cur.execute(
            sql.SQL(
                "UPDATE {displaced} d SET _winner = l._partition FROM {leaving} k, {loaded} l"
                " WHERE {d_is_k} AND {d_is_l} AND d._winner <> l._partition"
            ).format(**fill)
        )


def _beats(target: Target, partition: str, other: str) -> bool:
    """Whether a partition owns a key that both deliver."""
    left, right = partition.encode(), other.encode()
    return left < right if target.prefer == "first" else left > right


def _fill(target: Target) -> dict[str, sql.Composable]:
    """What the statements here are made of; `l_is_i` is the condition that a loaded and an incoming row share a key."""
    first = target.prefer == "first"
    contract = (*target.contract.names, "_row")
    return {
        "loaded": target.loaded,
        "displaced": target.displaced,
        "incoming": INCOMING,
        "leaving": _LEAVING,
        "key": names(target.key),
        "columns": names((*target.contract.names, *PLACE)),
        "plain": names(contract),
        "brought": names(contract, "i"),
        "beats": sql.SQL("<" if first else ">"),
        "best_first": sql.SQL("ASC" if first else "DESC"),
        **{f"{left}_is_{right}": same_key(left, right, target.key) for left, right in ("li", "lk", "di", "dk", "dl")},
    }
