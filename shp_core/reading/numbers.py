"""The text of a number cell: DESIGN section 5.5 in one function.

A number cell is an IEEE double, however many digits the file spells (`8625.389999999999` is what spreadsheet programs
write for 8625.39). The text undoes the spelling's noise and nothing else. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity|1\.#(?:ind|inf|qnan|snan))", re.IGNORECASE)


class NotANumber(ValueError):
    """A number cell spells something that is no number at all."""


class NotFinite(ValueError):
    """A number cell spells NaN, an infinity, or more than a double holds."""


def number_text(spelled: str) -> str:
    """The text of a number.

    A plain integer keeps its digits, however many there are: beyond 2^53 a double would lose some, and keeping what
    was written loses nothing. Only what says nothing goes: leading zeros, a plus sign, the sign of zero. Anything
    else becomes the double's `%.15g` if that lies within 2 ulp of it, otherwise the shortest digits that give the
    double back, always in plain notation.

    Args:
        spelled: the characters of the cell; white space around them means nothing.

    Returns:
        Digits with an optional minus sign and an optional decimal point, never an exponent.

    Raises:
        NotANumber: it is not a decimal number in XML's notation.
        NotFinite: it is NaN, infinite, or too large for a double.
    """
    if spelled.isdigit() and spelled.isascii() and spelled[0] != "0" and len(spelled) < 300:
        return spelled
    match = _NUMBER.fullmatch(spelled) or _NUMBER.fullmatch(spelled.strip(" \t\r\n"))
    if match is None:
        raise NotFinite(spelled) if _NOT_FINITE.fullmatch(spelled.strip()) else NotANumber(spelled)
    value = float(spelled)
    if math.isinf(value):
        raise NotFinite(spelled)
    sign, integer, fraction, exponent = match.groups()
    if integer and fraction is None and exponent is None:
        return _integer_text(sign, integer.lstrip("0") or "0")
    return _double_text(value)


def _integer_text(sign: str, digits: str) -> str:
    return "-" + digits if sign == "-" and digits != "0" else digits


def _double_text(value: float) -> str:
    text = f"{value:.15g}"
    again = float(text)
    if again != value and abs(again - value) > 2 * _ulp(value):
        text = repr(value)
    if "e" in text:
        return format(Decimal(text), "f")
    return "0" if text == "-0" else _without_point_zero(text)


def _without_point_zero(text: str) -> str:
    return text[:-2] if text.endswith(".0") else text


def _ulp(value: float) -> float:
    """Distance of a double to the next one (`math.ulp` is younger than Python 3.8)."""
    return math.ldexp(1.0, max(math.frexp(value)[1] - 53, -1074))
