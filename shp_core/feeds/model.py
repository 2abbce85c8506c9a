"""The feed model: what one file `feeds/<name>.yaml` may say.

Values are names from closed sets, never Python or SQL. Unknown keys are errors. `docs/feeds.md` and the JSON schema
for editors are generated from the descriptions here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator, model_validator

from shp_core.expectations.cron import parse
from shp_core.feeds.base import PolicyName, Strict, require_name, tell_all
from shp_core.feeds.column import Column, ColumnType, Transform, column_name
from shp_core.feeds.names import clean_header, column_name_problem, identifier_problem, table_name_problem
from shp_core.feeds.origin import PERIOD
from shp_core.feeds.partition import Calendar, Partition
from shp_core.feeds.source import Source

__all__ = [
    "Calendar",
    "Column",
    "ColumnType",
    "Feed",
    "LakeSink",
    "Numbers",
    "Partition",
    "Rules",
    "Sinks",
    "Source",
    "Strict",
    "Targets",
    "Transform",
    "WarehouseSink",
    "column_name",
]

_MOST_COLUMNS = 1_500
"""PostgreSQL holds 1,600 columns; the platform adds some."""


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
    unknown_columns: Literal["quarantine", "ignore", "map"] = Field(
        "quarantine",
        description="What happens when a column turns up. `map`: one that is nearly called like a missing one is taken for it.",
    )
    allow_empty: bool = Field(False, description="Whether a delivery without rows may replace data.")

    @model_validator(mode="after")
    def _fits(self) -> Rules:
        if self.volume == "quarantine" and self.volume_within is None:
            raise ValueError("`volume: quarantine` needs `volume_within`, such as 0.2")
        return self


class Targets(Strict):
    """What the feed is to reach over thirty days; `shp slo` tells how far it is."""

    on_time: float = Field(0.95, gt=0, lt=1, description="Share of the partitions that were due whose first file came by then.")
    success: float = Field(0.995, gt=0, lt=1, description="Share of the partitions that came and are published.")


class WarehouseSink(Strict):
    """The table in PostgreSQL."""

    table: str = Field(description="Table name in the schema `warehouse`.")

    @field_validator("table")
    @classmethod
    def _table(cls, value: str) -> str:
        return require_name(value, table_name_problem(value))


class LakeSink(Strict):
    """The folder in the lake."""

    path: str = Field(pattern=r"^[a-z0-9_]+$", description="Folder under `lake/` and `curated/`.")


class Sinks(Strict):
    """Where clean rows go: always into a table, which the lake follows and is held to."""

    warehouse: WarehouseSink | None = Field(None, description="The table in PostgreSQL; one of the feed's name by default.")
    lake: LakeSink | None = Field(None, description="The folder in the lake, beside the table.")

    @model_validator(mode="after")
    def _any(self) -> Sinks:
        if self.warehouse is None and self.lake is None:
            raise ValueError("needs at least one sink, such as `warehouse: {table: sales}`; leave `sinks` out for the default")
        return self


class Feed(Strict):
    """One kind of spreadsheet with one contract."""

    feed: str = Field(description="Name; the same as the file's.")
    owner: str = Field(description="E-mail address or team (`team:data`) that answers for the feed.")
    description: str | None = Field(None, description="What the feed is.")
    source: Source = Field(default_factory=Source, description="Where files come from, what they are, and where the table lies in them.")
    partition: Partition = Field(default_factory=Partition, description="What one expected piece of the feed is.")
    schedule: str | None = Field(
        None,
        description="When the source is looked at, as cron writes it (`*/15 * * * *`), in `partition`'s time zone; instead of `poll`.",
    )
    columns: dict[str, Column] = Field(
        min_length=1, max_length=_MOST_COLUMNS, description='Columns by header; "" is a column without a header.'
    )
    numbers: Numbers = Field(default_factory=Numbers, description="How text cells spell numbers.")
    key: list[str] = Field(default_factory=list, description="Headers of the columns that identify a row.")
    prefer: Literal["first", "last"] | None = Field(
        None, description="Which partition owns a key that several deliver, in order of partition keys; by file: first, by day: last."
    )
    rules: Rules = Field(default_factory=Rules, description="Rules about a whole delivery.")
    calls: PolicyName | None = Field(
        None, description="How patiently a call that fails in passing is tried again; what `shp.yaml` says by default."
    )
    targets: Targets = Field(default_factory=Targets, description="Service levels.")
    sinks: Sinks | None = Field(None, description="Where clean rows go; a warehouse table of the feed's name by default.")

    @field_validator("feed")
    @classmethod
    def _feed(cls, value: str) -> str:
        return require_name(value, identifier_problem(value))

    @field_validator("owner")
    @classmethod
    def _owner(cls, value: str) -> str:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+|team:[\w.-]+", value):
            raise ValueError("must be an e-mail address or team:name")
        return value

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value

    @model_validator(mode="after")
    def _fits(self) -> Feed:
        used = {header: column for header, column in self.columns.items() if not column.ignore}
        if not used:
            raise ValueError("`columns` needs at least one column that is not ignored")
        problems = [*_header_problems(self.columns), *_name_problems(used), *_key_problems(self.key, used), self._table_problem()]
        tell_all([*problems, *self._csv_problems(), *self._origin_problems(), *self._schedule_problems()])
        return self

    def _schedule_problems(self) -> Iterator[str]:
        if self.schedule is not None and self.source.uri is None:
            yield "`schedule` is for sources with a `uri`; a drop folder is looked at all the time"
        if self.schedule is not None and "poll" in self.source.model_fields_set:
            yield "`schedule` and `poll` both say when the source is looked at; keep one"

    def _origin_problems(self) -> Iterator[str]:
        for origin in self.source.origins:
            if origin.by_period and not self.partition.by_period:
                yield f"`{PERIOD}` in {origin.uri!r} is for feeds by period; write the file's address, or `partition: {{by: day, …}}`"
            if self.partition.by_period and not origin.is_folder and not origin.by_period:
                yield f"{origin.uri!r} is one file, and the feed is by {self.partition.by}; write `{PERIOD}` where the period stands"

    def _csv_problems(self) -> Iterator[str]:
        for header, column in self.columns.items() if self.source.format == "csv" else ():
            if column.type in ("date", "timestamp") and not column.formats:
                example = "%d.%m.%Y" if column.type == "date" else "%d.%m.%Y %H:%M"
                yield f'column {header!r} needs `formats`, such as ["{example}"]: in a CSV file every cell is a text'

    def _table_problem(self) -> str | None:
        problem = table_name_problem(self.table)
        if problem is None:
            return None
        return f"the table would be called {self.table!r}, which {problem}; give it a name: `sinks: {{warehouse: {{table: …}}}}`"

    @property
    def lake(self) -> str | None:
        """The feed's folder in the lake, None where it declares none."""
        return self.sinks.lake.path if self.sinks is not None and self.sinks.lake is not None else None

    @property
    def table(self) -> str:
        """The warehouse table's name."""
        sink = self.sinks.warehouse if self.sinks else None
        return sink.table if sink else self.feed

    @property
    def preferred(self) -> Literal["first", "last"]:
        """Which partition owns a shared key (in order of partition keys)."""
        return self.prefer or ("first" if self.partition.by == "file" else "last")


def _header_problems(columns: dict[str, Column]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for header, column in columns.items():
        other = seen.setdefault(clean_header(header), header)
        if other != header:
            yield f"the headers {other!r} and {header!r} differ in blanks only; keep one"
        for alias in column.aliases:
            rival = seen.setdefault(clean_header(alias), header)
            if not clean_header(alias) or rival != header or clean_header(alias) == clean_header(header):
                yield f"`aliases` of {header!r} lists {alias!r}, which is blank or a header already; remove it"
        if not clean_header(header) and not column.ignore:
            yield 'a column without a header ("") can only be ignored; ask for a header'


def _name_problems(columns: dict[str, Column]) -> Iterator[str]:
    taken: dict[str, str] = {}
    for header, column in columns.items():
        name = column_name(header, column)
        problem = column_name_problem(name) if clean_header(header) else None
        if problem:
            yield f"column {header!r} would be called {name!r} in tables, which {problem}; give it a `name`"
        other = taken.setdefault(name, header)
        if other != header:
            yield f"columns {other!r} and {header!r} would both be called {name!r} in tables; give one a `name`"


def _key_problems(key: list[str], columns: dict[str, Column]) -> Iterator[str]:
    for place, header in enumerate(key):
        if header not in columns:
            yield f"`key` names {header!r}, which is not among the columns ({', '.join(columns)})"
        elif columns[header].optional:
            yield f"`key` names {header!r}, which is optional; a key is never blank"
        if header in key[:place]:
            yield f"`key` names {header!r} twice"
