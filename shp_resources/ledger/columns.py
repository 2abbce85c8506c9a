"""What the ledger's tables are made of: the schema, how its names are made, the kinds of their columns.

Must not live here: tables (`tables`), statements.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "shp"
VERSION_TABLE = "ledger_version"  # not Alembic's usual name, which Dagster uses in the same database
metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    },
)

TIMESTAMP: sa.types.TypeEngine[Any] = sa.DateTime(timezone=True)
INODE = sa.Numeric(20, 0)  # some file systems use all 64 bits, which a bigint cannot hold


def text(name: str, comment: str, *, null: bool = False) -> sa.Column[str]:
    """A text."""
    return sa.Column(name, sa.Text, nullable=null, comment=comment)


def number(name: str, comment: str, *, null: bool = False) -> sa.Column[int]:
    """A large number."""
    return sa.Column(name, sa.BigInteger, nullable=null, comment=comment)


def at(name: str, comment: str, *, null: bool = False) -> sa.Column[Any]:
    """A moment."""
    return sa.Column(name, TIMESTAMP, nullable=null, comment=comment)


def now(name: str, comment: str) -> sa.Column[Any]:
    """The moment at which the row was written."""
    return sa.Column(name, TIMESTAMP, nullable=False, server_default=sa.func.clock_timestamp(), comment=comment)


def json_object(name: str, comment: str) -> sa.Column[Any]:
    """A JSON object, empty by default."""
    return sa.Column(name, JSONB, nullable=False, server_default=sa.text("'{}'::jsonb"), comment=comment)


def feed() -> sa.Column[str]:
    """The feed, a part of the key."""
    return sa.Column("feed", sa.Text, primary_key=True, comment="Feed.")


def partition() -> sa.Column[str]:
    """The partition, a part of the key."""
    return sa.Column("partition", sa.Text, primary_key=True, comment="Partition key.")
