"""Where a feed's files come from, and what they are: workbooks, or CSV files and how those are spelled.

Must not live here: what an address may say (`origin`), and when a fallback is used (`shp_core.fallbacks`).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from shp_core.feeds.base import DURATION, Strict, duration_of, tell_all
from shp_core.feeds.origin import PERIOD, Origin, uri_problem
from shp_core.reading.csvtext import ENCODINGS
from shp_core.reading.textrow import CsvForm

_CSV_ONLY = ("delimiter", "encoding", "quote", "short_rows")
_XLSX_ONLY = ("sheet",)


_REMOTE_ONLY = ("fallbacks", "poll")
_URI = "such as `https://host/prices.xlsx`, `s3://bucket/orders/`, `sftp://host/out/`, `hdfs://namenode:9870/in/`, `file:///srv/share/`"


class Snapshot(Strict):
    """The last good delivery of the partition."""

    max_age: str = Field(pattern=DURATION, description="How long ago it may have been published: `90m`, `24h`, `7d`.")

    @property
    def age(self) -> timedelta:
        """How long ago it may have been published."""
        return duration_of(self.max_age)


class Fallback(Strict):
    """What is taken where the source does not give a file: another address, or the last good delivery."""

    uri: str | None = Field(None, description=f"Another address, {_URI}.")
    snapshot: Snapshot | None = Field(None, description="The last good delivery of the partition goes on standing.")

    @field_validator("uri")
    @classmethod
    def _uri(cls, value: str | None) -> str | None:
        return _checked(value)

    @model_validator(mode="after")
    def _one(self) -> Fallback:
        if (self.uri is None) == (self.snapshot is None):
            raise ValueError("must be `{uri: …}` or `{snapshot: {max_age: 24h}}`")
        return self


class Source(Strict):
    """Where files come from, what they are, and where the table lies in them."""

    uri: str | None = Field(
        None,
        description=f"Where files come from instead of the drop folder, {_URI}; "
        f"a `/` at its end: a folder. By period, `{PERIOD}` stands for the period.",
    )
    fallbacks: list[Fallback] = Field(
        default_factory=list, description="What is tried, in this order, where the source does not give a file; needs `uri`."
    )
    poll: str = Field("1m", pattern=DURATION, description="How often the source is looked at: `30s`, `5m`, `1h`; needs `uri`.")
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
    def origin(self) -> Origin | None:
        """Where files come from; None: the drop folder."""
        return Origin(self.uri) if self.uri else None

    @property
    def origins(self) -> list[Origin]:
        """The source and its fallbacks that are addresses, in order; empty for the drop folder."""
        return [Origin(uri) for uri in (self.uri, *(fallback.uri for fallback in self.fallbacks)) if uri]

    @property
    def snapshot(self) -> Snapshot | None:
        """Whether the last good delivery may go on standing."""
        return next((fallback.snapshot for fallback in self.fallbacks if fallback.snapshot), None)

    @property
    def pace(self) -> timedelta:
        """How often the source is looked at."""
        return duration_of(self.poll)

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

    @field_validator("uri")
    @classmethod
    def _uri(cls, value: str | None) -> str | None:
        return _checked(value)

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
        for key in sorted(self.model_fields_set & {*_REMOTE_ONLY}) if self.uri is None else ():
            yield f"`{key}` needs `uri`; without it files come from the drop folder"
        if any(fallback.snapshot for fallback in self.fallbacks[:-1]):
            yield "`snapshot` must be the last of the fallbacks: it always gives something"
        if len({origin.uri for origin in self.origins}) < len(self.origins):
            yield "`fallbacks` names an address twice"
        if self.format == "csv" and self.delimiter == self.quote:
            yield "`delimiter` and `quote` must differ"


def _checked(uri: str | None) -> str | None:
    problem = uri_problem(uri) if uri is not None else None
    if problem:
        raise ValueError(problem)
    return uri


def _meant(name: str) -> str | None:
    """The encoding that another name of it means."""
    try:
        meant = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return next((known for known in ENCODINGS if codecs.lookup(known).name == meant), None)
