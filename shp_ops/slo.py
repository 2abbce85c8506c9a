"""`shp slo`: each feed's service levels over the last thirty days, from the ledger."""

from __future__ import annotations

from shp_core.service_levels import Levels
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock


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
        return [ledger.expectations.levels(model, SystemClock().now()) for model in feeds]
