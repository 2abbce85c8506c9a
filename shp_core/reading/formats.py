"""Does a number format show a date? Built-in identifiers and custom codes.

Must not live here: what a date's text is (`dates`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import re

DATED, TIMED = "date", "time"
"""What a format shows: a calendar date (with or without a time of day), or a time of day alone."""

_NOISE = re.compile(
    r"""
    "[^"]*(?:"|$)             # quoted text
    | \\.                     # an escaped character
    | _.                      # a space as wide as a character
    | \*.                     # a character repeated to fill the cell
    | \[(?!(?:h+|m+|s+)\])[^\]]*(?:\]|$)   # colour, condition, locale; but not elapsed time
    | general
    | e[+-]                   # an exponent, not an era
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_CALENDAR = re.compile(r"[ydegb]", re.IGNORECASE)
_CLOCK = re.compile(r"[hs]", re.IGNORECASE)
_AM_PM = re.compile(r"am/pm|a/p", re.IGNORECASE)
_SPLIT_SECONDS = re.compile(r"(?<=s|\])[.,]0+", re.IGNORECASE)
_DIGITS = re.compile(r"[0#?]")


def _builtin() -> dict[int, str]:
    dates = [14, 15, 16, 17, 22, *range(27, 32), 36, *range(50, 55), 57, 58, *range(71, 75), 77, 81]
    times = [18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56, 75, 76, 78, 80]
    return {**dict.fromkeys(dates, DATED), **dict.fromkeys(times, TIMED)}


BUILTIN = _builtin()
"""Formats that a file need not spell out, and the East Asian and Thai ones among them. Elapsed time (46, 79) is a number."""


def shows(code: str) -> str | None:
    """What a custom format code shows.

    The section for positive numbers decides. Elapsed time (`[h]:mm`) is an amount, not a point in time: a number.
    So is whatever has places for digits, be it `0.0 days` without the quotes that it should have.

    Returns:
        `DATED`, `TIMED` or None.
    """
    section = _AM_PM.sub("", _NOISE.sub("", code).split(";", 1)[0])
    if _DIGITS.search(_SPLIT_SECONDS.sub("", section)):
        return None
    if _CALENDAR.search(section):
        return DATED
    if _ELAPSED.search(section):
        return None
    if _CLOCK.search(section):
        return TIMED
    return DATED if "m" in section.lower() else None
