"""Dates and timestamps: from a cell's text to ISO text.

Standard library only, Python 3.8 syntax: the same module runs on Hadoop nodes.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from shp_core.contract import reasons
from shp_core.contract.contract import ContractColumn

_MIDNIGHT = ("00:00:00", "00:00")
_TIMES = (" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")


class Moment(NamedTuple):
    """ISO text or the reason why there is none: exactly one of the two is set."""

    text: Optional[str]
    reason: Optional[str]


def convert_date(column: ContractColumn, kind: str, text: str) -> Moment:
    """The ISO date of a cell.

    A date cell is taken as it is; a text cell must match one of the column's formats (unpadded days and months are
    accepted). A time of day other than midnight is never dropped silently.
    """
    if kind == "d":
        return _date_cell(text)
    if kind != "s":
        return Moment(None, reasons.INVALID_DATE)
    found = _parse(text.strip(), column.formats)
    if found is not None:
        return Moment(found.date().isoformat(), None)
    with_time = _parse(text.strip(), tuple(form + time for form in column.formats for time in _TIMES))
    return Moment(None, reasons.TIME_IN_DATE if with_time else reasons.INVALID_DATE)


def convert_timestamp(column: ContractColumn, kind: str, text: str) -> Moment:
    """The timestamp of a cell, `YYYY-MM-DD HH:MM:SS[.ffffff]` without trailing zeros, as PostgreSQL prints it."""
    if kind == "d":
        found = _parse_iso(text)
    elif kind == "s":
        found = _parse(text.strip(), column.formats)
    else:
        found = None
    return Moment(_timestamp_text(found), None) if found is not None else Moment(None, reasons.INVALID_TIMESTAMP)


def _date_cell(text: str) -> Moment:
    day, _, time = text.partition(" ")
    if _parse(day, ("%Y-%m-%d",)) is None:
        return Moment(None, reasons.INVALID_DATE)
    if time and time not in _MIDNIGHT:
        return Moment(None, reasons.TIME_IN_DATE)
    return Moment(day, None)


def _parse(text: str, formats: tuple[str, ...]) -> Optional[datetime]:
    for form in formats:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _parse_iso(text: str) -> Optional[datetime]:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _timestamp_text(moment: datetime) -> str:
    text = moment.strftime("%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{moment.date().isoformat()} {text}"
