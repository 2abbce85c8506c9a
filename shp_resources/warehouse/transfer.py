"""Rows on their way into PostgreSQL: Arrow batches as COPY streams, never as Python objects of the whole file.

Must not live here: where rows end up and who owns a key.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.contract.hash_sums import sum_hashes
from shp_core.contract.typed import HASH_BYTES
from shp_core.publishing.dialect import escape, hash_text
from shp_resources.warehouse.target import Target, names

_CSV = pa.csv.WriteOptions(include_header=False)
_PIECE = 1 << 17
_NOT_CONTRACT = ("_row", "_hash")
_NOTHING: Mapping[str, str] = {}
_UNSTORABLE = {0: "\\0"} | {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
"""What PostgreSQL cannot hold in a text, and how it is shown among rejects."""


@dataclass(frozen=True)
class Staged:
    """What came in.

    Args:
        rows: number of rows.
        hash: sum of the row hashes that the batches carry, 32 hexadecimal digits.
        columns: the contract's columns in the order the row hashes were made with; None when no batch came.
    """

    rows: int
    hash: str
    columns: tuple[str, ...] | None


def copy_clean(
    cur: cursor, into: sql.Composable, columns: Sequence[str], batches: Iterable[pa.RecordBatch], same: Mapping[str, str] = _NOTHING
) -> Staged:
    """Copy clean rows into a table.

    Args:
        cur: in the publication's transaction.
        into: the table.
        columns: which columns of the batches.
        batches: clean rows.
        same: further columns that have one value in all rows.
    """
    clean = _Clean(columns, batches, same)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')").format(into, names((*columns, *same)))
    rows = _copy(cur, statement, clean.chunks())
    return Staged(rows, hash_text(clean.total), clean.order)


def copy_rejects(cur: cursor, target: Target, partition: str, delivery: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Copy rejects into the feed's quarantine table; returns their number."""
    chunks = ("".join(_reject_line(partition, delivery, record) for record in batch.to_pylist()).encode() for batch in batches)
    columns = names(("_partition", "_delivery", "_row", "codes", "reasons", "kinds", "texts"))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (ENCODING 'UTF8')").format(target.rejects, columns)
    return _copy(cur, statement, chunks)


def _copy(cur: cursor, statement: sql.Composed, chunks: Iterator[bytes]) -> int:
    stream = _Stream(chunks)
    try:
        cur.copy_expert(statement, stream, _PIECE)
    except psycopg2.Error as error:
        if stream.error is not None:  # the driver tells it as a query that somebody cancelled
            raise stream.error from None
        if cur.connection.closed and not error.pgcode:  # the driver tells it as an invalid socket
            raise psycopg2.OperationalError("server closed the connection while rows were copied") from error
        raise
    return cur.rowcount


class _Clean:
    """Clean rows as chunks of CSV, and what is learnt of them in passing."""

    def __init__(self, columns: Sequence[str], batches: Iterable[pa.RecordBatch], same: Mapping[str, str]) -> None:
        self._columns = list(columns)
        self._same = same
        self._batches = batches
        self.total = 0
        self.order: tuple[str, ...] | None = None

    def chunks(self) -> Iterator[bytes]:
        """The batches, one after the other."""
        for batch in self._batches:
            self.total += sum_hashes(batch.column("_hash").cast(pa.binary(HASH_BYTES)))
            self.order = tuple(name for name in batch.schema.names if name not in _NOT_CONTRACT)
            yield _csv(self._with_the_same(batch.select(self._columns)))

    def _with_the_same(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [pa.repeat(value, batch.num_rows) for value in self._same.values()]
        return pa.RecordBatch.from_arrays([*batch.columns, *arrays], [*batch.schema.names, *self._same])


class _Stream(io.RawIOBase):
    """A readable file over chunks of bytes, as COPY wants it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int = _PIECE) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        try:
            while not self._rest:
                self._rest = memoryview(next(self._chunks))
        except StopIteration:
            return b""
        except BaseException as error:  # boundary: the driver swallows it, `_copy` raises it again
            self.error = error
            raise
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)


def _csv(batch: pa.RecordBatch) -> bytes:
    out = pa.BufferOutputStream()
    pa.csv.write_csv(batch, out, _CSV)
    piece: bytes = out.getvalue().to_pybytes()
    return piece


def _reject_line(partition: str, delivery: str, record: dict[str, Any]) -> str:
    reasons = record["reasons"]
    fields = (
        partition,
        delivery,
        str(record["row"]),
        _array(sorted({reason["code"] for reason in reasons})),
        json.dumps(reasons),
        record["kinds"],
        _array([None if text is None else text.translate(_UNSTORABLE) for text in record["texts"]]),
    )
    return "\t".join(map(escape, fields)) + "\n"


def _array(items: Sequence[str | None]) -> str:
    """A list as PostgreSQL writes arrays of text."""
    quoted = ("NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"
