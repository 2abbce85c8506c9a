"""Deliveries on their way into the lake: artefacts in a real store, partitions, what a publication holds."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from shp_core.contract.contract import Contract
from shp_core.contract.validate import validate
from shp_core.lake.place import Place
from shp_core.reading.batches import batch_schema
from shp_core.reading.textrow import SheetStats
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import Partition
from shp_resources.store import Store, Validated
from tests.support.contracts import Cell, MemorySource, contract_of, number, text, text_batch

SALES = """
columns:
  Order:  {type: integer, min: 1}
  Region: {type: text, transform: [upper]}
  Day:    {type: date, formats: ["%m/%d/%Y"]}
  Amount: {type: money, scale: 2, currency: EUR}
key: [Order]
rules: {max_rejected_share: 1.0}
"""


def sales() -> Contract:
    """A contract with a key, transforms and dates."""
    return contract_of(SALES)


def sale(order: object, region: str = "eu", day: str = "3/7/2026", amount: str = "12.5") -> list[Cell]:
    """A row of it."""
    return [number(str(order)), text(region), text(day), number(amount)]


def artefacts(folder: Path, contract: Contract, rows: Sequence[Sequence[Cell]], header: Sequence[str] | None = None) -> Validated:
    """A delivery's artefacts, kept in a store."""
    titles = tuple(header if header is not None else [column.header for column in contract.columns])
    schema = batch_schema(titles)
    batch = pa.RecordBatch.from_arrays(text_batch(rows).columns, schema=schema)
    store = Store(folder)
    source = MemorySource(titles, [batch], SheetStats("Sheet1", rows=len(rows)))
    with store.bench(contract, schema) as (bench, scratch):
        return store.keep_validated(bench, scratch, delivery_of(rows), contract, validate(contract, source, bench))


def delivery_of(rows: Sequence[Sequence[Cell]]) -> str:
    """A delivery's name, as its bytes would give it."""
    return sha256(repr(rows).encode()).hexdigest()


def partition(rows: Sequence[Sequence[Cell]], fence: tuple[int, int] = (1, 1), key: str = "n1") -> Partition:
    """A partition of the feed `sales`, for a delivery of these rows."""
    return Partition("sales", "sales", key, delivery_of(rows), fence)


def folder(layer: str, partition: str = "a") -> str:
    """Where a layer of the feed by file keeps a partition."""
    return f"{layer}/orders/partition={partition}"


def current(place: Place, folder: str) -> list[str]:
    """The lines that a reader finds who follows the manifest."""
    manifest = standing(place, folder)
    assert manifest is not None, f"nothing is published in {folder}"
    contents = [place.read(f"{folder}/{manifest.directory}/{file.name}") for file in manifest.files]
    lines = b"".join(content or b"" for content in contents).decode("utf-8").split("\n")
    assert lines.pop() == ""
    return lines
