"""Feeds from YAML, deliveries of clean rows and rejects as the platform makes them, and a desk that publishes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

import psycopg2
import pyarrow as pa
import yaml

from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract
from shp_core.contract.typed import typed_batch
from shp_core.feeds.model import Feed
from shp_core.publishing.dialect import escape, hash_text, row_digest, sum_digests
from shp_resources.warehouse import Held, Outcome, Publication, Target, Warehouse
from tests.support.waiting import PATIENCE, until

Row = Sequence[str | None]
"""Canonical texts of a row's columns, not yet escaped; None is null."""

ITEMS = """
feed: items
owner: team:tests
columns:
  ID:   {type: integer}
  Text: {type: text, optional: true}
key: [ID]
"""
"""A feed with a key and as little else as can be."""

LINES = ITEMS.replace("feed: items", "feed: lines").replace("key: [ID]", "key: []")
"""The same without a key."""

EVERY_TYPE = """
feed: every_type
owner: team:tests
description: It's a "feed" of every type; 100 % of them.
columns:
  ID:       {type: integer, description: "The key's number."}
  Big:      {type: bigint, optional: true}
  Day:      {type: date, optional: true, formats: ["%Y-%m-%d"]}
  Moment:   {type: timestamp, optional: true, formats: ["%Y-%m-%d %H:%M:%S"]}
  Price:    {type: money, optional: true, scale: 2, currency: EUR}
  Rate:     {type: decimal, optional: true, scale: 15, precision: 38}
  Text:     {type: text, optional: true}
  Flag:     {type: boolean, optional: true}
key: [ID]
sinks: {warehouse: {table: every_type_rows}}
"""

_REASON = pa.struct([("column", pa.string()), ("code", pa.string())])
_REJECTS = pa.schema([("row", pa.int32()), ("reasons", pa.list_(_REASON)), ("kinds", pa.string()), ("texts", pa.list_(pa.string()))])


def feed_of(text: str) -> Feed:
    """A feed from the text of its file."""
    return Feed.model_validate(yaml.safe_load(text))


def contract_of(text: str) -> Contract:
    """The contract of a feed file's text."""
    return compile_contract(feed_of(text))


def target_of(text: str, prefer: Literal["first", "last"] | None = None) -> Target:
    """The tables of a feed file's text."""
    feed = feed_of(text)
    return Target(compile_contract(feed), feed.table, prefer or feed.preferred, feed.description or "")


@dataclass(frozen=True)
class Delivery:
    """One version of a partition's bytes, validated.

    Args:
        name: SHA-256 of the bytes.
        batches: clean rows.
        rows: their number.
        hash: their partition hash.
        rejects: rejected rows.
        contract: what they were validated with.
    """

    name: str
    batches: tuple[pa.RecordBatch, ...]
    rows: int
    hash: str
    contract: Contract
    rejects: tuple[pa.RecordBatch, ...] = ()


def delivery(contract: Contract, content: Sequence[Row], *, name: str | None = None, batch_rows: int = 10_000, **extra: Any) -> Delivery:
    """A delivery of these clean rows, the first of them in sheet row 2."""
    fields = [[escape(value) for value in row] for row in content]
    digests = [row_digest("\t".join(row)) for row in fields]
    places = [range(start, min(start + batch_rows, len(fields))) for start in range(0, len(fields), batch_rows)]
    batches = tuple(_batch(contract, place, fields, digests) for place in places)
    name = name or sha256(repr(content).encode()).hexdigest()
    return Delivery(name, batches, len(fields), hash_text(sum_digests(digests)), contract, **extra)


def _batch(contract: Contract, place: range, fields: list[list[str]], digests: list[bytes]) -> pa.RecordBatch:
    columns = [[fields[index][number] for index in place] for number in range(len(contract.columns))]
    return typed_batch(contract, [index + 2 for index in place], columns, [digests[index] for index in place])


def reject(row: int, *texts: str | None, codes: Sequence[str] = ("invalid_date",), column: str = "day") -> dict[str, Any]:
    """A rejected row."""
    kinds = "".join("-" if text is None else "s" for text in texts)
    return {"row": row, "reasons": [{"column": column, "code": code} for code in codes], "kinds": kinds, "texts": list(texts)}


def reject_batch(*rejects: dict[str, Any]) -> pa.RecordBatch:
    """Rejected rows as the store hands them out."""
    return pa.RecordBatch.from_pylist(list(rejects), schema=_REJECTS)


@dataclass
class Desk:
    """Publishes deliveries into one warehouse, each under a newer fence than the last unless told otherwise.

    Args:
        dsn: address of the database.
        target: the feed's tables.
    """

    dsn: str
    target: Target
    arrivals: int = 0

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, with connections of its own."""
        return Warehouse(lambda: self.dsn, pooled=True)

    @cached_property
    def connection(self) -> Any:
        """The second connection: it sees what is committed."""
        connection = psycopg2.connect(self.dsn)
        connection.autocommit = True
        return connection

    def turned_to(self, target: Target) -> Desk:
        """The same warehouse with other ideas about the feed."""
        other = Desk(self.dsn, target, self.arrivals)
        other.__dict__.update(warehouse=self.warehouse, connection=self.connection)
        return other

    def publication(self, partition: str, given: Delivery, fence: tuple[int, int] | None = None, **other: Any) -> Publication:
        """What is to be published; `other` overrides fields."""
        if fence is None:
            self.arrivals += 1
            fence = (self.arrivals, 1)
        made = Publication(partition, given.name, given.contract.version, 1, fence, given.rows, given.hash)
        return replace(made, **other)

    def publish(self, partition: str, given: Delivery, fence: tuple[int, int] | None = None, **other: Any) -> Outcome:
        """Publish a delivery as a partition."""
        return self.warehouse.publish(self.target, self.publication(partition, given, fence, **other), given.batches, given.rejects)

    def refuse(self, partition: str, given: Delivery, fence: tuple[int, int] | None = None) -> int:
        """Show the rejects of a delivery that is refused as a whole."""
        fence = fence or self.publication(partition, given).fence
        return self.warehouse.publish_rejects(self.target, partition, given.name, fence, given.rejects)

    def held(self, partition: str) -> Held:
        """What stands in the tables of a partition."""
        return self.warehouse.read_back(self.target, partition)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement on the second connection."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that stands in the feed's tables and in the records, but for times, numbers and fences."""
        columns = ", ".join(self.target.contract.names)
        table = self.target.table
        found = {
            "loaded": self.rows(f"SELECT {columns}, _partition, _delivery, _row FROM warehouse.{table}"),
            "rejects": self.rows(f"SELECT _partition, _delivery, _row, codes, reasons::text, kinds, texts FROM quarantine.{table}"),
            "publications": self.rows(
                "SELECT feed, partition, delivery, contract_version, converter_version, columns, rows_loaded, rows_displaced,"
                " rows_rejected, hash FROM shp_pub.publications"
            ),
        }
        if self.target.contract.key:
            found["displaced"] = self.rows(f"SELECT {columns}, _partition, _delivery, _row, _winner FROM shp_pub.displaced_{table}")
        return {name: sorted(lines, key=repr) for name, lines in found.items()}

    def places(self) -> dict[str, list[tuple[Any, ...]]]:
        """Where each row lies and which transaction put it there: whoever writes a row, even unchanged, changes this."""
        tables = [f"warehouse.{self.target.table}", f"quarantine.{self.target.table}", "shp_pub.publications"]
        if self.target.contract.key:
            tables.append(f"shp_pub.{self.target.displaced_name}")
        return {table: self.rows(f"SELECT ctid::text, xmin::text FROM {table} ORDER BY ctid") for table in tables}


_BETWEEN_LOOKS = 0.002
"""Seconds; less than any two transactions are apart, and enough to leave the processor to what is looked at."""


class Poller:
    """A second connection that asks the same thing over and over and keeps every distinct answer.

    Args:
        dsn: address of the database.
        ask: statement, run in a transaction of its own each time.
    """

    def __init__(self, dsn: str, ask: str) -> None:
        self.seen: set[tuple[Any, ...]] = set()
        self.asked = 0
        self.error: Exception | None = None
        self._dsn, self._ask = dsn, ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll)

    def _poll(self) -> None:
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                while not self._stop.is_set():
                    cursor.execute(self._ask)
                    self.seen.add(tuple(cursor.fetchall()))
                    self.asked += 1
                    self._stop.wait(_BETWEEN_LOOKS)
        except psycopg2.Error as error:  # told by the test's own thread
            self.error = error
        finally:
            connection.close()

    @contextmanager
    def polling(self) -> Iterator[Poller]:
        """Poll all through the block."""
        self._thread.start()
        try:
            until(lambda: self.asked > 0 or self.error is not None)
            yield self
        finally:
            self._stop.set()
            self._thread.join(PATIENCE)
        assert self.error is None, self.error
