"""Moments that tests of time speak of.

Must not live here: clocks.
"""

from __future__ import annotations

from datetime import UTC, datetime


def at(text: str) -> datetime:
    """An instant in March 2026, in UTC; `02T07:30` is half past seven on the second."""
    return datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=UTC)
