"""A preview of clean rows under a dagster-pandas type made from the contract; the rows themselves flow through the store.

Imported when the first preview is made: who only shows the graph needs no pandas (`preview_type`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import dagster_pandas as dp
import pandas as pd

from shp_assets.metadata import MASK, type_text
from shp_assets.preview_type import PREVIEW_ROWS, type_description, type_name
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.frames import to_frame
from shp_resources.store import Validated


def frame_type(contract: Contract) -> dg.DagsterType:
    """The dagster-pandas type of a preview; it shows the contract's columns and rules, and rows that passed cannot fail it."""
    columns = [dp.PandasColumn(column.name, is_required=True, constraints=_shown_constraints(column)) for column in contract.columns]
    return dp.create_dagster_pandas_dataframe_type(name=type_name(contract), description=type_description(contract), columns=columns)


def _shown_constraints(column: ContractColumn) -> list[dp.constraints.ColumnConstraint]:
    return [] if column.optional else [dp.constraints.NonNullableColumnConstraint()]


def preview(contract: Contract, artefacts: Validated) -> pd.DataFrame:
    """The first clean rows, personal data masked."""
    for batch in artefacts.clean():
        frame = to_frame(batch.slice(0, PREVIEW_ROWS))
        break
    else:
        frame = pd.DataFrame({column.name: pd.Series(dtype="object") for column in contract.columns})
    for column in contract.columns:
        if column.pii:
            frame[column.name] = frame[column.name].map(lambda value: value if pd.isna(value) else MASK).astype("object")
    return frame


def preview_markdown(contract: Contract, frame: pd.DataFrame, rows: int = 10) -> str:
    """The first rows of a preview as a table for the UI."""
    head = "| " + " | ".join(f"{column.name} ({type_text(column)})" for column in contract.columns) + " |"
    rule = "|" + "---|" * len(contract.columns)
    lines = ["| " + " | ".join(_shown(value) for value in record) + " |" for record in frame.head(rows).itertuples(index=False)]
    return "\n".join([head, rule, *lines])


def _shown(value: Any) -> str:
    return "" if pd.isna(value) else str(value)[:60].replace("|", "\\|").replace("\n", " ").replace("\r", " ")
