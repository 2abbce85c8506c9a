"""The feed model: what one file `feeds/<name>.yaml` may say.

Values are names from closed sets, never Python or SQL. Unknown keys are errors. `docs/feeds.md` and the JSON schema
for editors are generated from the descriptions here.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shp_core.feeds.names import MAX_IDENTIFIER_BYTES, clean_header, identifier_problem, snake_case

ColumnType = Literal["text", "integer", "bigint", "decimal", "money", "date", "timestamp", "boolean"]
Transform = Literal["strip", "collapse", "upper", "lower", "title"]

_NUMERIC = ("integer", "bigint", "decimal", "money")
_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "transform": ("text",),
    "max_length": ("text",),
    "pattern": ("text",),
    "formats": ("date", "timestamp"),
    "scale": ("decimal", "money"),
    "precision": ("decimal", "money"),
    "currency": ("money",),
    "min": (*_NUMERIC, "date"),
    "max": (*_NUMERIC, "date"),
    "in": ("text", "integer", "bigint"),
}


class Strict(BaseModel):
    """Base of all models: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Source(Strict):
    """Where workbooks come from and where the table lies in them."""

    match: str = Field("*.xlsx", description="File name pattern in the feed's drop folder (`*`, `?`, `[…]`).")
    sheet: int | str = Field(1, description="Sheet: number among the visible worksheets, or exact name.")
    header: int = Field(1, ge=1, le=1_048_576, description="Sheet row of the header.")
    until: str | None = Field(None, description="Where the table ends: `blank` (first blank row) or the text of a row's first cell.")

    @field_validator("sheet")
    @classmethod
    def _sheet_number(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("sheets are numbered from 1")
        return value


class Partition(Strict):
    """What one expected piece of the feed is."""

    by: Literal["file", "day"] = Field("file", description="`file`: a file is a partition. `day`: a day is.")
    from_: str = Field(r"(?P<date>\d{4}-\d{2}-\d{2})", alias="from", description="By day: pattern with a group `date` in the file's name.")
    format: str = Field("%Y-%m-%d", description="By day: how the group `date` is written.")
    start: date | None = Field(None, description="By day: the first expected day.")
    due: str | None = Field(None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="By day: time of day at which the file is due.")
    timezone: str = Field("UTC", description="By day: time zone of days and due times (IANA name).")
    many: Literal["newest"] | None = Field(None, description="By day: `newest` lets the newest of several files for one day win.")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not a known time zone; write an IANA name such as Europe/Berlin") from error
        return value

    @model_validator(mode="after")
    def _day(self) -> Partition:
        if self.by == "file":
            return self
        if self.start is None:
            raise ValueError("`by: day` needs `start`, the first expected day, such as 2026-01-01")
        try:
            pattern = re.compile(self.from_)
        except re.error as error:
            raise ValueError(f"`from` is not a valid pattern: {error}") from error
        if "date" not in pattern.groupindex:
            raise ValueError("`from` needs a group named date, such as '(?P<date>\\d{4}-\\d{2}-\\d{2})'")
        return self


class Column(Strict):
    """One column of the sheet."""

    ignore: bool = Field(False, description="Pass over this column.")
    type: ColumnType | None = Field(None, description="What the cells are.")
    name: str | None = Field(None, description="Name in tables; the header in snake_case by default.")
    optional: bool = Field(False, description="The column may be missing and its cells blank.")
    pii: bool = Field(False, description="Personal data: masked wherever samples are shown.")
    description: str | None = Field(None, description="What the column means; becomes the comment of the table's column.")
    transform: list[Transform] = Field(default_factory=list, description="Text: changes applied in order before the rules.")
    max_length: int | None = Field(None, ge=1, description="Text: the most characters.")
    pattern: str | None = Field(None, description="Text: a regular expression that the whole text must match.")
    in_: list[str | int] | None = Field(None, alias="in", min_length=1, description="The only values allowed.")
    formats: list[str] = Field(default_factory=list, description="Date, timestamp: how text cells are written (strptime directives).")
    scale: int = Field(2, ge=0, le=15, description="Decimal, money: digits after the point.")
    precision: int = Field(18, ge=1, le=38, description="Decimal, money: digits in all.")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="Money: ISO 4217 code; other signs are rejected.")
    min: Annotated[Decimal | date | None, Field(description="The smallest value allowed.")] = None
    max: Annotated[Decimal | date | None, Field(description="The largest value allowed.")] = None

    @field_validator("min", "max", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        """A bound is what the file spells; a float's binary digits never get in."""
        return Decimal(repr(value)) if isinstance(value, float) else value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is not a valid regular expression: {error}") from error
        return value

    @field_validator("formats")
    @classmethod
    def _formats(cls, value: list[str]) -> list[str]:
        for form in value:
            if not _round_trips(form):
                raise ValueError(f"{form!r} does not name a day: write directives such as %m/%d/%Y")
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        problem = identifier_problem(value) if value is not None else None
        if problem:
            raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _fits_type(self) -> Column:
        if self.ignore:
            if self.type is not None:
                raise ValueError("an ignored column has no type; write either `ignore: true` or `type: …`")
            return self
        if self.type is None:
            raise ValueError("needs `type`: text, integer, bigint, decimal, money, date, timestamp or boolean (or `ignore: true`)")
        for field in self.model_fields_set:
            key = field.rstrip("_")
            allowed = _ONLY_FOR.get(key)
            if allowed and self.type not in allowed:
                raise ValueError(f"`{key}` is for {' and '.join(allowed)} columns, this one is {self.type}")
        self._check_bounds()
        return self

    def _check_bounds(self) -> None:
        for field, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and isinstance(bound, date) != (self.type == "date"):
                raise ValueError(f"`{field}` must be a {'date' if self.type == 'date' else 'number'}")
        if self.min is not None and self.max is not None and self.min > self.max:  # type: ignore[operator]
            raise ValueError("`min` is above `max`")
        if self.scale > self.precision:
            raise ValueError("`scale` is above `precision`")
        if self.in_ is not None and self.type != "text" and not all(isinstance(item, int) for item in self.in_):
            raise ValueError("`in` must list whole numbers for this type")
        if self.in_ is not None and self.type == "text" and not all(isinstance(item, str) for item in self.in_):
            raise ValueError('`in` must list texts; put quotes around them ("1")')


class Numbers(Strict):
    """How text cells spell numbers."""

    decimal: Literal[".", ","] = Field(".", description="Decimal sign.")
    group: Literal["", ",", ".", " ", "'"] = Field(",", description="Sign between groups of three digits; empty: none.")

    @model_validator(mode="after")
    def _differ(self) -> Numbers:
        if self.decimal == self.group:
            raise ValueError("`decimal` and `group` must differ")
        return self


class Rules(Strict):
    """Rules about a whole delivery, and what happens when the sheet changes its shape."""

    max_rejected_share: float = Field(0.05, ge=0, le=1, description="The largest share of rejected rows with which a delivery is loaded.")
    null_share_below: float | None = Field(
        None, gt=0, le=1, description="Share of blanks in a required column from which a delivery is refused."
    )
    volume_within: float | None = Field(None, gt=0, description="How far the row count may lie from the usual one (0.2: a fifth).")
    volume: Literal["warn", "quarantine"] = Field("warn", description="What happens outside `volume_within`.")
    unknown_columns: Literal["quarantine", "ignore"] = Field("quarantine", description="What happens when a column turns up.")
    allow_empty: bool = Field(False, description="Whether a delivery without rows may replace data.")


class WarehouseSink(Strict):
    """The table in PostgreSQL."""

    table: str = Field(description="Table name in the schema `warehouse`.")

    @field_validator("table")
    @classmethod
    def _table(cls, value: str) -> str:
        problem = identifier_problem(value)
        if problem:
            raise ValueError(problem)
        if len(value) > MAX_IDENTIFIER_BYTES - 12:
            raise ValueError(f"must be at most {MAX_IDENTIFIER_BYTES - 12} characters long (names of views and indexes are made from it)")
        return value


class LakeSink(Strict):
    """The folder in the lake."""

    path: str = Field(pattern=r"^[a-z0-9_]+$", description="Folder under `lake/` and `curated/`.")


class Sinks(Strict):
    """Where clean rows go."""

    warehouse: WarehouseSink | None = None
    lake: LakeSink | None = None


class Feed(Strict):
    """One kind of spreadsheet with one contract."""

    feed: str = Field(description="Name; the same as the file's.")
    owner: str = Field(description="E-mail address or team (`team:data`) that answers for the feed.")
    description: str | None = Field(None, description="What the feed is.")
    source: Source = Field(default_factory=Source)
    partition: Partition = Field(default_factory=Partition)
    columns: dict[str, Column] = Field(min_length=1, description='Columns by header; "" is a column without a header.')
    numbers: Numbers = Field(default_factory=Numbers)
    key: list[str] = Field(default_factory=list, description="Headers of the columns that identify a row.")
    prefer: Literal["first", "last"] | None = Field(
        None, description="Which partition owns a key that several deliver, in order of partition keys; by file: first, by day: last."
    )
    rules: Rules = Field(default_factory=Rules)
    sinks: Sinks | None = Field(None, description="Where clean rows go; a warehouse table of the feed's name by default.")

    @field_validator("feed")
    @classmethod
    def _feed(cls, value: str) -> str:
        problem = identifier_problem(value)
        if problem:
            raise ValueError(problem)
        return value

    @field_validator("owner")
    @classmethod
    def _owner(cls, value: str) -> str:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+|team:[\w.-]+", value):
            raise ValueError("must be an e-mail address or team:name")
        return value

    @model_validator(mode="after")
    def _columns_fit(self) -> Feed:
        used = {header: column for header, column in self.columns.items() if not column.ignore}
        if not used:
            raise ValueError("`columns` needs at least one column that is not ignored")
        _check_headers(self.columns)
        _check_names(used)
        for header in self.key:
            if header not in used:
                raise ValueError(f"`key` names {header!r}, which is not among the columns ({', '.join(used)})")
            if used[header].optional:
                raise ValueError(f"`key` names {header!r}, which is optional; a key is never blank")
        return self

    @property
    def table(self) -> str:
        """The warehouse table's name."""
        sink = self.sinks.warehouse if self.sinks else None
        return sink.table if sink else self.feed

    @property
    def preferred(self) -> Literal["first", "last"]:
        """Which partition owns a shared key (in order of partition keys)."""
        return self.prefer or ("first" if self.partition.by == "file" else "last")


def column_name(header: str, column: Column) -> str:
    """The name of a column in tables."""
    return column.name or snake_case(header)


def _round_trips(form: str) -> bool:
    probe = datetime(2003, 11, 28)
    try:
        return datetime.strptime(probe.strftime(form), form).date() == probe.date()
    except ValueError:
        return False


def _check_headers(columns: dict[str, Column]) -> None:
    seen: dict[str, str] = {}
    for header in columns:
        other = seen.setdefault(clean_header(header), header)
        if other != header:
            raise ValueError(f"the headers {other!r} and {header!r} differ in blanks only")


def _check_names(columns: dict[str, Column]) -> None:
    taken: dict[str, str] = {}
    for header, column in columns.items():
        name = column_name(header, column)
        problem = identifier_problem(name)
        if problem:
            raise ValueError(f"column {header!r} would be called {name!r} in tables, which {problem}; give it a `name`")
        other = taken.setdefault(name, header)
        if other != header:
            raise ValueError(f"columns {other!r} and {header!r} would both be called {name!r} in tables; give one a `name`")
