"""The text of a date cell: serial numbers of both epochs, and dates spelled in ISO 8601.

Standard library only, Python 3.8 syntax. Must not live here: whether a cell is a date (`formats`).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from shp_core.reading.formats import TIMED

_DAY_MS = 86_400_000
_EPOCH_1900 = date(1899, 12, 30)
_EPOCH_1904 = date(1904, 1, 1)
_LAST_1900 = (date(9999, 12, 31) - _EPOCH_1900).days
_LAST_1904 = (date(9999, 12, 31) - _EPOCH_1904).days
_ISO = re.compile(r"(?:([0-9]{4})-([0-9]{2})-([0-9]{2}))?(?:(^|T)([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?Z?")


def serial_text(serial: float, shows: str, date1904: bool) -> str | None:
    """The ISO text of a serial number that a date format shows.

    Times are rounded to the millisecond, which is what spreadsheet programs show; a double near today's serials does
    not hold microseconds. The 1900 epoch counts a 29 February 1900 that never was: serials below it are a day late,
    and serial 60 itself is no date. A serial from 0 up to 1 is a time of day, but in the 1904 epoch, where day 0 is
    a date, only if the format shows no date.

    Args:
        serial: days since the epoch.
        shows: what the cell's format shows (`formats.DATED` or `formats.TIMED`).
        date1904: whether the workbook counts from 1904.

    Returns:
        `YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS[.ffffff]`, `HH:MM:SS[.ffffff]`, or None for a serial that is no date.
    """
    if not 0 <= serial <= _LAST_1900 + 1:
        return None
    days, milliseconds = _split(serial)
    if serial < 1 and days == 0 and (shows == TIMED or not date1904):
        return _time(milliseconds).isoformat()
    day = _day_1904(days) if date1904 else _day_1900(days)
    if day is None:
        return None
    return _moment(day, milliseconds)


def _split(serial: float) -> tuple[int, int]:
    days = int(serial)
    more, milliseconds = divmod(round((serial - days) * _DAY_MS), _DAY_MS)
    return days + more, milliseconds


def _day_1900(days: int) -> date | None:
    if days == 60 or days > _LAST_1900:
        return None
    return _EPOCH_1900 + timedelta(days=days + (1 if days < 60 else 0))


def _day_1904(days: int) -> date | None:
    return _EPOCH_1904 + timedelta(days=days) if days <= _LAST_1904 else None


def _time(milliseconds: int) -> time:
    return (datetime.min + timedelta(milliseconds=milliseconds)).time()


def _moment(day: date, milliseconds: int) -> str:
    if not milliseconds:
        return day.isoformat()
    return datetime.combine(day, _time(milliseconds)).isoformat(" ")


def iso_text(spelled: str) -> str | None:
    """The text of a cell that spells its date (`t="d"`).

    A time of midnight says nothing and goes, as it does for serial numbers. `Z` is dropped: cells know no time zones;
    another offset is refused.

    Returns:
        The same forms as `serial_text`, or None if it is not a date that exists.
    """
    match = _ISO.fullmatch(spelled.strip(" \t\r\n"))
    if match is None or (match.group(1) is None and match.group(5) is None):
        return None
    try:
        return _iso_parts(match)
    except ValueError:
        return None


def _iso_parts(match: re.Match[str]) -> str:
    clock = _iso_time(match)
    if match.group(1) is None:
        return (clock or time()).isoformat()
    day = date(int(match.group(1)), int(match.group(2)), int(match.group(3)))
    return datetime.combine(day, clock).isoformat(" ") if clock else day.isoformat()


def _iso_time(match: re.Match[str]) -> time | None:
    if match.group(5) is None:
        return None
    fraction = (match.group(8) or "").ljust(6, "0")[:6]
    clock = time(int(match.group(5)), int(match.group(6)), int(match.group(7) or 0), int(fraction))
    return clock if clock != time() or match.group(1) is None else None
