"""The yardstick: the shortest fast way from workbooks to a typed table, in one process and without any care.

    BENCH_DSN=postgresql://… python -m benchmarks.yardstick FILE…

fastexcel -> Arrow (dates converted in Arrow) -> CSV -> COPY to a temporary table -> upsert, one transaction per file. It checks
nothing, keeps nothing and explains nothing; what the platform does beyond it is what the platform costs.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import fastexcel
import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from benchmarks.table import COLUMNS, CREATE, DSN_VARIABLE, KEY, NAMES, TABLE

_UPSERT = f"""
    insert into {TABLE} select * from incoming
    on conflict ({KEY}) do update set {", ".join(f"{name} = excluded.{name}" for name in NAMES if name != KEY)}
"""


def load(dsn: str, paths: Sequence[str]) -> None:
    """Load workbooks into a new table.

    Args:
        dsn: a database without that table.
        paths: the workbooks.
    """
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(CREATE)
        for path in paths:
            with connection, connection.cursor() as cursor:
                cursor.execute(f"create temporary table incoming (like {TABLE}) on commit drop")
                cursor.copy_expert("copy incoming from stdin with (format csv)", read(path))
                cursor.execute(_UPSERT)
    finally:
        connection.close()


def read(path: str) -> io.BytesIO:
    """A workbook's records as CSV without a header."""
    batch = fastexcel.read_excel(path).load_sheet(0, use_columns=list(COLUMNS)).to_arrow()
    table = pa.table({header: _typed(batch.column(header), kind) for header, kind in COLUMNS.items()})
    sink = io.BytesIO()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False))
    sink.seek(0)
    return sink


def _typed(column: pa.Array, kind: str) -> pa.Array:
    if kind.startswith("date"):
        return pc.strptime(column, format="%m/%d/%Y", unit="s").cast(pa.date32())
    return column.cast(pa.int64()) if kind.startswith("integer") else column


if __name__ == "__main__":
    load(os.environ[DSN_VARIABLE], sys.argv[1:])
