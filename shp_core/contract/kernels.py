"""The fast twin of the converter: a batch in which every cell passes, column by column in Arrow.

It gives exactly what `convert` gives, or declines the batch: a cell it is not certain of, a mixed column, a rule that
fails, anything it does not know. A property test holds the two together. Columns that repeat themselves go through the
reference once per distinct text; numbers that do not repeat go through strict patterns and Arrow's own casts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.header import Mapping
from shp_core.contract.numbers import Notation
from shp_core.contract.typed import HASH_BYTES, arrow_type, fields_to_array, typed_schema

_REPEATS = 4
"""A column counts as repeating when it has this many cells for each distinct text."""

_WHOLE_DIGITS = {"integer": 10, "bigint": 18}
_PLAIN_SCALE = 6
"""Up to this scale Arrow prints decimals without an exponent."""

_MAX_MEMO = 65_536
_MAX_MEMO_CHARACTERS = 4 << 20
_SYMBOL_OF = {"USD": "$", "EUR": "€", "GBP": "£"}


class Declined(Exception):
    """The batch is left to the reference."""


class Kernels:
    """Converts batches in which everything passes.

    Args:
        contract: the contract.
        mapping: where its columns stand in the sheet.
    """

    def __init__(self, contract: Contract, mapping: Mapping) -> None:
        notation = Notation(contract.decimal, contract.group)
        self._contract = contract
        self._mapping = mapping
        self._columns = [_ColumnKernel(column, contract, CellJudge(column, notation)) for column in contract.columns]
        self._schema = typed_schema(contract)
        self._key = [contract.names.index(name) for name in contract.key]

    def convert(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[str]]:
        """Typed rows and the dialect texts of their keys, for a batch without any reject.

        Args:
            batch: text rows: `row`, `kinds`, `c1` … `cN`, `extra`.

        Raises:
            Declined: the reference must look at it.
        """
        if not batch.num_rows:
            raise Declined
        pattern = _one_pattern(batch.column("kinds"))
        arrays, fields = [], []
        for kernel, position in zip(self._columns, self._mapping.positions, strict=True):
            array, texts = kernel.absent(len(batch)) if position is None else kernel.convert(pattern[position], batch.column(2 + position))
            arrays.append(array)
            fields.append(texts)
        typed = pa.RecordBatch.from_arrays([batch.column("row"), *arrays, _hashes(fields)], schema=self._schema)
        return typed, self._keys(fields)

    def _keys(self, fields: Sequence[pa.Array]) -> list[str]:
        if not self._key:
            return []
        keys: list[str] = _joined([fields[place] for place in self._key]).to_pylist()
        return keys


class _ColumnKernel:
    """Converts one column of a batch to typed values and dialect fields."""

    def __init__(self, column: ContractColumn, contract: Contract, judge: CellJudge) -> None:
        self._column = column
        self._judge = judge
        self._numbers = _NumberKernel(column, contract) if column.numeric else None
        self._memo: dict[tuple[str, str], str] = {}
        self._characters = 0

    def absent(self, rows: int) -> tuple[pa.Array, pa.Array]:
        """An optional column that the sheet does not have."""
        return pa.nulls(rows, arrow_type(self._column)), pa.array(["\\N"] * rows, pa.string())

    def convert(self, kind: str, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Values and fields of a column whose cells are all of one kind.

        Raises:
            Declined: a cell has a reason to be rejected, or is not certain.
        """
        if kind not in "snbd":
            raise Declined
        encoded = texts.dictionary_encode()
        if self._numbers is not None and len(encoded.dictionary) * _REPEATS > len(texts):
            found = self._numbers.convert(kind, texts, self._field)
            if found is not None:
                return found
        return self._by_text(kind, encoded)

    def _by_text(self, kind: str, encoded: pa.DictionaryArray) -> tuple[pa.Array, pa.Array]:
        """Through the reference, once per distinct text."""
        fields = [self._field(kind, text) for text in encoded.dictionary.to_pylist()]
        if encoded.null_count:
            fields.append(self._field(kind, None))
        places = pc.fill_null(encoded.indices, len(fields) - 1) if encoded.null_count else encoded.indices
        return fields_to_array(self._column, fields).take(places), pa.array(fields, pa.string()).take(places)

    def _field(self, kind: str, text: str | None) -> str:
        field = self._memo.get((kind, text or ""))
        if field is None:
            judged = self._judge.judge(kind, text)
            if judged.reasons or judged.field is None:
                raise Declined
            self._remember(kind, text or "", judged.field)
            return judged.field
        return field

    def _remember(self, kind: str, text: str, field: str) -> None:
        if len(self._memo) >= _MAX_MEMO or self._characters > _MAX_MEMO_CHARACTERS:
            self._memo.clear()
            self._characters = 0
        self._memo[(kind, text)] = field
        self._characters += len(text)


class _NumberKernel:
    """Numbers that do not repeat: strict patterns, casts, bounds."""

    def __init__(self, column: ContractColumn, contract: Contract) -> None:
        self._column = column
        self._type = arrow_type(column)
        self._patterns = dict(_patterns(column, contract))
        self._decimal, self._group = contract.decimal, contract.group
        self._symbol = _SYMBOL_OF.get(column.currency or "", "")
        low, high = column.bounds
        self._low = self._bound(low)
        self._high = self._bound(high)
        self._knows = column.scale <= _PLAIN_SCALE and column.allowed is None

    def _bound(self, bound: str | None) -> pa.Scalar | None:
        """A bound as a value of the column; one that the column cannot hold is left to the reference."""
        if bound is None:
            return None
        value = Decimal(bound)
        if value != round(value, self._column.scale) or abs(value) >= Decimal(10) ** 15:
            self._patterns = {}
            return None
        return pa.scalar(int(value) if pa.types.is_integer(self._type) else value, self._type)

    def convert(self, kind: str, texts: pa.Array, field: Callable[[str, str], str]) -> tuple[pa.Array, pa.Array] | None:
        """Values and fields, or None: the reference must look at it.

        Args:
            kind: the cells' kind letter.
            texts: the cells' texts.
            field: the reference, for the few texts that no strict pattern knows (`21.340000000002` for 21.34).
        """
        pattern = self._patterns.get(kind) if self._knows else None
        if pattern is None or texts.null_count:
            return None
        known = pc.match_substring_regex(texts, pattern)
        unknown = len(texts) - (pc.sum(known).as_py() or 0)
        if unknown * 2 > len(texts):
            return None
        plain = self._plain(texts) if kind == "s" else texts
        if unknown:
            odd = pc.invert(known)
            fields = [field(kind, text) for text in texts.filter(odd).to_pylist()]
            plain = pc.replace_with_mask(plain, odd, pa.array(fields, pa.string()))
        return self._cast(plain)

    def _cast(self, plain: pa.Array) -> tuple[pa.Array, pa.Array] | None:
        try:
            values = plain.cast(self._type)
        except pa.ArrowInvalid:  # ten digits may be more than an integer holds
            return None
        return (values, values.cast(pa.string())) if self._within(values) else None

    def _plain(self, texts: pa.Array) -> pa.Array:
        """A spelled number without its signs of currency and groups."""
        if self._symbol:
            texts = pc.replace_substring(texts, self._symbol, "", max_replacements=1)
        if self._group:
            texts = pc.replace_substring(texts, self._group, "")
        return texts if self._decimal == "." else pc.replace_substring(texts, self._decimal, ".")

    def _within(self, values: pa.Array) -> bool:
        above = self._low is None or pc.all(pc.greater_equal(values, self._low)).as_py()
        return bool(above and (self._high is None or pc.all(pc.less_equal(values, self._high)).as_py()))


def _patterns(column: ContractColumn, contract: Contract) -> Iterator[tuple[str, str]]:
    """By kind the texts that Arrow casts to exactly what the reference makes of them: narrower than the reference's."""
    digits = _WHOLE_DIGITS.get(column.type) or min(15, column.precision - column.scale)
    if digits < 1:
        return
    fraction = f"(\\.[0-9]{{1,{column.scale}}})?" if column.scale else ""
    yield "n", f"^-?[0-9]{{1,{digits}}}{fraction}$"
    point = re.escape(contract.decimal)
    if contract.group in ("", ",", ".", "'"):
        spelled = f"({point}[0-9]{{1,{column.scale}}})?" if column.scale else ""
        groups = max((digits - 3) // 3, 0)
        whole = (
            f"([0-9]{{1,{digits}}}|[1-9][0-9]{{0,2}}({re.escape(contract.group)}[0-9]{{3}}){{1,{groups}}})"
            if contract.group and groups
            else f"[0-9]{{1,{digits}}}"
        )
        symbol = _SYMBOL_OF.get(column.currency or "") if column.type == "money" else None
        yield "s", f"^-?{re.escape(symbol) + '?' if symbol else ''}{whole}{spelled}$"


def _one_pattern(kinds: pa.Array) -> str:
    """The kind letters of the batch's rows, if they all have the same."""
    distinct = kinds.unique()
    if len(distinct) != 1:
        return _merged(distinct.to_pylist())
    pattern: str = distinct[0].as_py()
    return pattern


def _merged(patterns: list[str]) -> str:
    """Column by column the one kind that all rows have; `?` where they differ, which declines a column that is used."""
    return "".join(letters[0] if len(set(letters)) == 1 else "?" for letters in zip(*patterns, strict=True))


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
