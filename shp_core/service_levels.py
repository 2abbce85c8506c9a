"""Service levels: how many of the last thirty days' partitions went well, against a target, and what is left of the budget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

WINDOW = timedelta(days=30)


@dataclass(frozen=True)
class Level:
    """A service level of a feed.

    Args:
        target: the share that is to go well, above 0 and below 1.
        good: partitions that went well.
        total: partitions that count.
    """

    target: float
    good: int
    total: int

    @property
    def share(self) -> float | None:
        """The share that went well; None where nothing counts yet."""
        return self.good / self.total if self.total else None

    @property
    def budget_left(self) -> float:
        """The share of the allowed failures that is not used up; below 0 where there were more."""
        return 1 - (self.total - self.good) / (self.total * (1 - self.target)) if self.total else 1.0

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.share is None or self.share >= self.target

    def as_dict(self) -> dict[str, Any]:
        """The document that programs rely on."""
        told = {"target": self.target, "good": self.good, "total": self.total, "share": self.share}
        return {**told, "budget_left": round(self.budget_left, 4), "met": self.met}


@dataclass(frozen=True)
class Levels:
    """The service levels of a feed.

    Args:
        feed: feed.
        on_time: partitions that were due: did the first file come by then; of a day's number of files, each one counts.
        success: partitions that came and were judged: are they published.
    """

    feed: str
    on_time: Level
    success: Level

    @property
    def met(self) -> bool:
        """Whether both targets are reached."""
        return self.on_time.met and self.success.met

    def as_dict(self) -> dict[str, Any]:
        """The document that programs rely on."""
        return {"feed": self.feed, "days": WINDOW.days, "on_time": self.on_time.as_dict(), "success": self.success.as_dict()}
