"""Where a feed's files come from, and what they are: workbooks, or CSV files and how those are spelled."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from shp_core.feeds.base import Strict, tell_all
from shp_core.reading.csvtext import ENCODINGS
from shp_core.reading.textrow import CsvForm

_CSV_ONLY = ("delimiter", "encoding", "quote", "short_rows")
_XLSX_ONLY = ("sheet",)


class Source(Strict):
    """Where files come from, what they are, and where the table lies in them."""

    match: str = Field("*.xlsx", description="File name pattern in the feed's drop folder (`*`, `?`, `[…]`); CSV: `*.csv` by default.")
    format: Literal["xlsx", "csv"] = Field("xlsx", description="What the files are: workbooks, or CSV files.")
    sheet: int | str = Field(1, description="Workbooks: the sheet, its number among the visible worksheets, or its exact name.")
    header: int = Field(1, ge=1, le=1_048_576, description="Row of the header.")
    until: str | None = Field(
        None, min_length=1, description="Where the table ends: `blank` (first blank row) or the text of a row's first non-blank cell."
    )
    delimiter: str = Field(",", description='CSV: the one character between fields, such as `";"` or `"\\t"`.')
    encoding: str = Field("utf-8", json_schema_extra={"enum": list(ENCODINGS)}, description="CSV: how characters are stored.")
    quote: Literal['"', "'", ""] = Field(
        '"', description="CSV: what stands around fields that hold a delimiter or a line break, doubled inside them; empty: nothing does."
    )
    short_rows: Literal["reject", "blank"] = Field(
        "reject", description="CSV: rows with fewer fields than the header are rejects, or blank at their end."
    )

    @property
    def csv_form(self) -> CsvForm | None:
        """How the CSV files are spelled; None if they are workbooks."""
        return CsvForm(self.delimiter, self.encoding, self.quote, self.short_rows) if self.format == "csv" else None

    @model_validator(mode="before")
    @classmethod
    def _usual_names(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("format") == "csv":
            return {"match": "*.csv", **value}
        return value

    @field_validator("sheet")
    @classmethod
    def _sheet_number(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("sheets are numbered from 1")
        if value == "":
            raise ValueError("write the sheet's number among the visible worksheets, or its name")
        return value

    @field_validator("sheet", mode="before")
    @classmethod
    def _sheet_kind(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f'must be a number from 1, or a name in quotes ("{value}")')
        return value

    @field_validator("match")
    @classmethod
    def _match(cls, value: str) -> str:
        if not value or "/" in value:
            raise ValueError("must be a file name pattern without folders, such as *.xlsx")
        return value

    @field_validator("delimiter")
    @classmethod
    def _delimiter(cls, value: str) -> str:
        if value == "\\t":
            raise ValueError('is a backslash and a t; write "\\t" in double quotes for a tab')
        if len(value) != 1 or value.isalnum() or value in "\r\n\0\ufeff":
            raise ValueError(f'must be one character that is no letter, digit or line break, such as ";" or "\\t", not {value!r}')
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, value: str) -> str:
        if value not in ENCODINGS:
            meant = _meant(value)
            advice = f"; write {meant}" if meant else f", which is not among {', '.join(ENCODINGS)}"
            raise ValueError(f"is {value!r}{advice}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Source:
        tell_all(self._misplaced())
        return self

    def _misplaced(self) -> Iterator[str]:
        for key in sorted(self.model_fields_set & {*(_CSV_ONLY if self.format == "xlsx" else _XLSX_ONLY)}):
            other = "csv" if self.format == "xlsx" else "xlsx"
            yield f"`{key}` is for `format: {other}`; write that or remove it"
        if self.format == "csv" and self.delimiter == self.quote:
            yield "`delimiter` and `quote` must differ"


def _meant(name: str) -> str | None:
    """The encoding that another name of it means."""
    try:
        meant = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return next((known for known in ENCODINGS if codecs.lookup(known).name == meant), None)
