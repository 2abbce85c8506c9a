"""A feed's tables in the warehouse: names, columns, and the SQL pieces made from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from psycopg2 import sql

from shp_core.contract.contract import Contract, ContractColumn

_SQL_TYPES = {
    "text": "text",
    "integer": "integer",
    "bigint": "bigint",
    "date": "date",
    "timestamp": "timestamp without time zone",
    "boolean": "boolean",
}

PLACE = ("_partition", "_delivery", "_row")
"""Columns beside the contract's: where a row comes from."""

INCOMING = sql.Identifier("pg_temp", "incoming")
"""The rows of a publication before it is known where they go; gone with the transaction."""


@dataclass(frozen=True)
class Target:
    """What a feed is in the warehouse.

    Args:
        contract: the feed's contract.
        table: table name, the same in the schemas `warehouse` and `quarantine`.
        prefer: which partition owns a key that several deliver, in byte order of partition keys.
        description: comment of the table.
    """

    contract: Contract
    table: str
    prefer: Literal["first", "last"]
    description: str = ""

    @property
    def feed(self) -> str:
        """The feed's name."""
        return self.contract.feed

    @property
    def loaded(self) -> sql.Composable:
        """The table that readers use."""
        return sql.Identifier("warehouse", self.table)

    @property
    def displaced(self) -> sql.Composable:
        """The rows whose key belongs to another partition."""
        return sql.Identifier("shp_pub", self.displaced_name)

    @property
    def displaced_name(self) -> str:
        """Name of the table of displaced rows in the schema `shp_pub`."""
        return f"displaced_{self.table}"

    @property
    def filled(self) -> sql.Composable:
        """The view of the table in which late partitions are stood in for."""
        return sql.Identifier("warehouse", self.filled_name)

    @property
    def filled_name(self) -> str:
        """Name of that view in the schema `warehouse`."""
        return f"{self.table}_filled"

    @property
    def rejects(self) -> sql.Composable:
        """The rejected rows."""
        return sql.Identifier("quarantine", self.table)

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies a row of the loaded table."""
        return self.contract.key or ("_partition", "_row")


def sql_type(column: ContractColumn) -> str:
    """PostgreSQL's type of a column."""
    return _SQL_TYPES.get(column.type) or f"numeric({column.precision},{column.scale})"


def names(columns: Iterable[str], prefix: str | None = None) -> sql.Composed:
    """A list of column names, each under the prefix."""
    return sql.SQL(", ").join(sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in columns)


def same_key(left: str, right: str, key: Iterable[str]) -> sql.Composed:
    """The condition that two rows share a key."""
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name)) for name in key)
    return sql.SQL(" AND ").join(pairs)
