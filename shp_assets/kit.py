"""A feed as the graph needs it: model, contract, tables, partitions, asset keys; made once when the code is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import dagster as dg

import shp_assets.upstream  # noqa: F401 - silences warnings about what is pinned by tests
from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract
from shp_core.expectations.periods import HOUR_KEY, first_hour
from shp_core.feeds.model import Feed, Partition
from shp_resources.warehouse import Target

LAYERS = ("raw", "text", "validated", "quarantine", "warehouse")
"""The way into the warehouse."""

LAKE_LAYERS = ("lake", "curated")
"""The way into the lake, in runs of its own; only of feeds that declare one."""

SINKS_AGREE = "sinks_agree"
PERIODS_AHEAD = 1
"""Today's file comes before today is over: the newest partition is of the present period."""


@dataclass(frozen=True)
class FeedKit:
    """Everything made from one feed file."""

    feed: Feed

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.feed.feed

    @cached_property
    def contract(self) -> Contract:
        """The compiled contract."""
        return compile_contract(self.feed)

    @cached_property
    def target(self) -> Target:
        """The feed's tables."""
        return Target(self.contract, self.feed.table, self.feed.preferred, self.feed.description or "")

    @cached_property
    def partitions(self) -> dg.PartitionsDefinition:
        """The feed's partitions: dynamic by file, time windows by period."""
        spec = self.feed.partition
        return _windows(spec) if spec.by_period else dg.DynamicPartitionsDefinition(name=self.dynamic_name)

    def has_partition(self, key: str) -> bool:
        """Whether Dagster has, or can be given, a partition of this key: by period only those of its windows."""
        return not self.feed.partition.by_period or self.partitions.has_partition_key(key)

    @property
    def dynamic_name(self) -> str:
        """Name under which Dagster keeps the keys of a feed by file."""
        return f"{self.name}_files"

    def key(self, layer: str) -> dg.AssetKey:
        """The asset of a layer: the layer first, then the feed."""
        return dg.AssetKey([layer, self.name])

    @property
    def keys(self) -> list[dg.AssetKey]:
        """The assets on the way into the warehouse."""
        return [self.key(layer) for layer in LAYERS]

    @property
    def lake_keys(self) -> list[dg.AssetKey]:
        """The assets on the way into the lake; none where the feed declares no lake."""
        return [self.key(layer) for layer in LAKE_LAYERS] if self.lake is not None else []

    @property
    def all_keys(self) -> list[dg.AssetKey]:
        """All partitioned assets of the feed."""
        return [*self.keys, *self.lake_keys]

    @property
    def agreement(self) -> dg.AssetCheckKey:
        """The check that both sinks say the same."""
        return dg.AssetCheckKey(self.key("curated"), SINKS_AGREE)

    @property
    def lake(self) -> str | None:
        """The feed's folder in the lake, None where it declares none."""
        return self.feed.lake


class _Local(TypedDict):
    timezone: str
    end_offset: int


def _windows(spec: Partition) -> dg.TimeWindowPartitionsDefinition:
    """Dagster's time windows, with the keys of `shp_core.expectations.periods`."""
    assert spec.start is not None, "the model requires a start for feeds by period"
    if spec.by == "hour":
        return dg.HourlyPartitionsDefinition(first_hour(spec), timezone="UTC", fmt=HOUR_KEY, end_offset=PERIODS_AHEAD)
    start, local = spec.start.isoformat(), _Local(timezone=spec.timezone, end_offset=PERIODS_AHEAD)
    if spec.by == "week":
        return dg.WeeklyPartitionsDefinition(start, day_offset=1, **local)
    return dg.MonthlyPartitionsDefinition(start, **local) if spec.by == "month" else dg.DailyPartitionsDefinition(start, **local)
