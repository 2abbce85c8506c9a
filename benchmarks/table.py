"""The table that yardstick and pandas fill, and reading back what any contender has stored.

Must not live here: how a contender fills it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg2

DSN_VARIABLE = "BENCH_DSN"
"""How a contender's process learns the database's address: not by its command line, which everybody can read."""

COLUMNS = {
    "Region": "text not null",
    "Country": "text not null",
    "Item Type": "text not null",
    "Sales Channel": "text not null",
    "Order Priority": "text not null",
    "Order Date": "date not null",
    "Order ID": "integer primary key",
    "Ship Date": "date not null",
    "Units Sold": "integer not null",
    "Unit Price": "numeric(18,2) not null",
    "Unit Cost": "numeric(18,2) not null",
    "Total Revenue": "numeric(18,2) not null",
    "Total Cost": "numeric(18,2) not null",
    "Total Profit": "numeric(18,2) not null",
}
"""Header -> SQL type."""

TABLE = "sales_records"
KEY = "order_id"


def column_name(header: str) -> str:
    """A header in snake_case."""
    return header.lower().replace(" ", "_")


NAMES = [column_name(header) for header in COLUMNS]
CREATE = f"create table {TABLE} ({', '.join(f'{column_name(header)} {kind}' for header, kind in COLUMNS.items())})"


def facts(dsn: str, table: str, headers: list[str], dates: list[str]) -> dict[str, Any]:
    """What a table holds, in the form of `make_workbooks.expected`.

    Args:
        dsn: the database.
        table: the table, with its schema if it has one.
        headers: number columns to sum.
        dates: date columns, summed as days since 1970-01-01.
    """
    wanted = ["count(*)", f"count(distinct {KEY})", *(f"sum({column_name(header)})" for header in headers)]
    wanted += [f"sum({column_name(header)} - date '1970-01-01')" for header in dates]
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select {', '.join(wanted)} from {table}")
            rows, keys, *sums = cursor.fetchone() or ()
    finally:
        connection.close()
    texts = [str(Decimal(value)) if value is not None else "0" for value in sums]
    return {
        "rows": rows,
        "keys": keys,
        "sums": dict(zip(headers, texts, strict=False)),
        "days": dict(zip(dates, map(int, texts[len(headers) :]), strict=True)),
    }
