"""One cell: conversion and row rules, the reference that defines the meaning.

A judged cell is its dialect field, or reasons. Standard library only, Python 3.8 syntax: the same module runs on
Hadoop nodes.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from shp_core.contract import reasons
from shp_core.contract.contract import ContractColumn
from shp_core.contract.dates import convert_date, convert_timestamp
from shp_core.contract.numbers import Notation, convert_number, number_text
from shp_core.publishing.dialect import NULL, escape

_TRUE, _FALSE = "true", "false"


class Judged(NamedTuple):
    """What became of a cell.

    Args:
        field: the value in the text dialect; None when the cell has no value of the column's type.
        reasons: why the row is a reject; empty for a clean cell. With a field set, a row rule was broken.
    """

    field: Optional[str]
    reasons: Tuple[str, ...] = ()


class CellJudge:
    """Judges the cells of one column.

    Args:
        column: the column of the contract.
        notation: how the feed's text cells spell numbers.
    """

    def __init__(self, column: ContractColumn, notation: Notation) -> None:
        self._column = column
        self._notation = notation
        self._convert = _CONVERTERS[column.type]
        self._rules = _rules(column)

    def judge(self, kind: str, text: Optional[str]) -> Judged:
        """Convert one cell and check it against the column's rules.

        Args:
            kind: the cell's kind letter.
            text: the cell's text; None for an absent cell.

        Returns:
            The field, or the reasons, in the order in which the rules stand.
        """
        if kind in _NEVER_A_VALUE:
            return Judged(None, (_NEVER_A_VALUE[kind],))
        if text is None or not text.strip():
            return Judged(NULL) if self._column.optional else Judged(None, (reasons.MISSING_VALUE,))
        value, reason = self._convert(self._column, kind, text, self._notation)
        if reason is not None:
            return Judged(None, (reason,))
        if value == "":  # a transform may leave nothing
            return Judged(NULL) if self._column.optional else Judged(None, (reasons.MISSING_VALUE,))
        return Judged(escape(_render(value)), tuple(name for name, holds in self._rules if not holds(value)))


_NEVER_A_VALUE = {
    "e": reasons.ERROR_CELL,
    "f": reasons.FORMULA_WITHOUT_VALUE,
    "x": reasons.TEXT_CUT_OFF,
    "r": reasons.RAGGED_ROW,
}
"""Kinds of cells that have no value in any type of column, and why."""


def _render(value: Any) -> str:
    return number_text(value) if isinstance(value, Decimal) else str(value)


Converted = Tuple[Any, Optional[str]]


def _number(column: ContractColumn, kind: str, text: str, notation: Notation) -> Converted:
    return convert_number(column, kind, text, notation)


def _date(column: ContractColumn, kind: str, text: str, notation: Notation) -> Converted:
    return convert_date(column, kind, text)


def _timestamp(column: ContractColumn, kind: str, text: str, notation: Notation) -> Converted:
    return convert_timestamp(column, kind, text)


def _boolean(column: ContractColumn, kind: str, text: str, notation: Notation) -> Converted:
    word = text.strip().lower() if kind in "bs" else ""
    if word not in (_TRUE, _FALSE):
        return None, reasons.INVALID_BOOLEAN
    return ("t" if word == _TRUE else "f"), None


def _text(column: ContractColumn, kind: str, text: str, notation: Notation) -> Converted:
    text = apply_transforms(text, column.transforms)
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return None, reasons.INVALID_TEXT
    return text, None


def apply_transforms(text: str, transforms: Tuple[str, ...]) -> str:
    """A text after a column's transforms, in their order."""
    for transform in transforms:
        text = _TRANSFORMS[transform](text)
    return text


_TRANSFORMS = {
    "strip": str.strip,
    "collapse": lambda text: " ".join(text.split()),
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
}

_CONVERTERS = {
    "text": _text,
    "integer": _number,
    "bigint": _number,
    "decimal": _number,
    "money": _number,
    "date": _date,
    "timestamp": _timestamp,
    "boolean": _boolean,
}

Rule = Tuple[str, Callable[[Any], bool]]


def _rules(column: ContractColumn) -> List[Rule]:
    """The column's row rules as predicates over converted values (Decimal for numbers, ISO text for dates)."""
    low, high = (_bound(column, bound) for bound in column.bounds)
    rules: List[Rule] = []
    if column.allowed is not None:
        allowed = frozenset(Decimal(item) if column.numeric else item for item in column.allowed)
        rules.append((reasons.NOT_ALLOWED, allowed.__contains__))
    if column.pattern is not None:
        matches = re.compile(column.pattern).fullmatch
        rules.append((reasons.PATTERN_MISMATCH, lambda value: matches(value) is not None))
    if low is not None:
        rules.append((reasons.BELOW_MIN, lambda value: value >= low))
    if high is not None:
        rules.append((reasons.ABOVE_MAX, lambda value: value <= high))
    if column.max_length is not None:
        longest = column.max_length
        rules.append((reasons.TOO_LONG, lambda value: len(value) <= longest))
    return rules


def _bound(column: ContractColumn, bound: Optional[str]) -> Any:
    """A bound in the form values have: ISO dates of four-digit years compare as texts."""
    if bound is None:
        return None
    return Decimal(bound) if column.numeric else date.fromisoformat(bound).isoformat()
