"""A feed by file whose one file is at an HTTP server.

Must not live here: expectations.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shp_core.clock import ManualClock
from tests.support.platforms import ORDERS, Platform
from tests.support.remote_web import RemoteWeb

PATH = "/out/prices.xlsx"


class RemoteFeed:
    """The feed by file, whose one file is at the server."""

    def __init__(self, platform: Platform, web: RemoteWeb, more: str = "") -> None:
        self.platform, self.web = platform, web
        self.slept: list[float] = []
        platform.feed_file("orders", ORDERS.replace('{match: "*.xls[xm]"}', f"{{uri: {web.url}{PATH}{more}}}"))
        platform.change(sleep=self.slept.append, chance=lambda: 0.0)

    def round(self) -> str:
        """A look at the sources and the runs that follow; what the look said."""
        told = self.platform.tick("remotes").skip or ""
        self.platform.fulfil(self.platform.tick())
        return told

    def later(self, **time: float) -> None:
        """Let time pass."""
        clock = self.platform.changes.get("clock") or ManualClock(datetime.now(UTC))
        self.platform.change(clock=ManualClock(clock.now() + timedelta(**time)))

    @property
    def rows(self) -> list[int]:
        return self.platform.loaded("prices")

    @property
    def state(self) -> tuple[str, str | None]:
        return self.platform.state("prices")

    @property
    def flags(self) -> dict[str, object]:
        return self.platform.record("prices").flags
