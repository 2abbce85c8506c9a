"""Typed rows: the Arrow form of clean rows, made from dialect fields."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from shp_core.contract import arrow_compute as pc
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.publishing.dialect import NULL, unescape

HASH_BYTES = 16

_PLAIN = {
    "text": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "boolean": pa.bool_(),
}


def arrow_type(column: ContractColumn) -> pa.DataType:
    """The Arrow type of a column's values."""
    return _PLAIN.get(column.type) or pa.decimal128(column.precision, column.scale)


def typed_schema(contract: Contract) -> pa.Schema:
    """The schema of clean rows: `_row` (sheet row), the contract's columns in feed order, `_hash` (row hash)."""
    fields = [pa.field(column.name, arrow_type(column), nullable=column.optional) for column in contract.columns]
    return pa.schema([pa.field("_row", pa.int32(), nullable=False), *fields, pa.field("_hash", pa.binary(HASH_BYTES), nullable=False)])


def typed_batch(
    contract: Contract, rows: Sequence[int], fields: Sequence[Sequence[str | None]], digests: Sequence[bytes]
) -> pa.RecordBatch:
    """Clean rows as a batch.

    Args:
        contract: the contract.
        rows: sheet row numbers.
        fields: for each contract column the dialect fields of these rows.
        digests: row hashes.
    """
    arrays = [fields_to_array(column, values) for column, values in zip(contract.columns, fields, strict=True)]
    arrays = [pa.array(rows, pa.int32()), *arrays, pa.array(digests, pa.binary(HASH_BYTES))]
    return pa.RecordBatch.from_arrays(arrays, schema=typed_schema(contract))


def fields_to_array(column: ContractColumn, fields: Sequence[str | None]) -> pa.Array:
    """The values that dialect fields of a column stand for."""
    texts = pa.array(fields, pa.string())
    if column.optional:
        texts = pc.if_else(pc.equal(texts, NULL), pa.scalar(None, pa.string()), texts)
    if column.type == "text":
        return _unescaped(texts)
    if column.type == "boolean":
        return pc.equal(texts, "t")
    return pc.cast(texts, arrow_type(column))


def _unescaped(texts: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring(texts, "\\")).as_py():
        return texts
    return pa.array([None if text is None else unescape(text) for text in texts.to_pylist()], pa.string())
