"""What most people write: `pandas.read_excel` (openpyxl), conversions, `DataFrame.to_sql` with its default method.

BENCH_DSN=postgresql://… python -m benchmarks.pandas_to_sql FILE…
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import pandas as pd
import sqlalchemy

from benchmarks.table import COLUMNS, CREATE, DSN_VARIABLE, TABLE, column_name


def load(dsn: str, paths: Sequence[str]) -> None:
    """Load workbooks into a new table, one transaction per file.

    Args:
        dsn: a database without that table.
        paths: the workbooks.
    """
    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://", 1))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(CREATE))
    for path in paths:
        read(path).to_sql(TABLE, engine, if_exists="append", index=False)
    engine.dispose()


def read(path: str) -> pd.DataFrame:
    """A workbook's records, typed and rounded, under the table's column names."""
    frame = pd.read_excel(path, engine="openpyxl", index_col=0)
    for header, kind in COLUMNS.items():
        if kind.startswith("date"):
            frame[header] = pd.to_datetime(frame[header], format="%m/%d/%Y")
        elif kind.startswith("numeric"):
            frame[header] = frame[header].round(2)
    return frame.rename(columns=column_name)


if __name__ == "__main__":
    load(os.environ[DSN_VARIABLE], sys.argv[1:])
