"""What the UI shows: column schemas, bounded samples of rows with personal data masked, counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg
import pyarrow as pa

from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.header import column_letters
from shp_core.feeds.marts import Mart, Month
from shp_core.feeds.names import clean_header

SAMPLE_ROWS = 20
MASK = "•••"
_CELL_CHARACTERS = 80


def column_schema(contract: Contract) -> dg.TableSchema:
    """The clean rows' columns with types, descriptions and constraints."""
    return dg.TableSchema(columns=[_column(column, column.name in contract.key) for column in contract.columns])


def _column(column: ContractColumn, in_key: bool) -> dg.TableColumn:
    low, high = column.bounds
    rules = {
        "at least": low,
        "at most": high,
        "one of": ", ".join(column.allowed) if column.allowed else None,
        "matches": column.pattern,
        "max_length": column.max_length,
        "currency": column.currency,
    }
    other = [f"{name} {value}" for name, value in rules.items() if value is not None]
    return dg.TableColumn(
        name=column.name,
        type=type_text(column),
        description=column.description or f"Column '{column.header}' of the sheet",
        constraints=dg.TableColumnConstraints(nullable=column.optional, unique=in_key, other=other),
        tags={"pii": ""} if column.pii else {},
    )


def text_schema(contract: Contract) -> dg.TableSchema:
    """The text rows' columns: where a row stands, a kind letter per column, and the texts as the sheet has them."""
    texts = [dg.TableColumn(column.header or "(unnamed)", "text") for column in contract.columns]
    return dg.TableSchema(columns=[dg.TableColumn("row", "integer"), dg.TableColumn("kinds", "text"), *texts])


def reject_schema() -> dg.TableSchema:
    """The columns of rejects in the warehouse's schema `quarantine`."""
    columns = {"_row": "integer", "codes": "text[]", "reasons": "jsonb", "kinds": "text", "texts": "text[]"}
    return dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in columns.items()])


def mart_schema(mart: Mart, contract: Contract) -> dg.TableSchema:
    """A mart's columns: what it groups by, its sums, and how many rows each line was made from."""
    columns = {column.header: column for column in contract.columns}
    groups = [_group_column(group, columns) for group in mart.group_by]
    sums = [dg.TableColumn(columns[clean_header(header)].name, "numeric") for header in mart.sum]
    return dg.TableSchema(columns=[*groups, *sums, dg.TableColumn("source_rows", "bigint")])


def _group_column(group: str | Month, columns: dict[str, ContractColumn]) -> dg.TableColumn:
    if isinstance(group, Month):
        return dg.TableColumn(f"{columns[clean_header(group.month)].name}_month", "date")
    column = columns[clean_header(group)]
    return dg.TableColumn(column.name, type_text(column))


def type_text(column: ContractColumn) -> str:
    """A column's type as tables name it."""
    return f"numeric({column.precision},{column.scale})" if column.precision else column.type


def reject_table(contract: Contract, positions: dict[int, ContractColumn], batches: Iterable[pa.RecordBatch]) -> dg.TableMetadataValue:
    """The first rejects: sheet row, reasons, and the cells that broke a rule, personal data masked.

    Args:
        contract: the contract.
        positions: contract columns by 0-based position in the sheet.
        batches: rejects.
    """
    places = {column.name: place for place, column in positions.items()}
    records = [_reject_record(contract, places, record) for record in _first(batches)]
    schema = dg.TableSchema([dg.TableColumn("row", "int"), dg.TableColumn("reasons"), dg.TableColumn("cells")])
    return dg.TableMetadataValue(records=records, schema=schema)


def _reject_record(contract: Contract, places: dict[str, int], record: dict[str, Any]) -> dg.TableRecord:
    reasons = "; ".join(f"{reason['column']}: {reason['code']}" for reason in record["reasons"])
    named = {name for reason in record["reasons"] for name in reason["column"].split("+")}
    cells = [_cell(column, places[column.name], record) for column in contract.columns if column.name in named and column.name in places]
    return dg.TableRecord({"row": record["row"], "reasons": reasons, "cells": "; ".join(cells)})


def _cell(column: ContractColumn, place: int, record: dict[str, Any]) -> str:
    text = record["texts"][place]
    shown = MASK if column.pii else repr((text or "")[:_CELL_CHARACTERS])
    return f"{column_letters(place)}{record['row']}={shown}"


def _first(batches: Iterable[pa.RecordBatch]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for batch in batches:
        records.extend(batch.slice(0, SAMPLE_ROWS - len(records)).to_pylist())
        if len(records) >= SAMPLE_ROWS:
            break
    return records
