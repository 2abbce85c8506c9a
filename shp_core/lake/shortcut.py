"""The cells that mean what they say: most numbers and texts, told without the reference, which costs twenty times as much.

A shortcut agrees with `CellJudge` or declines (None); a property test holds them together. Standard library only, Python
3.8 syntax.
"""

# ruff: noqa: UP006, UP035, UP045 (Python 3.8 does not know the younger spellings of types)

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Callable, Optional, Tuple

from shp_core.contract.contract import ContractColumn
from shp_core.contract.dates import numeric_form

Shortcut = Callable[[str], Optional[str]]
"""From a field of the lake's line to the field of the clean line, None to ask the reference."""

_WHOLE_DIGITS = {"integer": 10, "bigint": 18}
_LARGEST = {"integer": (1 << 31) - 1}

_MOST_DIGITS = 15
_MOST_OF_A_DOUBLE = 9
_LEAST_SCALE, _MOST_SCALE = 1, 4
"""With so many digits before and behind the point a double is nearer to its text than any limit of the reference."""

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")


def shortcut_of(column: ContractColumn, kind: str, decimal: str) -> Optional[Shortcut]:
    """The shortcut for a column's cells of one kind, None when every cell needs the reference.

    Args:
        column: the column of the contract.
        kind: kind letter.
        decimal: the feed's decimal sign in text cells.
    """
    if column.allowed is not None or column.pattern is not None:
        return None
    if column.numeric and column.max_length is None and (kind == "n" or (kind == "s" and decimal == ".")):
        return _number(column, "-?" if kind == "n" else "")
    if kind == "s" and column.type == "text" and not column.transforms:
        return _text(column)
    if column.type == "date" and column.max_length is None and (kind == "d" or (kind == "s" and column.formats)):
        return _date(column, kind)
    return None


def _number(column: ContractColumn, sign: str) -> Optional[Shortcut]:
    """A number that has no more decimals than the column, and fewer digits than it could hold."""
    digits = whole_digits(column)
    if digits < 1:
        return None
    fraction = rf"(?:\.([0-9]{{1,{column.scale}}}))?" if column.scale else "()"
    plain = re.compile(rf"(?!-0){sign}(?:0|[1-9][0-9]{{0,{digits - 1}}}){fraction}\Z").match
    scale, (low, high) = column.scale, scaled_bounds(column)
    drifted = _drifted(column, min(digits - 1, _MOST_OF_A_DOUBLE)) if sign else None

    def number(text: str) -> Optional[str]:
        match = plain(text)
        if match is None:
            if drifted is None or drifted(text) is None:
                return None
            text = f"{float(text):.{scale}f}"
        elif scale:
            found = match.group(1)
            text = text + "." + "0" * scale if found is None else text + "0" * (scale - len(found))
        if low is None and high is None:
            return text
        value = int(text.replace(".", ""))
        return None if (low is not None and value < low) or (high is not None and value > high) else text

    return number


def _drifted(column: ContractColumn, digits: int) -> Optional[Callable[[str], object]]:
    """What knows a sum or product of doubles: decimals of the column, then only zeros or only nines for a while."""
    if not _LEAST_SCALE <= column.scale <= _MOST_SCALE or digits < 1:
        return None
    return re.compile(rf"(?!-0)-?(?:0|[1-9][0-9]{{0,{digits - 1}}})\.[0-9]{{{column.scale}}}(?:00000|99999)[0-9]{{0,12}}\Z").match


def whole_digits(column: ContractColumn) -> int:
    """How many digits before the point are told without the reference; below 1: none."""
    return _WHOLE_DIGITS.get(column.type, min(column.precision - column.scale, _MOST_DIGITS))


def scaled_bounds(column: ContractColumn) -> Tuple[Optional[int], Optional[int]]:
    """The bounds of a column, as whole numbers of its smallest steps; between two steps the one inside counts."""
    low, high = (None if bound is None else Decimal(bound).scaleb(column.scale) for bound in column.bounds)
    least = None if low is None else int(low.to_integral_value(ROUND_CEILING))
    most = None if high is None else int(high.to_integral_value(ROUND_FLOOR))
    largest = _LARGEST.get(column.type)
    if largest is None:
        return least, most
    return (-largest if least is None else max(least, -largest)), (largest if most is None else min(most, largest))


def _date(column: ContractColumn, kind: str) -> Optional[Shortcut]:
    """A date cell without a time, or a text in the first of the column's forms if that is made of digits."""
    known = (_ISO, (1, 2, 3)) if kind == "d" else numeric_form(column.formats[0])
    if known is None:
        return None
    match, (year, month, day) = known[0].match, known[1]
    low, high = (None if bound is None else date.fromisoformat(bound).isoformat() for bound in column.bounds)

    def moment(text: str) -> Optional[str]:
        found = match(text)
        if found is None:
            return None
        try:
            iso = date(int(found.group(year)), int(found.group(month)), int(found.group(day))).isoformat()
        except ValueError:
            return None
        return None if (low is not None and iso < low) or (high is not None and iso > high) else iso

    return moment


def _text(column: ContractColumn) -> Shortcut:
    """A text in which nothing is escaped, in a column that changes nothing."""
    longest = column.max_length

    def text(text: str) -> Optional[str]:
        if "\\" in text or "\0" in text or not text.strip() or (longest is not None and len(text) > longest):
            return None
        return text

    return text
