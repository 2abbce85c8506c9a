"""One column of a feed file: type, rules, and which of them go together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from shp_core.contract.cells import apply_transforms
from shp_core.contract.dates import form_problem, parse_form
from shp_core.feeds.base import Strict, require_name, tell_all
from shp_core.feeds.names import column_name_problem, snake_case

ColumnType = Literal["text", "integer", "bigint", "decimal", "money", "date", "timestamp", "boolean"]
Transform = Literal["strip", "collapse", "upper", "lower", "title"]

NUMERIC = ("integer", "bigint", "decimal", "money")
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "transform": ("text",),
    "max_length": ("text",),
    "pattern": ("text",),
    "formats": ("date", "timestamp"),
    "scale": ("decimal", "money"),
    "precision": ("decimal", "money"),
    "currency": ("money",),
    "min": (*NUMERIC, "date"),
    "max": (*NUMERIC, "date"),
    "in": ("text", "integer", "bigint"),
}
"""Which keys are for columns of some types only."""

_WITH_IGNORE = {"ignore", "description"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
_WIDEST = 60
_CLASSES = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.")
_YOUNG_SYNTAX = re.compile(r"[*+?}]\+|\(\?>")
_PROBE = datetime(2001, 2, 3)


class Column(Strict):
    """One column of the sheet."""

    ignore: bool = Field(False, description="Pass over this column.")
    type: ColumnType | None = Field(None, description="What the cells are.")
    name: str | None = Field(None, description="Name in tables; the header in snake_case by default.")
    aliases: list[str] = Field(default_factory=list, description="Other headers under which the column comes.")
    optional: bool = Field(False, description="The column may be missing and its cells blank.")
    pii: bool = Field(False, description="Personal data: masked wherever samples are shown.")
    description: str | None = Field(None, description="What the column means; becomes the comment of the table's column.")
    transform: list[Transform] = Field(default_factory=list, description="Changes applied in order before the rules.")
    max_length: int | None = Field(None, ge=1, description="The most characters.")
    pattern: str | None = Field(None, description="A regular expression that the whole text must match.")
    in_: list[str | int] | None = Field(None, alias="in", min_length=1, description="The only values allowed.")
    formats: list[str] = Field(
        default_factory=list,
        description="How text cells are written: `%d %m %b %B %y %Y %H %I %M %S %f %p` and plain characters. "
        "Date cells need none; unpadded days and months are accepted.",
    )
    scale: int = Field(2, ge=0, le=15, description="Digits after the point.")
    precision: int = Field(18, ge=1, le=38, description="Digits in all.")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="ISO 4217 code; other signs are rejected.")
    min: Decimal | date | None = Field(None, description="The smallest value allowed.")
    max: Decimal | date | None = Field(None, description="The largest value allowed.")

    @field_validator("min", "max", mode="before")
    @classmethod
    def _bound(cls, value: Any) -> Decimal | date | None:
        return None if value is None else _bound(value)

    @field_validator("in_", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        odd = [item for item in value if isinstance(item, bool) or not isinstance(item, str | int)] if isinstance(value, list) else []
        tell_all(f'must list texts or whole numbers; put quotes around {item} ("{item}")' for item in odd)
        return value

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        tell_all([pattern_problem(value)] if value is not None else [])
        return value

    @field_validator("formats")
    @classmethod
    def _formats(cls, value: list[str]) -> list[str]:
        problems = [f"{form!r} {problem}" for form in value if (problem := form_problem(form))]
        tell_all(problems or _ambiguities(value))
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        return require_name(value, column_name_problem(value)) if value is not None else None

    @model_validator(mode="after")
    def _fits(self) -> Column:
        if self.ignore:
            given = sorted(_key(field) for field in self.model_fields_set - _WITH_IGNORE)
            tell_all([f"an ignored column has no `{'` and no `'.join(given)}`; remove `ignore: true` or the rest"] if given else [])
            return self
        if self.type is None:
            raise ValueError("needs `type`: text, integer, bigint, decimal, money, date, timestamp or boolean (or `ignore: true`)")
        tell_all([*self._misplaced(self.type), *self._bounds_problems(), *self._in_problems()])
        return self

    def _misplaced(self, type_: ColumnType) -> Iterator[str]:
        for field in sorted(self.model_fields_set):
            allowed = ONLY_FOR.get(_key(field))
            if allowed and type_ not in allowed:
                yield f"`{_key(field)}` is for {' and '.join(allowed)} columns, this one is {type_}"

    def _bounds_problems(self) -> Iterator[str]:
        bounds = {key: bound for key, bound in (("min", self.min), ("max", self.max)) if bound is not None and self.type in ONLY_FOR[key]}
        wrong = [key for key, bound in bounds.items() if isinstance(bound, date) != (self.type == "date")]
        for key in wrong:
            yield f"`{key}` must be a {'date such as 2026-01-31' if self.type == 'date' else 'number'}"
        if len(bounds) == 2 and not wrong and bounds["min"] > bounds["max"]:  # type: ignore[operator]
            yield "`min` is above `max`"
        if self.scale > self.precision:
            yield "`scale` is above `precision`"

    def _in_problems(self) -> Iterator[str]:
        for item in self.in_ or ():
            if self.type == "text" and not isinstance(item, str):
                yield f'`in` must list texts; put quotes around {item} ("{item}")'
            elif self.type in ("integer", "bigint") and not isinstance(item, int):
                yield f"`in` must list whole numbers for this type, not {item!r}"
            elif isinstance(item, str) and apply_transforms(item, tuple(self.transform)) != item:
                yield f"`in` lists {item!r}, which no cell can be after `transform: [{', '.join(self.transform)}]`"


def column_name(header: str, column: Column) -> str:
    """The name of a column in tables."""
    return column.name or snake_case(header)


def pattern_problem(pattern: str) -> str | None:
    """Why a regular expression cannot be used, or None if it can; it must mean the same on nodes with Python 3.8."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a valid regular expression: {error}"
    if _YOUNG_SYNTAX.search(_CLASSES.sub("x", pattern)):
        return "has a possessive or atomic part, which Python 3.8 on Hadoop nodes does not know; write it without"
    return None


def _key(field: str) -> str:
    """A field's name as the file spells it."""
    return field.rstrip("_")


def _bound(value: Any) -> Decimal | date:
    """A bound is what the file spells; a float's binary digits never get in."""
    if isinstance(value, str) and not _NUMBER.match(value):
        return _day(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | date) or isinstance(value, datetime):
        raise ValueError(f"must be a number or a date such as 2026-01-31, not {value!r}")
    if isinstance(value, date):
        return value
    number = Decimal(str(value))
    if not number.is_finite() or number.adjusted() > _WIDEST or number.as_tuple().exponent < -_WIDEST:  # type: ignore[operator]
        raise ValueError("must be a number that some column can hold")
    return number


def _day(spelled: str) -> date:
    try:
        return date.fromisoformat(spelled)
    except ValueError as error:
        raise ValueError(f"must be a number or a date such as 2026-01-31, not {spelled!r}") from error


def _ambiguities(formats: list[str]) -> Iterator[str]:
    """Pairs of forms that read one text as two different days: nobody would know which was meant."""
    spelled = {form: _PROBE.strftime(form) for form in formats}
    for place, form in enumerate(formats):
        for other in formats[place + 1 :]:
            if form == other:
                yield f"{form!r} stands twice"
                continue
            for text in (spelled[form], spelled[other]):
                days = {moment.date() for moment in (parse_form(text, form), parse_form(text, other)) if moment is not None}
                if len(days) > 1:
                    yield f"{form!r} and {other!r} read {text!r} as two different days; keep one of them"
                    break
