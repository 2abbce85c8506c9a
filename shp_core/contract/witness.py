"""The contract as a pandera schema: second witness of the row rules; imported where a row breaks one.

Rows come in typed: what does not convert was set aside before, because a cell that does not convert would hide the
other failures of its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pandera.pandas as pandera
import pyarrow as pa
from pandera.errors import SchemaErrors

from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.frames import to_frame


def frame_schema(contract: Contract) -> pandera.DataFrameSchema:
    """The pandera schema of the contract's row rules, over frames whose index is the sheet row."""
    columns = {
        column.name: pandera.Column(nullable=column.optional, checks=_checks(column), description=column.description or None)
        for column in contract.columns
    }
    return pandera.DataFrameSchema(columns, strict=True, name=contract.feed)


def broken_rows(schema: pandera.DataFrameSchema, batch: pa.RecordBatch) -> set[int]:
    """Sheet rows of a typed batch that break a row rule, according to pandera.

    Args:
        schema: made by `frame_schema`.
        batch: `_row`, the contract's columns, `_hash`.
    """
    if batch.num_rows == 0:
        return set()
    frame = to_frame(batch)
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        return {int(row) for row in error.failure_cases["index"]}
    return set()


def _checks(column: ContractColumn) -> list[pandera.Check]:
    low, high = (_value(column, bound) for bound in column.bounds)
    checks: list[pandera.Check] = []
    if column.allowed is not None:
        allowed = [int(item) if column.numeric else item for item in column.allowed]
        checks.append(pandera.Check.isin(allowed))
    if column.pattern is not None:
        matches = re.compile(column.pattern).fullmatch
        checks.append(_each(lambda value: matches(value) is not None, f"matches {column.pattern}"))
    if low is not None:
        checks.append(_each(lambda value: value >= low, f"at least {low}"))
    if high is not None:
        checks.append(_each(lambda value: value <= high, f"at most {high}"))
    if column.max_length is not None:
        checks.append(pandera.Check.str_length(max_value=column.max_length))
    return checks


def _each(holds: Callable[[Any], bool], name: str) -> pandera.Check:
    return pandera.Check(holds, element_wise=True, name=name)


def _value(column: ContractColumn, bound: str | None) -> Any:
    if bound is None:
        return None
    return Decimal(bound) if column.numeric else date.fromisoformat(bound)
