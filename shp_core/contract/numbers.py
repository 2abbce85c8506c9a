"""Numbers: from a cell's text to the digits a column keeps (the meaning is defined here, DESIGN "Numbers").

Standard library only, Python 3.8 syntax: the same module runs on Hadoop nodes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Callable, NamedTuple, Optional, Tuple

from shp_core.contract import reasons
from shp_core.contract.contract import ContractColumn

_WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)
"""Doubles reach down to 5e-324: quantising must never lose a digit or raise. The ambient context keeps 28 digits, so
nothing here uses an operator or a method that rounds to it."""

_GROUP_SIGNS = {" ": " \u00a0\u202f", "'": "'\u2019"}
"""Group signs that keyboards and spreadsheet programs write in more than one way."""

_GUARD_DIGITS = 4
_MOST_DIGITS = 38
"""The widest column has a precision of 38: a number with more digits before its point fits none."""

_TENS = tuple(Decimal(10) ** power for power in range(_MOST_DIGITS + 1))
_TENTHS = tuple(Decimal(1).scaleb(-power) for power in range(_MOST_DIGITS + _GUARD_DIGITS + 1))

_LIMITS = {"integer": 1 << 31, "bigint": 1 << 63}

_SYMBOLS = {
    "$": ("USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "ARS", "CLP", "COP"),
    "€": ("EUR",),
    "£": ("GBP", "EGP"),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "₽": ("RUB",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "₴": ("UAH",),
    "₫": ("VND",),
    "₦": ("NGN",),
    "฿": ("THB",),
    "₪": ("ILS",),
}

_DOUBLE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?\Z")
_MONEY = re.compile(
    r"(?P<sign>[+-]?)\s*"
    r"(?:(?P<before>[^\d\s.,'\u2019+-]+)(?P<inner>(?:\s*[+-])?)\s*)?"
    r"(?P<digits>[\d.,'\u2019][\d.,'\u2019\s]*)"
    r"(?P<after>[^\d\s.,'\u2019+-]*)\Z"
)
"""No two neighbouring parts can match the same character: the time is linear in the length of whatever a cell holds."""

_CODE = re.compile(r"[A-Z]{3}\Z")


class Number(NamedTuple):
    """A number or the reason why there is none: exactly one of the two is set."""

    value: Optional[Decimal]
    reason: Optional[str]


class Notation:
    """How text cells of a feed spell numbers.

    Args:
        decimal: decimal sign, `.` or `,`.
        group: sign between groups of three digits; empty: none. A space also means the no-break spaces, an apostrophe
            also the typographic one. A group never follows a leading zero: `0,123` was meant as a fraction.
    """

    def __init__(self, decimal: str, group: str) -> None:
        point = re.escape(decimal)
        whole = "[0-9]+"
        if group:
            sign = f"[{_GROUP_SIGNS.get(group, group)}]"
            whole = f"(?:[1-9][0-9]{{0,2}}(?:{sign}[0-9]{{3}})+|[0-9]+)"
        self._shape = re.compile(rf"([+-]?)(?:({whole})(?:{point}([0-9]*))?|{point}([0-9]+))\Z")

    def parse(self, text: str) -> Optional[Decimal]:
        """The number a text spells, with exactly its decimals; None if it spells none."""
        match = self._shape.match(text.strip())
        if match is None:
            return None
        sign, whole, fraction, bare = match.groups()
        digits = "".join(char for char in whole or "0" if char.isdigit())
        return Decimal(f"{sign}{digits}.{fraction or bare or ''}")


def convert_number(column: ContractColumn, kind: str, text: str, notation: Notation) -> Number:
    """The number of a cell at the column's scale.

    Args:
        column: an integer, bigint, decimal or money column.
        kind: the cell's kind letter.
        text: the cell's text.
        notation: how the feed's text cells spell numbers.

    Returns:
        The value, quantised to the column's scale, or the reason why there is none.
    """
    wrong = reasons.INVALID_INTEGER if column.type in _LIMITS else reasons.INVALID_NUMBER
    if kind == "n" and _DOUBLE.match(text):
        return _fitted(column, Decimal(text), _nearest)
    if kind != "s":
        return Number(None, wrong)
    spelled = _money(column, text, notation) if column.type == "money" else _spelled(notation.parse(text), wrong)
    if spelled.value is None:
        return spelled
    return _fitted(column, spelled.value, _exact)


def number_text(value: Decimal) -> str:
    """The canonical text: plain notation at the value's scale, no negative zero."""
    return format(value.copy_abs() if value.is_zero() else value, "f")


def _spelled(value: Optional[Decimal], wrong: str) -> Number:
    return Number(value, None) if value is not None else Number(None, wrong)


def _nearest(value: Decimal, scale: int) -> Number:
    """A double's nearest value of the scale, if it lies within max(10^-(scale+4), 1 ulp)."""
    rounded = value.quantize(_TENTHS[scale], context=_WIDE)
    if rounded == value:
        return Number(rounded, None)
    off = abs(_WIDE.subtract(value, rounded))
    if off <= _TENTHS[scale + _GUARD_DIGITS] or off <= _ulp(float(value)):
        return Number(rounded, None)
    return Number(None, reasons.TOO_PRECISE)


def _exact(value: Decimal, scale: int) -> Number:
    """A spelled number may not have more decimals than the scale, not even zeros: nobody knows what was meant."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > scale:
        return Number(None, reasons.TOO_PRECISE)
    return Number(value.quantize(_TENTHS[scale], context=_WIDE), None)


def _fitted(column: ContractColumn, value: Decimal, fit: Callable[[Decimal, int], Number]) -> Number:
    """The value at the column's scale and within its range; arithmetic is only done on what some column could hold."""
    if value and value.adjusted() >= _MOST_DIGITS:
        return Number(None, reasons.OUT_OF_RANGE)
    number = fit(value, column.scale)
    if number.value is None or _in_range(column, number.value):
        return number
    return Number(None, reasons.OUT_OF_RANGE)


def _in_range(column: ContractColumn, value: Decimal) -> bool:
    limit = _LIMITS.get(column.type)
    if limit is not None:
        return -limit <= value < limit
    return value.copy_abs() < _TENS[column.precision - column.scale]


def _ulp(value: float) -> Decimal:
    """The distance of a double to its neighbour (math.ulp came with Python 3.9)."""
    return Decimal(math.ldexp(1.0, max(math.frexp(value)[1] - 53, -1074)))


def _money(column: ContractColumn, text: str, notation: Notation) -> Number:
    match = _MONEY.match(text.strip())
    if match is None:
        return Number(None, reasons.INVALID_NUMBER)
    signs = [sign for sign in (match["before"], match["after"]) if sign]
    if not all(is_currency(sign) for sign in signs) or (match["sign"] and match["inner"]):
        return Number(None, reasons.INVALID_NUMBER)
    value = notation.parse(match["digits"])
    if value is None:
        return Number(None, reasons.INVALID_NUMBER)
    if not all(column.currency == sign or column.currency in _SYMBOLS.get(sign, ()) for sign in signs):
        return Number(None, reasons.WRONG_CURRENCY)
    return Number(value.copy_negate() if "-" in f"{match['sign']}{match['inner']}" else value, None)


def currencies_of(sign: str) -> Tuple[str, ...]:
    """The codes of the currencies that something beside a number may stand for, the likeliest first."""
    return _SYMBOLS.get(sign, ()) or ((sign,) if _CODE.match(sign) else ())


def symbols_of(currency: str) -> Tuple[str, ...]:
    """The symbols that may stand for a currency."""
    return tuple(symbol for symbol, codes in _SYMBOLS.items() if currency in codes)


def is_currency(sign: str) -> bool:
    """Whether something beside a number is a currency at all: a currency symbol or a three-letter code."""
    return _CODE.match(sign) is not None or (len(sign) == 1 and unicodedata.category(sign) == "Sc")
