"""Reading a partition back: what the warehouse holds now, not what we remember of writing it."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor

from shp_core.publishing.dialect import hash_text, row_digest, sum_digests
from shp_resources.warehouse.target import Target, names


@dataclass(frozen=True)
class Held:
    """What stands in the warehouse of a partition.

    Args:
        loaded: rows in the table.
        displaced: clean rows whose key belongs to another partition.
        hash: partition hash over both, computed from the rows, 32 hexadecimal digits.
    """

    loaded: int
    displaced: int
    hash: str


def read_back(cur: cursor, target: Target, partition: str) -> Held:
    """Read a partition's rows and compute their hash."""
    loaded, loaded_hash = _digest(cur, target, target.loaded, partition)
    displaced, displaced_hash = _digest(cur, target, target.displaced, partition) if target.contract.key else (0, 0)
    return Held(loaded, displaced, hash_text(loaded_hash + displaced_hash))


class _Digests:
    """Takes COPY's output in pieces and adds up the rows' hashes."""

    def __init__(self) -> None:
        self.rows = 0
        self.total = 0
        self._rest = b""

    def write(self, piece: bytes) -> int:
        """Take a piece of output, which may end within a line."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        self.rows += len(lines)
        self.total += sum_digests(row_digest(line.decode()) for line in lines)
        return len(piece)


def _digest(cur: cursor, target: Target, table: sql.Composable, partition: str) -> tuple[int, int]:
    statement = sql.SQL("COPY (SELECT {} FROM {} WHERE _partition = {}) TO STDOUT").format(
        names(target.contract.names), table, sql.Literal(partition)
    )
    digests = _Digests()
    cur.copy_expert(statement, digests)
    return digests.rows, digests.total
