"""Text rows as Arrow batches, the form in which they leave the reading process.

Layout: `row: int32, kinds: string, c1 … cN: string, extra: string`; the header stands in the schema's metadata. Must
not live here: reading. The only module of this package, with `child`, that needs more than the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from shp_core.limits import Limits
from shp_core.reading.csvrows import open_csv
from shp_core.reading.table import Table
from shp_core.reading.textrow import HEADER_KEY, SheetSpec, TextRow


def batch_schema(header: tuple[str, ...]) -> pa.Schema:
    """The schema of a table's batches.

    Args:
        header: the header's texts, one per column.
    """
    columns = [(f"c{number}", pa.string()) for number in range(1, len(header) + 1)]
    metadata = {HEADER_KEY: json.dumps(header).encode()}
    return pa.schema([("row", pa.int32()), ("kinds", pa.string()), *columns, ("extra", pa.string())], metadata=metadata)


def header_of(schema: pa.Schema) -> tuple[str, ...]:
    """The header's texts, from the schema of a batch."""
    return tuple(json.loads((schema.metadata or {})[HEADER_KEY]))


def batches(rows: Iterator[TextRow], schema: pa.Schema, limits: Limits) -> Iterator[pa.RecordBatch]:
    """Gather rows into batches.

    Args:
        rows: text rows.
        schema: as `batch_schema` gives it.
        limits: a batch ends at `batch_rows` rows, or after the row that reaches `batch_chars` characters; every cell
            counts four more, so that many blank columns end a batch, too.
    """
    gathered: list[TextRow] = []
    width = len(schema) - 3
    chars = 0
    for row in rows:
        gathered.append(row)
        chars += sum(map(len, filter(None, row.texts))) + len(row.extra or "") + 4 * width
        if len(gathered) >= limits.batch_rows or chars >= limits.batch_chars:
            yield _batch(gathered, schema)
            gathered, chars = [], 0
    if gathered:
        yield _batch(gathered, schema)


def _batch(rows: list[TextRow], schema: pa.Schema) -> pa.RecordBatch:
    numbers, kinds, texts, extras = zip(*rows, strict=True)
    columns = [pa.array(numbers, pa.int32()), pa.array(kinds, pa.string())]
    columns += [pa.array(column, pa.string()) for column in zip(*texts, strict=True)]
    return pa.RecordBatch.from_arrays([*columns, pa.array(extras, pa.string())], schema=schema)


class CsvTable:
    """The text rows of a CSV file in batches; iterate once. It has the attributes of `scan.tables.TextTable`."""

    reader = "csv"
    declined = ""

    def __init__(self, table: Table, limits: Limits) -> None:
        self._table = table
        self._limits = limits
        self.header = table.header
        self.stats = table.stats
        self.schema = batch_schema(table.header)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches.

        Raises:
            Unreadable: the file is refused.
        """
        return batches(iter(self._table), self.schema, self._limits)


@contextmanager
def open_csv_batches(path: Path, spec: SheetSpec, limits: Limits) -> Iterator[CsvTable]:
    """Open a CSV file (`csvrows.open_csv`) as batches."""
    with open_csv(path, spec, limits) as table:
        yield CsvTable(table, limits)
