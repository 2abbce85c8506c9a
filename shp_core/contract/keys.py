"""Keys inside one delivery: equal rows collapse, different rows with one key are all rejects.

Memory: 12 bytes a row for the index, 8 more while it is asked; the rows themselves are looked at again only where two of
them share a key.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PIECE_ROWS = 1 << 16
_PARTS = 16


class KeyIndex:
    """Finds the rows that may share a key with another row.

    Hashes of 64 bits may collide, so what is found is a suspicion; `settle` looks at the keys themselves.
    """

    def __init__(self) -> None:
        self._rows = array("i")
        self._hashes = array("q")

    def add(self, rows: Sequence[int], keys: Sequence[str]) -> None:
        """Note the rows of one batch with the dialect texts of their keys."""
        self._rows.extend(rows)
        self._hashes.extend(map(hash, keys))

    def contested(self) -> pa.Array:
        """Sheet rows whose key hash occurs more than once, ascending."""
        hashes = np.frombuffer(self._hashes, dtype=np.int64) if self._hashes else np.empty(0, np.int64)
        twins = _twins(hashes)
        if not len(twins):
            return pa.array([], pa.int32())
        rows = np.frombuffer(self._rows, dtype=np.int32)
        starts = range(0, len(rows), _PIECE_ROWS)
        found = [rows[start : start + _PIECE_ROWS][_in(hashes[start : start + _PIECE_ROWS], twins)] for start in starts]
        return pa.array(np.sort(np.concatenate(found)), pa.int32())


def _twins(hashes: np.ndarray) -> np.ndarray:
    """Hashes that occur more than once, ascending; one part after the other, for a sorted copy of all is as large as they are."""
    parts = hashes.view(np.uint8)[:: hashes.itemsize] % _PARTS
    found = []
    for part in range(_PARTS):
        ranked = np.sort(hashes[parts == part])
        found.append(np.unique(ranked[1:][ranked[1:] == ranked[:-1]]))
    return np.sort(np.concatenate(found))


def _in(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which values are wanted; `wanted` is ascending and not empty."""
    found: np.ndarray = wanted[np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)] == values
    return found


@dataclass(frozen=True)
class Settled:
    """What became of rows that share a key.

    Args:
        duplicates: sheet rows equal in all contract columns to an earlier row; they collapse into it.
        conflicts: sheet rows that share a key and differ; all are rejects.
    """

    duplicates: frozenset[int] = frozenset()
    conflicts: frozenset[int] = frozenset()

    @property
    def dropped(self) -> pa.Array:
        """All rows that do not stay, in order."""
        return pa.array(sorted(self.duplicates | self.conflicts), pa.int32())


@dataclass
class _Group:
    """The distinct rows of one key, by row hash: the first sheet row of each."""

    firsts: dict[bytes, int] = field(default_factory=dict)


def settle(batches: Iterable[pa.RecordBatch], key: Sequence[str], contested: pa.Array) -> Settled:
    """Decide about the contested rows.

    Args:
        batches: clean rows (`_row`, columns, `_hash`) in order of sheet rows.
        key: names of the key columns.
        contested: sheet rows that may share a key.
    """
    groups: dict[tuple[object, ...], _Group] = {}
    duplicates: set[int] = set()
    for batch in batches:
        chosen = batch.filter(among(batch.column("_row"), contested))
        columns = [chosen.column(name).to_pylist() for name in (*key, "_hash", "_row")]
        for *values, digest, row in zip(*columns, strict=True):
            firsts = groups.setdefault(tuple(values), _Group()).firsts
            if firsts.setdefault(digest, row) != row:
                duplicates.add(row)
    conflicts = {row for group in groups.values() if len(group.firsts) > 1 for row in group.firsts.values()}
    return Settled(frozenset(duplicates), frozenset(conflicts))


def without(batch: pa.RecordBatch, rows: pa.Array) -> pa.RecordBatch:
    """The batch without the given sheet rows."""
    return batch.filter(pc.invert(among(batch.column("_row"), rows)))


def among(rows: pa.Array, wanted: pa.Array) -> pa.Array:
    """Which rows of one batch are wanted.

    Only the part of `wanted` that the batch spans is looked at: Arrow's `is_in` would put all of it into a new hash
    table for every batch, a minute of work where every row of a big file is contested.

    Args:
        rows: sheet row numbers of a batch.
        wanted: sheet row numbers, ascending.
    """
    if not len(rows):
        return pa.array([], pa.bool_())
    here, all_wanted = rows.to_numpy(), wanted.to_numpy()
    first, last = np.searchsorted(all_wanted, here.min()), np.searchsorted(all_wanted, here.max(), side="right")
    return pa.array(np.isin(here, all_wanted[first:last]))
