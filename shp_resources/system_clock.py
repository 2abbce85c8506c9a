"""The machine's clock, as the core's `Clock`."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return datetime.now(UTC)
