"""Everything outside, opened late: what an asset, a sensor or a command is handed.

Nothing connects when this is made; each part does so at its first use.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from shp_core.clock import Clock
from shp_core.feeds.origin import Origin
from shp_core.feeds.platform import load_platform
from shp_core.healing.backoff import POLICIES, Patience
from shp_core.lake.place import Place
from shp_core.limits import Limits
from shp_resources.lake.settings import lake_of
from shp_resources.ledger import Ledger
from shp_resources.nursery import Nursery
from shp_resources.reader import WorkbookReader
from shp_resources.rehearsal import Rehearsal, parse
from shp_resources.settings import Settings
from shp_resources.sources.opening import open_source
from shp_resources.sources.protocol import RemoteSource
from shp_resources.spool import Spool
from shp_resources.store import Store
from shp_resources.store.far import store_of
from shp_resources.system_clock import SystemClock
from shp_resources.warehouse import Warehouse

Progress = Callable[[str, str, str, int], None]
"""Told (feed, partition, step, rows so far)."""


def _silent(feed: str, partition: str, step: str, rows: int) -> None:
    """Nobody is watching."""


def outside_of(settings: Settings, *, pooled: bool = False) -> Outside:
    """The outside systems of an installation, with the limits and the patience that its `shp.yaml` sets.

    Raises:
        UsageError: `shp.yaml` has errors.
    """
    file = load_platform(settings.platform_file)
    settings = replace(settings, sources=replace(settings.sources, **file.sources.model_dump()))
    return Outside(settings, pooled, file.intake_limits(), patience=file.patience(), faults=rehearsal_of(settings))


@dataclass(frozen=True)
class Outside:
    """The outside systems of one installation.

    Args:
        settings: where they are.
        pooled: keep database connections; only in short-lived processes.
        limits: limits of the intake.
        progress: told how far a step is.
        patience: how often and how long a call that fails in passing is tried.
        faults: what is made to fail on purpose.
        clock: tells the time by which verdicts are due and breakers are probed.
        chance: draws a number from 0 up to 1, which spreads pauses.
        sleep: waits so many seconds between two tries of a call.
        nursery: the warm process that reading processes are forked from, if one was begun for this process.
    """

    settings: Settings
    pooled: bool = False
    limits: Limits = field(default_factory=Limits)
    progress: Progress = _silent
    patience: Patience = POLICIES["standard"]
    faults: Rehearsal = field(default_factory=Rehearsal)
    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], None] = time.sleep
    nursery: Nursery | None = None

    @cached_property
    def ledger(self) -> Ledger:
        """The record of what came and where it stands."""
        return Ledger(self.settings.ledger_dsn, pooled=self.pooled)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The PostgreSQL that gets the tables."""
        return Warehouse(self.settings.sink_dsn, pooled=self.pooled)

    @property
    def lake(self) -> Place:
        """Where text rows and clean rows lie as files: HDFS, or a local folder that stands in; asked anew, for a platform may start one."""
        return lake_of(self.settings)

    def source(self, origin: Origin, match: str = "*") -> RemoteSource:
        """A remote source; see `open_source`."""
        return open_source(origin, self.settings.sources, match)

    @cached_property
    def spool(self) -> Spool:
        """Verdicts that the ledger could not be told."""
        return Spool(self.settings.home / "spool")

    @cached_property
    def store(self) -> Store:
        """The artefact store."""
        return store_of(self.settings)

    @cached_property
    def reader(self) -> WorkbookReader:
        """The reading process."""
        return WorkbookReader(self.limits, self.settings.home / "cache", warm=self.nursery or True)


def rehearsal_of(settings: Settings) -> Rehearsal:
    """What `SHP_FAULTS` asks to fail.

    Raises:
        UsageError: it cannot be read.
    """
    return parse(settings.faults, settings.home / "run" / "faults") if settings.faults else Rehearsal()
