"""Numbers: from a cell's text to the digits a column keeps (the meaning is defined here, DESIGN "Numbers").

Standard library only, Python 3.8 syntax: the same module runs on Hadoop nodes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple, Optional

from shp_core.contract import reasons
from shp_core.contract.contract import ContractColumn

_WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)
"""Doubles reach 1.8e308; quantising must never lose a digit or raise."""

_SPACES = " \u00a0\u202f"
_GUARD_DIGITS = 4
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

_MONEY = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>[^\d\s.,'+-]*)\s*(?P<inner>[+-]?)\s*(?P<digits>[\d.,'\s]*\d[\d.,'\s]*?)\s*(?P<after>[^\d\s.,'+-]*)\Z"
)
_CODE = re.compile(r"[A-Z]{3}\Z")


class Number(NamedTuple):
    """A number or the reason why there is none: exactly one of the two is set."""

    value: Optional[Decimal]
    reason: Optional[str]


class Notation:
    """How text cells of a feed spell numbers.

    Args:
        decimal: decimal sign, `.` or `,`.
        group: sign between groups of three digits; empty: none; a space also means the no-break spaces.
    """

    def __init__(self, decimal: str, group: str) -> None:
        point = re.escape(decimal)
        whole = "[0-9]+"
        if group:
            sign = f"[{_SPACES}]" if group == " " else re.escape(group)
            whole = f"(?:[0-9]{{1,3}}(?:{sign}[0-9]{{3}})+|[0-9]+)"
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
    wrong = reasons.INVALID_INTEGER if column.scale == 0 and column.type != "money" else reasons.INVALID_NUMBER
    if kind == "n":
        return _in_range(column, _nearest(Decimal(text), column.scale))
    if kind != "s":
        return Number(None, wrong)
    spelled = _money(column, text, notation) if column.type == "money" else _spelled(notation.parse(text), wrong)
    if spelled.value is None:
        return spelled
    return _in_range(column, _exact(spelled.value, column.scale))


def number_text(value: Decimal) -> str:
    """The canonical text: plain notation at the value's scale, no negative zero."""
    return format(abs(value) if value.is_zero() else value, "f")


def _spelled(value: Optional[Decimal], wrong: str) -> Number:
    return Number(value, None) if value is not None else Number(None, wrong)


def _nearest(value: Decimal, scale: int) -> Number:
    """A double's nearest value of the scale, if it lies within max(10^-(scale+4), 1 ulp)."""
    unit = Decimal(1).scaleb(-scale)
    rounded = value.quantize(unit, context=_WIDE)
    off = abs(_WIDE.subtract(value, rounded))
    if off <= Decimal(1).scaleb(-(scale + _GUARD_DIGITS)) or off <= _ulp(float(value)):
        return Number(rounded, None)
    return Number(None, reasons.TOO_PRECISE)


def _exact(value: Decimal, scale: int) -> Number:
    """A spelled number may not have more decimals than the scale, not even zeros: nobody knows what was meant."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > scale:
        return Number(None, reasons.TOO_PRECISE)
    return Number(value.quantize(Decimal(1).scaleb(-scale), context=_WIDE), None)


def _in_range(column: ContractColumn, number: Number) -> Number:
    if number.value is None:
        return number
    limit = _LIMITS.get(column.type)
    if limit is not None:
        fits = -limit <= number.value < limit
    else:
        fits = abs(number.value) < Decimal(1).scaleb(column.precision - column.scale)
    return number if fits else Number(None, reasons.OUT_OF_RANGE)


def _ulp(value: float) -> Decimal:
    """The distance of a double to its neighbour (math.ulp came with Python 3.9)."""
    return Decimal(math.ldexp(1.0, max(math.frexp(value)[1] - 53, -1074)))


def _money(column: ContractColumn, text: str, notation: Notation) -> Number:
    match = _MONEY.match(text.strip())
    if match is None:
        return Number(None, reasons.INVALID_NUMBER)
    signs = [sign for sign in (match["before"], match["after"]) if sign]
    if not all(_is_currency(sign) for sign in signs) or (match["sign"] and match["inner"]):
        return Number(None, reasons.INVALID_NUMBER)
    value = notation.parse(match["digits"])
    if value is None:
        return Number(None, reasons.INVALID_NUMBER)
    if not all(column.currency == sign or column.currency in _SYMBOLS.get(sign, ()) for sign in signs):
        return Number(None, reasons.WRONG_CURRENCY)
    return Number(-value if "-" in (match["sign"], match["inner"]) else value, None)


def _is_currency(sign: str) -> bool:
    """Whether something beside a number is a currency at all: a currency symbol or a three-letter code."""
    return _CODE.match(sign) is not None or (len(sign) == 1 and unicodedata.category(sign) == "Sc")
