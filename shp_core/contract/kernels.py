"""The fast twin of the converter: rows of a batch in which everything passes, column by column in Arrow.

It gives exactly what `convert` gives, or leaves rows to it: those with a cell that it is not certain of, a rule that
fails, cells of another kind than most of their column. A property test holds the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import pyarrow as pa

from shp_core.contract import arrow_compute as pc
from shp_core.contract.cells import CellJudge
from shp_core.contract.column_kernel import ColumnKernel, Memo
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.number_kernel import Converted, Values
from shp_core.contract.numbers import Notation
from shp_core.contract.typed import HASH_BYTES, typed_schema
from shp_core.reading.textrow import ABSENT

_MOST_PATTERNS = 1024
"""With more patterns of kinds than this in a batch, looking for the usual one costs more than it brings."""


class Declined(Exception):
    """The batch is left to the reference."""


class Sure(NamedTuple):
    """What the kernels are certain of.

    Args:
        typed: typed rows.
        keys: the dialect texts of their keys.
        rows: which rows of the batch these are; None: all.
    """

    typed: pa.RecordBatch
    keys: list[str]
    rows: pa.BooleanArray | None


def memos_of(contract: Contract, escaped: bool = False) -> dict[ContractColumn, Memo]:
    """What remembers the reference's words on a contract's cells, empty, by the rules of its columns.

    Args:
        contract: the contract.
        escaped: whether the cells are fields of the lake's lines.
    """
    notation = Notation(contract.decimal, contract.group)
    return {column.rules: Memo(CellJudge(column, notation), escaped) for column in contract.columns}


def patterns_of(kinds: pa.Array) -> dict[str, int]:
    """The rows' kind letters, and how many rows have them."""
    if not kinds.null_count and pc.all(pc.equal(kinds, kinds[0])).as_py():
        return {kinds[0].as_py(): len(kinds)}
    counted = pc.value_counts(kinds)
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


class Kernels:
    """Converts rows in which everything passes.

    Args:
        contract: the contract.
        positions: for each of its columns the 0-based place among the sheet's columns, None where it is missing.
        memos: what the reference said of texts, by the rules of columns (`memos_of`); its own if None.
    """

    def __init__(self, contract: Contract, positions: Sequence[int | None], memos: dict[ContractColumn, Memo] | None = None) -> None:
        memos = memos_of(contract) if memos is None else memos
        self._columns = [ColumnKernel(column, contract, memos[column.rules]) for column in contract.columns]
        self._positions = positions
        self._schema = typed_schema(contract)
        self._key = [contract.names.index(name) for name in contract.key]

    def convert(self, batch: pa.RecordBatch) -> Sure:
        """Typed rows, and the keys, of the rows that are certain to be clean.

        Args:
            batch: text rows: `row`, `kinds`, `c1` … `cN`, `extra`.

        Raises:
            Declined: none is.
        """
        rows = batch.column("row")
        values, fields, holds = self.told(batch)
        arrays = [made() for made in values]
        if holds is not None:
            rows, arrays, fields = _chosen(holds, rows, arrays, fields)
        typed = pa.RecordBatch.from_arrays([rows, *arrays, _hashes(fields)], schema=self._schema)
        return Sure(typed, self._keys(fields), holds)

    def told(self, batch: pa.RecordBatch) -> tuple[list[Values], list[pa.Array], pa.BooleanArray | None]:
        """Values and dialect fields of the contract's columns, and the rows that are certain to keep its row rules (None: all).

        Args:
            batch: text rows, as for `convert`; what stands in rows that are not certain means nothing.

        Raises:
            Declined: none is.
        """
        usual, holds = self._usual(batch.column("kinds"))
        values, fields = [], []
        for kernel, position in zip(self._columns, self._positions, strict=True):
            made, texts, column_holds = _column(kernel, position, usual, batch)
            values.append(made)
            fields.append(texts)
            holds = both(holds, column_holds)
        return values, fields, holds

    def _usual(self, kinds: pa.Array) -> tuple[dict[int, str], pa.BooleanArray | None]:
        """By position the kind that most cells have, absent ones apart, and the rows that have it everywhere (None: all)."""
        patterns = patterns_of(kinds) if len(kinds) else {}
        if not 0 < len(patterns) <= _MOST_PATTERNS:
            raise Declined
        usual = {position: _most_common(patterns, position) for position in self._positions if position is not None}
        fitting = [pattern for pattern in patterns if all(pattern[place] in (kind, ABSENT) for place, kind in usual.items())]
        if len(fitting) == len(patterns):
            return usual, None
        return usual, pc.is_in(kinds, value_set=pa.array(fitting, pa.string()))

    def _keys(self, fields: Sequence[pa.Array]) -> list[str]:
        if not self._key:
            return []
        keys: list[str] = _joined([fields[place] for place in self._key]).to_pylist()
        return keys


def _column(kernel: ColumnKernel, position: int | None, usual: dict[int, str], batch: pa.RecordBatch) -> Converted:
    if position is None:
        return kernel.absent(len(batch))
    converted = kernel.convert(usual[position], batch.column(2 + position))
    if converted is None:
        raise Declined
    return converted


def _most_common(patterns: dict[str, int], position: int) -> str:
    """The letter of most cells at a position that are not absent; if all are, that."""
    counts: Counter[str] = Counter()
    for pattern, count in patterns.items():
        counts[pattern[position]] += count
    absent = counts.pop(ABSENT, 0)
    return counts.most_common(1)[0][0] if counts or not absent else ABSENT


def both(one: pa.BooleanArray | None, other: pa.BooleanArray | None) -> pa.BooleanArray | None:
    """What holds in both; None: all of it."""
    if one is None or other is None:
        return other if one is None else one
    return pc.and_(one, other)


def _chosen(
    holds: pa.BooleanArray, rows: pa.Array, arrays: list[pa.Array], fields: list[pa.Array]
) -> tuple[pa.Array, list[pa.Array], list[pa.Array]]:
    if not pc.any(holds).as_py():
        raise Declined
    return pc.filter(rows, holds), [pc.filter(array, holds) for array in arrays], [pc.filter(texts, holds) for texts in fields]


def _joined(fields: Sequence[pa.Array]) -> pa.Array:
    return fields[0] if len(fields) == 1 else pc.binary_join_element_wise(*fields, "\t")


def _hashes(fields: Sequence[pa.Array]) -> pa.Array:
    """Row hashes, straight from the bytes of the joined texts."""
    joined = _joined(fields)
    if not len(joined):
        return pa.array([], pa.binary(HASH_BYTES))
    _, offsets, data = joined.buffers()
    ends = memoryview(offsets).cast("i")[joined.offset : joined.offset + len(joined) + 1]
    view = memoryview(data) if data is not None else memoryview(b"")
    digests = b"".join([sha256(view[ends[row] : ends[row + 1]]).digest()[:HASH_BYTES] for row in range(len(joined))])
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(HASH_BYTES), len(joined), [None, pa.py_buffer(digests)])
