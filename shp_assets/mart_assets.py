"""Marts: roll-ups over the warehouse, labelled with what they know and what they miss."""

from typing import Any

import dagster as dg

from shp_assets.calls import call
from shp_assets.counted import lacking_files
from shp_assets.freshness import freshness
from shp_assets.guard import told
from shp_assets.kit import FeedKit
from shp_assets.metadata import mart_schema
from shp_assets.steps import SINK
from shp_core.codes import Code
from shp_core.feeds.marts import Mart
from shp_core.states import State
from shp_resources.ledger import PartitionRecord
from shp_resources.ledger.expected import STANDS_IN
from shp_resources.outside import Outside
from shp_resources.warehouse.marts import MartOutcome

_SHOWN = 50


def mart_key(mart: Mart) -> dg.AssetKey:
    """The mart's asset."""
    return dg.AssetKey(["mart", mart.mart])


def mart_asset(mart: Mart, kit: FeedKit) -> dg.AssetsDefinition:
    """The asset of one mart file."""

    @dg.asset(
        key=mart_key(mart),
        deps=[kit.key("warehouse")],
        group_name="mart",
        owners=[mart.owner or kit.feed.owner],
        description=mart.description or f"Roll-up of {mart.from_}.",
        tags={"feed": kit.name},
        kinds={"postgres"},
        freshness_policy=freshness(kit),
        metadata={"dagster/table_name": f"mart.{mart.mart}", "dagster/column_schema": mart_schema(mart, kit.contract)},
    )
    def mart_body(context: dg.AssetExecutionContext, outside: dg.ResourceParam[Outside]) -> dg.MaterializeResult:
        with told(context, f"mart {mart.mart}"):
            return _make(context, outside, mart, kit)

    return mart_body


def _make(context: dg.AssetExecutionContext, outside: Outside, mart: Mart, kit: FeedKit) -> dg.MaterializeResult:
    ledger = outside.ledger
    watermark = ledger.publications.newest(kit.name, SINK)  # before the data is read: never too high
    partitions = ledger.partitions.list(kit.name)
    label = completeness(partitions, lacking_files(outside, kit))
    differing = [record.partition for record in partitions if record.code == Code.SINKS_DIFFER]
    if differing:
        context.log.warning("Warehouse and lake differ: the last result stays until they agree.")
        return dg.MaterializeResult(metadata={"held": True, "sinks_differ": dg.JsonMetadataValue(differing[:_SHOWN]), **_shown(label)})
    if mart.on_incomplete == "hold" and not label["complete"]:
        context.log.info("Partitions are missing and the mart is told to hold: the last result stays.")
        return dg.MaterializeResult(metadata={"held": True, **_shown(label)})
    outcome = call(outside, "warehouse", kit.name, lambda: outside.warehouse.refresh_mart(mart, kit.target), f"mart {mart.mart}")
    ledger.publications.set_mart_watermark(mart.mart, watermark)
    return dg.MaterializeResult(metadata={**_counts(outcome), **_shown(label)})


def completeness(partitions: list[PartitionRecord], lacking: int = 0) -> dict[str, Any]:
    """Which partitions a roll-up lacks, how many are still to come, and which share of the rows read it knows.

    What is not due yet is not missing: before its due time nobody can say more than that it is expected.

    Args:
        partitions: all partitions of the feed.
        lacking: files that are due and did not come, of a feed that expects a number of them each day.
    """
    ahead = sum(record.state is State.EXPECTED for record in partitions)
    known = [record for record in partitions if record.state not in (State.WAIVED, State.EXPECTED)]
    missing = [record for record in known if not _is_in_warehouse(record)]
    read = sum(record.rows.get("read", 0) for record in known)
    clean = sum(record.rows.get("clean", 0) for record in known if _is_in_warehouse(record))
    return {
        "complete": not missing and not lacking,
        "partitions": len(known) - len(missing),
        "missing": [record.partition for record in missing],
        "missing_files": lacking,
        "expected": ahead,
        "placeholders": {record.partition: record.flags[STANDS_IN] for record in missing if STANDS_IN in record.flags},
        "share_of_rows": clean / read if read else 1.0,
        "not_in_lake": sum(record.behind is not None for record in known),
    }


def _is_in_warehouse(record: PartitionRecord) -> bool:
    """What is parked for the lake alone is in the warehouse."""
    return record.state.is_published or record.behind is not None


def _shown(label: dict[str, Any]) -> dict[str, Any]:
    missing = label["missing"]
    return {
        **label,
        "placeholders": dg.JsonMetadataValue(label["placeholders"]),
        "missing": dg.JsonMetadataValue(missing[:_SHOWN]),
        "missing_count": len(missing),
    }


def _counts(outcome: MartOutcome) -> dict[str, Any]:
    return {"dagster/row_count": outcome.rows, "source_rows": outcome.source_rows}
