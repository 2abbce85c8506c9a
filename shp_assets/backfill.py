"""Backfills that the platform asks for: the partitions, the tags, and which are under way.

They are Dagster's own: on its Backfills page, run by run below live data. Must not live here: which partitions (`gaps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

from shp_assets.guard import VIA_TAG
from shp_assets.kit import FeedKit
from shp_resources.run_coordinator import BELOW_LIVE

BACKFILL = "backfill"
BACKFILL_TAG = "shp/backfill"
MOST_AT_ONCE = 500
"""How many partitions a backfill of ours has at most; the next one follows when it is done."""

_UNDER_WAY = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


def under_way(instance: dg.DagsterInstance, kit: FeedKit) -> str | None:
    """The backfill of ours that is under way for a feed, None when there is none."""
    wanted = BulkActionsFilter(statuses=_UNDER_WAY, tags={BACKFILL_TAG: kit.name})
    found = instance.get_backfills(filters=wanted, limit=1)
    return found[0].backfill_id if found else None


def subset_of(kit: FeedKit, partitions: Sequence[str]) -> AssetGraphSubset:
    """The feed's assets with exactly these partitions.

    Args:
        kit: the feed.
        partitions: keys that Dagster knows.
    """
    chosen = kit.partitions.empty_subset().with_partition_keys(partitions)
    return AssetGraphSubset(dict.fromkeys(kit.keys, chosen), set())  # type: ignore[call-arg]  # its decorator hides the fields


def tags_of(kit: FeedKit, why: str) -> dict[str, str]:
    """What each run of a backfill carries.

    Args:
        kit: the feed.
        why: who asks: `gaps`, or a person's command.
    """
    return {VIA_TAG: BACKFILL, BACKFILL_TAG: kit.name, "shp/feed": kit.name, "shp/asked_by": why, **BELOW_LIVE}


def requested(kit: FeedKit, partitions: Sequence[str], why: str) -> dg.RunRequest:
    """The request of a sensor for one backfill."""
    return dg.RunRequest.for_asset_graph_subset(subset_of(kit, partitions), tags_of(kit, why))


def launch(instance: dg.DagsterInstance, kit: FeedKit, partitions: Sequence[str], why: str, at: float) -> str:
    """Put a backfill on record, for the daemon of a started platform; returns its id.

    Args:
        instance: Dagster's.
        kit: the feed.
        partitions: keys, which are made known to Dagster where it does not know them.
        why: who asks.
        at: now, seconds since 1970.
    """
    if not kit.feed.partition.by_period:
        instance.add_dynamic_partitions(kit.dynamic_name, list(partitions))
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=uuid4().hex[:8],
        backfill_timestamp=at,
        tags=tags_of(kit, why),
        dynamic_partitions_store=instance,
        asset_graph_subset=subset_of(kit, partitions),
        title=None,
        description=f"{len(partitions)} partitions of {kit.name}, asked for by {why}",
        run_config=None,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id
