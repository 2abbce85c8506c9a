"""Dates and timestamps: from a cell's text to ISO text.

The forms of text cells are a closed set of directives with English names, parsed here: `strptime` takes names from
the machine's locale, guesses where digits adjoin, and recompiles its patterns once a feed has more than five forms.
Standard library only, Python 3.8 syntax: the same module runs on Hadoop nodes.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from functools import lru_cache
from typing import Dict, List, NamedTuple, Optional, Tuple

from shp_core.contract import reasons
from shp_core.contract.contract import ContractColumn

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_SHORT_MONTHS = tuple(name[:3] for name in _MONTHS)
_HALVES = ("am", "pm")
_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "f": 6}
_NAMES = {"B": _MONTHS, "b": _SHORT_MONTHS, "p": _HALVES}
_PART_OF = {"Y": "year", "y": "year", "m": "month", "b": "month", "B": "month", "d": "day"}
_PART_OF.update({"H": "hour", "I": "hour", "M": "minute", "S": "second", "f": "fraction", "p": "half of the day"})

DIRECTIVES = tuple(f"%{letter}" for letter in _PART_OF)
"""What a form may be made of, beside plain characters and `%%`."""

_BLANKS = "[\\s\u00a0\u202f]+"
_TOKEN = re.compile(r"%(.?)|(\s+)|([^%\s])", re.DOTALL)
_CELL = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?)?\Z")
_TIMES = (" %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M:%S.%f", "T%H:%M:%SZ")


class Moment(NamedTuple):
    """ISO text or the reason why there is none: exactly one of the two is set."""

    text: Optional[str]
    reason: Optional[str]


def convert_date(column: ContractColumn, kind: str, text: str) -> Moment:
    """The ISO date of a cell.

    A date cell is taken as it is; a text cell must match one of the column's formats (unpadded days and months are
    accepted). A time of day other than midnight is never dropped silently.
    """
    found = _moment(column, kind, text)
    if found is None:
        timed = kind == "s" and _parse(text.strip(), _timed(column.formats)) is not None
        return Moment(None, reasons.TIME_IN_DATE if timed else reasons.INVALID_DATE)
    if found.time() != time():
        return Moment(None, reasons.TIME_IN_DATE)
    return Moment(found.date().isoformat(), None)


def convert_timestamp(column: ContractColumn, kind: str, text: str) -> Moment:
    """The timestamp of a cell, `YYYY-MM-DD HH:MM:SS[.ffffff]` without trailing zeros, as PostgreSQL prints it."""
    found = _moment(column, kind, text)
    return Moment(_timestamp_text(found), None) if found is not None else Moment(None, reasons.INVALID_TIMESTAMP)


def form_problem(form: str) -> Optional[str]:
    """Why a form of dates cannot be used, or None if it can.

    It needs a day, a month and a year, each once, and nothing that can be read in two ways.
    """
    letters = [match.group(1) for match in _TOKEN.finditer(form) if match.group(1) is not None]
    unknown = [f"%{letter}" for letter in letters if letter != "%" and letter not in _PART_OF]
    if unknown:
        return f"{unknown[0]} is not a directive; there are {' '.join(DIRECTIVES)}"
    parts = [_PART_OF[letter] for letter in letters if letter != "%"]
    for part in ("day", "month", "year"):
        if part not in parts:
            return f"names no {part}; write directives such as %m/%d/%Y"
    twice = [part for part in parts if parts.count(part) > 1]
    if twice:
        return f"names the {twice[0]} twice"
    return _clock_problem(set(letters))


def _clock_problem(letters: set[str]) -> Optional[str]:
    if ("I" in letters) != ("p" in letters):
        return "needs %I and %p together; %H counts hours up to 23"
    for finer, coarser in (("M", "HI"), ("S", "M"), ("f", "S")):
        if finer in letters and not letters & set(coarser):
            return f"has %{finer} without {' or '.join('%' + letter for letter in coarser)}"
    return None


def parse_form(text: str, form: str) -> Optional[datetime]:
    """The moment that a text spells in a form, or None."""
    shape, letters = _compiled(form)
    match = shape.match(text)
    if match is None:
        return None
    values = {_PART_OF[letter]: _value(letter, match.group(place)) for place, letter in enumerate(letters, start=1)}
    try:
        return _built(values)
    except ValueError:
        return None


def numeric_form(form: str) -> Optional[Tuple[re.Pattern[str], Tuple[int, int, int]]]:
    """A form of digits and signs alone: its pattern, and which groups hold year, month and day; None for other forms."""
    shape, letters = _compiled(form)
    if sorted(letters) != ["Y", "d", "m"]:
        return None
    year, month, day = (letters.index(letter) + 1 for letter in "Ymd")
    return shape, (year, month, day)


def _moment(column: ContractColumn, kind: str, text: str) -> Optional[datetime]:
    if kind == "d":
        return _cell(text)
    return _parse(text.strip(), column.formats) if kind == "s" else None


def _parse(text: str, formats: Tuple[str, ...]) -> Optional[datetime]:
    found = (parse_form(text, form) for form in formats)
    return next((moment for moment in found if moment is not None), None)


@lru_cache(maxsize=256)
def _timed(formats: Tuple[str, ...]) -> Tuple[str, ...]:
    """The same dates followed by a time of day."""
    dates_only = [form for form in formats if "%H" not in form and "%I" not in form]
    return tuple(form + clock for form in dates_only for clock in _TIMES)


@lru_cache(maxsize=1024)
def _compiled(form: str) -> Tuple[re.Pattern[str], Tuple[str, ...]]:
    """A form as a pattern with one group per directive, and the directives' letters."""
    tokens = list(_TOKEN.finditer(form))
    pieces: List[str] = []
    letters: List[str] = []
    for place, token in enumerate(tokens):
        letter, blanks, plain = token.groups()
        if letter is None or letter == "%":
            pieces.append(_BLANKS if blanks else re.escape(plain or "%"))
            continue
        adjoined = any(_is_number(tokens[near]) for near in (place - 1, place + 1) if 0 <= near < len(tokens))
        pieces.append(_group(letter, adjoined))
        letters.append(letter)
    return re.compile("".join(pieces) + r"\Z", re.IGNORECASE | re.ASCII), tuple(letters)


def _is_number(token: re.Match[str]) -> bool:
    return token.group(1) in _DIGITS or (token.group(3) or "").isdigit()


def _group(letter: str, adjoined: bool) -> str:
    """Digits may be unpadded only where something separates them from their neighbours."""
    if letter in _NAMES:
        return f"({'|'.join(_NAMES[letter])})"
    width = _DIGITS[letter]
    fixed = letter in "Yy" or adjoined
    return f"([0-9]{{{width}}})" if fixed else f"([0-9]{{1,{width}}})"


def _value(letter: str, spelled: str) -> int:
    if letter in _NAMES:
        return _NAMES[letter].index(spelled.lower()) + (0 if letter == "p" else 1)
    if letter == "f":
        return int(spelled.ljust(6, "0"))
    if letter == "y":  # the century as POSIX sees it
        return int(spelled) + (1900 if int(spelled) >= 69 else 2000)
    return int(spelled)


def _built(values: Dict[str, int]) -> Optional[datetime]:
    hour = values.get("hour", 0)
    if "half of the day" in values:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * values["half of the day"]
    clock = (hour, values.get("minute", 0), values.get("second", 0), values.get("fraction", 0))
    return datetime(values["year"], values["month"], values["day"], *clock)


def _cell(text: str) -> Optional[datetime]:
    """The moment of a date cell, in the forms the reader writes; a time of day alone is none."""
    match = _CELL.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction = match.groups()
    clock = (int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "").ljust(6, "0")))
    try:
        return datetime(int(year), int(month), int(day), *clock)
    except ValueError:
        return None


def _timestamp_text(moment: datetime) -> str:
    text = moment.strftime("%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{moment.date().isoformat()} {text}"
