"""Rows on their way into PostgreSQL: Arrow batches as COPY streams, never as Python objects of the whole file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.publishing.dialect import escape
from shp_resources.warehouse.target import Target, names

_CSV = pa.csv.WriteOptions(include_header=False)
_UNSTORABLE = {0: "\\0"} | {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
"""What PostgreSQL cannot hold in a text, and how it is shown among rejects."""


class _Stream(io.RawIOBase):
    """A readable file over chunks of bytes, as COPY wants it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return b""
        taken, self._rest = (self._rest[:size], self._rest[size:]) if size >= 0 else (self._rest, b"")
        return taken


def copy_clean(cur: cursor, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
    """Copy clean rows into the temporary table `incoming`; returns their number."""
    chunks = (_csv(batch.select(list(columns))) for batch in batches)
    cur.copy_expert(sql.SQL("COPY incoming ({}) FROM STDIN (FORMAT csv)").format(names(columns)), _Stream(chunks), 1 << 16)
    return cur.rowcount


def copy_rejects(cur: cursor, target: Target, partition: str, delivery: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Copy rejects into the feed's quarantine table; returns their number."""
    chunks = ("".join(_reject_line(partition, delivery, record) for record in batch.to_pylist()).encode() for batch in batches)
    statement = sql.SQL("COPY {} (_partition, _delivery, _row, codes, reasons, kinds, texts) FROM STDIN").format(target.rejects)
    cur.copy_expert(statement, _Stream(chunk for chunk in chunks if chunk))
    return cur.rowcount


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
