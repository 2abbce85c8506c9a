"""A feed as the graph needs it: model, contract, tables, partitions, asset keys; made once when the code is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import dagster as dg

import shp_assets.upstream  # noqa: F401 - silences warnings about what is pinned by tests
from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract
from shp_core.feeds.model import Feed
from shp_resources.warehouse import Target

LAYERS = ("raw", "text", "validated", "quarantine", "warehouse")
DAYS_AHEAD = 1
"""Today's file comes before today is over: the newest day partition is today's."""


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
        """The feed's partitions: dynamic by file, time windows by day."""
        spec = self.feed.partition
        if spec.by == "file":
            return dg.DynamicPartitionsDefinition(name=self.dynamic_name)
        assert spec.start is not None, "the model requires a start for feeds by day"
        return dg.DailyPartitionsDefinition(spec.start.isoformat(), timezone=spec.timezone, end_offset=DAYS_AHEAD)

    @property
    def dynamic_name(self) -> str:
        """Name under which Dagster keeps the keys of a feed by file."""
        return f"{self.name}_files"

    def key(self, layer: str) -> dg.AssetKey:
        """The asset of a layer: the layer first, then the feed."""
        return dg.AssetKey([layer, self.name])

    @property
    def keys(self) -> list[dg.AssetKey]:
        """All partitioned assets of the feed."""
        return [self.key(layer) for layer in LAYERS]
