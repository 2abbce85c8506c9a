"""Typed rows as a pandas frame, for what shows or judges frames; pandera is not needed for that, and takes long to import."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def to_frame(batch: pa.RecordBatch) -> pd.DataFrame:
    """A typed batch as a frame: index is the sheet row, numbers with a scale stay Decimal, dates stay dates."""
    frame: pd.DataFrame = batch.drop_columns(["_hash"]).to_pandas(date_as_object=True, integer_object_nulls=True)
    return frame.set_index("_row")
