"""The cells that mean what they say: most numbers and texts, told without the reference, which costs twenty times as much.

A shortcut agrees with `CellJudge` or declines (None); a property test holds them together. Standard library only, Python
3.8 syntax.
"""

# ruff: noqa: UP035, UP045 (Python 3.8 does not know the younger spellings of types)

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Callable, Optional

from shp_core.contract.contract import ContractColumn

Shortcut = Callable[[str], Optional[str]]
"""From a field of the lake's line to the field of the clean line, None to ask the reference."""

_WHOLE_DIGITS = {"integer": 9, "bigint": 18}  # one less than the longest: those need a comparison
_MOST_DIGITS = 15


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
    return None


def _number(column: ContractColumn, sign: str) -> Optional[Shortcut]:
    """A number that has no more decimals than the column, and fewer digits than it could hold."""
    digits = _WHOLE_DIGITS.get(column.type, min(column.precision - column.scale, _MOST_DIGITS))
    if digits < 1:
        return None
    fraction = rf"(?:\.([0-9]{{1,{column.scale}}}))?" if column.scale else "()"
    plain = re.compile(rf"(?!-0){sign}(?:0|[1-9][0-9]{{0,{digits - 1}}}){fraction}\Z").match
    scale, low, high = column.scale, _scaled(column, 0), _scaled(column, 1)

    def number(text: str) -> Optional[str]:
        match = plain(text)
        if match is None:
            return None
        if scale:
            found = match.group(1)
            text = text + "." + "0" * scale if found is None else text + "0" * (scale - len(found))
        if low is None and high is None:
            return text
        value = int(text.replace(".", ""))
        return None if (low is not None and value < low) or (high is not None and value > high) else text

    return number


def _scaled(column: ContractColumn, which: int) -> Optional[int]:
    """A bound as a whole number of the column's smallest steps; between two steps the one inside counts."""
    bound = column.bounds[which]
    if bound is None:
        return None
    steps = Decimal(bound).scaleb(column.scale)
    return int(steps.to_integral_value(ROUND_FLOOR if which else ROUND_CEILING))


def _text(column: ContractColumn) -> Shortcut:
    """A text in which nothing is escaped, in a column that changes nothing."""
    longest = column.max_length

    def text(text: str) -> Optional[str]:
        if "\\" in text or "\0" in text or not text.strip() or (longest is not None and len(text) > longest):
            return None
        return text

    return text
