"""Everything outside, opened late: what an asset, a sensor or a command is handed.

Nothing connects when this is made; each part does so at its first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from shp_core.feeds.platform import load_platform
from shp_core.limits import Limits
from shp_resources.ledger import Ledger
from shp_resources.reader import WorkbookReader
from shp_resources.settings import Settings
from shp_resources.store import Store
from shp_resources.warehouse import Warehouse

Progress = Callable[[str, str, str, int], None]
"""Told (feed, partition, step, rows so far)."""


def _silent(feed: str, partition: str, step: str, rows: int) -> None:
    """Nobody is watching."""


def outside_of(settings: Settings, *, pooled: bool = False) -> Outside:
    """The outside systems of an installation, with the limits that its `shp.yaml` sets.

    Raises:
        UsageError: `shp.yaml` has errors.
    """
    return Outside(settings, pooled, load_platform(settings.platform_file).intake_limits())


@dataclass(frozen=True)
class Outside:
    """The outside systems of one installation.

    Args:
        settings: where they are.
        pooled: keep database connections; only in short-lived processes.
        limits: limits of the intake.
        progress: told how far a step is.
    """

    settings: Settings
    pooled: bool = False
    limits: Limits = field(default_factory=Limits)
    progress: Progress = _silent

    @cached_property
    def ledger(self) -> Ledger:
        """The record of what came and where it stands."""
        return Ledger(self.settings.ledger_dsn, pooled=self.pooled)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The PostgreSQL that gets the tables."""
        return Warehouse(self.settings.sink_dsn, pooled=self.pooled)

    @cached_property
    def store(self) -> Store:
        """The artefact store."""
        return Store(self.settings.store)

    @cached_property
    def reader(self) -> WorkbookReader:
        """The reading process."""
        return WorkbookReader(self.limits, self.settings.home / "cache", warm=True)
