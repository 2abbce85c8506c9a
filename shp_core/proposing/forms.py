"""How texts may spell dates and numbers: the forms that a proposal knows, and what a text would be in each.

Must not live here: what a form means (`shp_core.contract`); a proposal asks the contract's own converters.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from shp_core.contract.contract import ContractColumn
from shp_core.contract.dates import parse_form
from shp_core.contract.numbers import Notation, convert_number, currencies_of

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
POINT, COMMA = "point", "comma"

_ORDERS = [(DAY_FIRST, "%d{0}%m{0}{1}"), (MONTH_FIRST, "%m{0}%d{0}{1}")]
_NUMERIC = {order.format(sign, year): word for sign in "/.-" for year in ("%Y", "%y") for word, order in _ORDERS}
_NAMED = ["%d %b %Y", "%d-%b-%Y", "%d %b %y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%d-%B-%Y", "%B %d, %Y", "%d. %B %Y"]
COMPACT = "%Y%m%d"
DATE_FORMS: dict[str, str | None] = {
    **dict.fromkeys(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"]),
    **_NUMERIC,
    **dict.fromkeys(_NAMED),
    COMPACT: None,
}
"""Forms of dates, and which order of day and month a form stands for where the other one might be meant."""

_TIME = re.compile(r"(.*?[0-9])([ T])([0-9]{1,2}:[0-9]{2})(:[0-9]{2}(\.[0-9]{1,6})?)?( ?[AaPp][Mm])?(Z?)\Z")

_DATED = re.compile(r"\d{8}|\d{1,4}[-/. ]|[A-Za-z]{3,9} \d")
"""How a text begins that may be a date; most texts do not, and need not be tried in every form."""

NOTATIONS = ((".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
"""Decimal and group sign of the notations that a proposal knows."""

_IDENTIFIER = re.compile(r"\+|0[0-9]")
_MARKED = re.compile(r"[^\d\s.,'\u2019+-]+")
_DIGIT = re.compile(r"\d")
_DIGITS = 38
_WIDE = {"precision": _DIGITS, "name": "a", "header": "a"}


class Number(NamedTuple):
    """A number as a cell spells it.

    Args:
        value: its value.
        scale: the decimals that a column needs to keep it.
    """

    value: Decimal
    scale: int


def split_time(text: str) -> tuple[str, str]:
    """A text as the text of a date and the form of the time of day behind it, "" if there is none."""
    match = _TIME.match(text)
    if match is None:
        return text, ""
    day, between, _, seconds, fraction, half, zulu = match.groups()
    clock = ("%I" if half else "%H") + ":%M" + (":%S" if seconds else "") + (".%f" if fraction else "")
    return day, between + clock + ((" " if half.startswith(" ") else "") + "%p" if half else "") + zulu


def date_forms(text: str) -> list[str]:
    """The forms in which a text spells a day, with or without a time of day behind it."""
    if not _DATED.match(text):
        return []
    clock = split_time(text)[1]
    found = ((form, parse_form(text, form + clock)) for form in DATE_FORMS)
    return [form for form, moment in found if moment is not None and (form != COMPACT or 1900 <= moment.year <= 2100)]


def number_in(kind: str, text: str, notation: tuple[str, str]) -> Number | None:
    """The number that a cell spells in a notation, or None.

    A text with leading zeros or a plus sign is a name that is made of digits.
    """
    if kind == "n":
        return _of_cell(text)
    digits = _digits(text)
    if digits is None:
        return None
    if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS:
        return Number(Decimal(digits), 0)
    value = _notation(notation).parse(digits)
    if value is None or value.adjusted() >= _DIGITS:
        return None
    return Number(value, -int(value.as_tuple().exponent))


@lru_cache(maxsize=1)
def _digits(text: str) -> str | None:
    """The digits of a text and the signs between them, without a currency; None if it is no number in any notation."""
    if not _DIGIT.search(text):
        return None
    stripped, mark = text.strip(), mark_of(text)
    digits = stripped.replace(mark, "", 1).strip().replace("- ", "-") if mark else stripped
    return None if _IDENTIFIER.match(digits) or (mark and not currencies_of(mark)) else digits


def mark_of(text: str) -> str:
    """What stands beside the digits of a text."""
    return "".join(_MARKED.findall(text))


@lru_cache(maxsize=16)
def _notation(notation: tuple[str, str]) -> Notation:
    return Notation(*notation)


_SCALES = [ContractColumn(type="decimal", scale=scale, **_WIDE) for scale in range(16)]  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def _of_cell(text: str) -> Number | None:
    """A number cell, with the fewest decimals that keep it: a double is not exact."""
    for column in _SCALES:
        found = convert_number(column, "n", text, _notation(NOTATIONS[0])).value
        if found is not None:
            return Number(found, column.scale)
    return None
