"""How far something has come: so many of so many, and a bar of it that is a text.

Must not live here: counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

HISTORY_AFTER = timedelta(minutes=5)
"""A file that had lain longer when it was seen waited for the platform: it is caught up with, after what comes just now."""

_WIDTH = 20


@dataclass(frozen=True)
class Progress:
    """How far something has come.

    Args:
        done: how many are done.
        total: how many there are.
    """

    done: int
    total: int

    def __str__(self) -> str:
        """A bar with its numbers, such as `█████░░░░░░░░░░░░░░░ 25 of 100`."""
        filled = _WIDTH * self.done // self.total if self.total else _WIDTH
        return f"{'█' * filled}{'░' * (_WIDTH - filled)} {self.done:,} of {self.total:,}"

    def as_dict(self) -> dict[str, Any]:
        """The document that programs rely on."""
        return {"done": self.done, "total": self.total}
