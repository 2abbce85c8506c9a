"""Reading a partition back: what the warehouse holds now, not what we remember of writing it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.publishing.dialect import hash_text, row_digest, sum_digests
from shp_resources.warehouse.tables import table_columns
from shp_resources.warehouse.target import Target, names


@dataclass(frozen=True)
class Held:
    """What stands in the warehouse of a partition.

    Args:
        loaded: rows in the table.
        displaced: clean rows whose key belongs to another partition.
        hash: partition hash over both, computed from the rows, 32 hexadecimal digits.
    """

    loaded: int
    displaced: int
    hash: str


def read_back(cur: cursor, target: Target, partition: str) -> Held:
    """Read a partition's rows and compute their hash, over the columns and in the order it was published with."""
    loaded, displaced, record = table_columns(
        cur, ("warehouse", target.table), ("shp_pub", target.displaced_name), ("shp_pub", "publications")
    )
    if not loaded:
        return Held(0, 0, hash_text(0))
    columns = _published_columns(cur, target, partition) if record else target.contract.names
    if not set(columns) <= loaded.keys():  # somebody dropped a column: what stands there is another publication
        columns = target.contract.names
    own = _digest(cur, target.loaded, columns, partition)
    lost = _digest(cur, target.displaced, columns, partition) if target.contract.key and displaced else (0, 0)
    return Held(own[0], lost[0], hash_text(own[1] + lost[1]))


def row_digests(cur: cursor, target: Target, partition: str) -> dict[int, bytes]:
    """The row hashes of a partition's rows, loaded and displaced, by sheet row; to name the rows that differ from another sink's.

    Memory grows with the partition (about 150 bytes a row): call it when totals differ, not before.
    """
    columns = (*_published_columns(cur, target, partition), "_row")
    tables = [target.loaded, *([target.displaced] if target.contract.key else [])]
    return {row: digest for table in tables for row, digest in _digests_by_row(cur, table, columns, partition)}


def _digests_by_row(cur: cursor, table: sql.Composable, columns: Sequence[str], partition: str) -> Iterator[tuple[int, bytes]]:
    lines = io.BytesIO()
    cur.copy_expert(_copy_out(table, columns, partition), lines)
    lines.seek(0)
    for line in io.TextIOWrapper(lines, encoding="utf-8", newline="\n"):
        text, _, row = line.rstrip("\n").rpartition("\t")
        yield int(row), row_digest(text)


def _published_columns(cur: cursor, target: Target, partition: str) -> Sequence[str]:
    cur.execute("SELECT columns FROM shp_pub.publications WHERE feed = %s AND partition = %s", (target.feed, partition))
    row = cur.fetchone()
    return row[0] if row else target.contract.names


class _Digests:
    """Takes COPY's output in pieces and adds up the rows' hashes."""

    def __init__(self) -> None:
        self.rows = 0
        self.total = 0
        self._rest = b""

    def write(self, piece: bytes) -> int:
        """Take a piece of output, which may end within a line."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        self.rows += len(lines)
        self.total += sum_digests(row_digest(line.decode()) for line in lines)
        return len(piece)


def _digest(cur: cursor, table: sql.Composable, columns: Sequence[str], partition: str) -> tuple[int, int]:
    digests = _Digests()
    cur.copy_expert(_copy_out(table, columns, partition), digests)
    return digests.rows, digests.total


def _copy_out(table: sql.Composable, columns: Sequence[str], partition: str) -> sql.Composable:
    statement = sql.SQL("COPY (SELECT {} FROM {} WHERE _partition = {}) TO STDOUT (ENCODING 'UTF8')")
    return statement.format(names(columns), table, sql.Literal(partition))
