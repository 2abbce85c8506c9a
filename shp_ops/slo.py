"""`shp slo`: each feed's service levels over the last thirty days, from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shp_core.feeds.model import Feed
from shp_core.service_levels import WINDOW, Level
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock


@dataclass(frozen=True)
class Levels:
    """The service levels of a feed.

    Args:
        feed: feed.
        on_time: partitions that were due: did the first file come by then.
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


def service_levels(settings: Settings, feed: str | None = None) -> list[Levels]:
    """The service levels of all feeds, or of one.

    Args:
        settings: the installation.
        feed: only this one.

    Raises:
        UsageError: there is no such feed, or no installation.
    """
    catalogue = catalogue_of(settings)
    feeds = list(catalogue.feeds.values()) if feed is None else [require_feed(settings, catalogue, feed)]
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        return [_levels(ledger, model) for model in feeds]


def _levels(ledger: Ledger, feed: Feed) -> Levels:
    now = SystemClock().now()
    on_time = ledger.expectations.on_time(feed.feed, now - WINDOW, now)
    success = ledger.expectations.successes(feed.feed, now - WINDOW)
    return Levels(feed.feed, Level(feed.targets.on_time, *on_time), Level(feed.targets.success, *success))
