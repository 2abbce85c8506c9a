"""The usual time of arrival, learned: when most files of a feed are there, counted from their due time.

A quantile of what was seen last, which one odd day does not move; with few arrivals nothing is usual.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

RECENT, ENOUGH = 30, 5
"""Arrivals that say what is usual, and fewer than which say nothing."""

SHARE = 0.9
"""The share of arrivals that have come by the usual time."""

GRACE = timedelta(minutes=15)


def usual_lead(leads: Iterable[timedelta]) -> timedelta | None:
    """By when, from the due time, most files are there (negative: before it); None where too few have come.

    Args:
        leads: arrival minus due time of the partitions that came last, in any order; at most `RECENT` are meant.
    """
    found = sorted(leads)
    return found[ceil(SHARE * len(found)) - 1] if len(found) >= ENOUGH else None


def is_unusual(due: datetime, usual: timedelta | None, now: datetime) -> bool:
    """Whether a file that is not due yet would usually be there by now, a quarter of an hour forgiven."""
    return usual is not None and due + usual + GRACE <= now < due
