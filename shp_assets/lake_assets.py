"""A feed's assets on the way into the lake: text rows, clean rows, and the check that both sinks say the same."""

from typing import Any

import dagster as dg

from shp_assets.feed_assets import common
from shp_assets.guard import caught, guarded_lake
from shp_assets.kit import SINKS_AGREE, FeedKit
from shp_assets.lake_sql import show_by_sql
from shp_assets.lake_steps import compare, curate, difference, publish_lines, sweep
from shp_assets.lake_work import LakeWork
from shp_assets.metadata import column_schema, text_schema
from shp_resources.lake.agree import Agreement
from shp_resources.lake.publish import Published
from shp_resources.ledger import ELT
from shp_resources.outside import Outside

_DESCRIPTIONS = {
    "lake": "Every row of each delivery as text in the lake, clean or not: files that readers find by their manifest.",
    "curated": "Clean rows in the lake, made from its text rows by the mapper: the contract's columns, typed.",
}
_AGREE = "Warehouse and lake hold the same rows of the partition: row count and hash, computed in each from what it holds."


def lake_assets(kit: FeedKit) -> list[dg.AssetsDefinition]:
    """The assets of a feed on the way into the lake."""
    return [_lake(kit), _curated(kit)]


def _lake(kit: FeedKit) -> dg.AssetsDefinition:
    @dg.asset(
        key=kit.key("lake"),
        deps=[kit.key("text")],
        partitions_def=kit.partitions,
        metadata={"dagster/column_schema": text_schema(kit.contract)},
        hooks={caught(kit, ELT)},
        **common(kit, _DESCRIPTIONS, "lake", "file"),
    )
    def lake(context: dg.AssetExecutionContext, outside: dg.ResourceParam[Outside]) -> dg.MaterializeResult:
        with guarded_lake(context, kit, outside, "lake") as work:
            made = publish_lines(work)
            return _result(work, f"lake/{kit.lake}", made)

    return lake


def _curated(kit: FeedKit) -> dg.AssetsDefinition:
    @dg.asset(
        key=kit.key("curated"),
        deps=[kit.key("lake"), kit.key("validated")],
        partitions_def=kit.partitions,
        code_version=kit.contract.version,
        metadata={"dagster/column_schema": column_schema(kit.contract)},
        hooks={caught(kit, ELT)},
        **common(kit, _DESCRIPTIONS, "curated", "file"),
    )
    def curated(context: dg.AssetExecutionContext, outside: dg.ResourceParam[Outside]) -> dg.MaterializeResult:
        with guarded_lake(context, kit, outside, "curated") as work:
            made = curate(work)
            manifest = made.manifest
            facts = {"hash": manifest.hash, "made_by": manifest.made_by, "rejects": manifest.rejects, "counters": made.counters}
            return _result(work, f"curated/{kit.lake}", made, **facts, **show_by_sql(work, manifest))

    return curated


def lake_checks(kit: FeedKit) -> dg.AssetChecksDefinition:
    """The check that both sinks say the same; it needs both, so it is a step of its own."""

    @dg.asset_check(
        asset=kit.key("curated"),
        name=SINKS_AGREE,
        additional_deps=[kit.key("warehouse")],
        blocking=True,
        description=_AGREE,
        partitions_def=kit.partitions,
    )
    def sinks_agree(context: dg.AssetCheckExecutionContext, outside: dg.ResourceParam[Outside]) -> dg.AssetCheckResult:
        with guarded_lake(context, kit, outside, SINKS_AGREE) as work:
            found = compare(work)
            if found is None:
                work.waits_for_the_warehouse()
                words = "The warehouse does not hold this delivery yet; its run asks for this check again."
                return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"waits": words})
            if found.holds:
                work.agreed()
                sweep(work)
            else:
                fault = difference(work, found)
                work.failed(fault, fault.evidence)
            return dg.AssetCheckResult(passed=found.holds, metadata=_told(found))

    return sinks_agree


def _result(work: LakeWork, folder: str, made: Published, **facts: Any) -> dg.MaterializeResult:
    """What the UI shows of a publication in the lake; a local folder that stands in for HDFS is called that."""
    manifest, place = made.manifest, work.outside.lake
    metadata: dict[str, Any] = {
        "dagster/row_count": manifest.rows,
        "path": f"{folder}/partition={work.partition}/{manifest.directory}",
        "place": place.label,
        "bytes": manifest.bytes,
        "delivery": manifest.delivery,
        "changed": made.changed,
        **{name: dg.JsonMetadataValue(fact) if isinstance(fact, dict) else fact for name, fact in facts.items() if fact},
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(manifest.directory))


def _told(found: Agreement) -> dict[str, Any]:
    rows, digest = found.lake or (0, "nothing is published there")
    return {
        "warehouse_rows": found.warehouse[0],
        "warehouse_hash": found.warehouse[1],
        "lake_rows": rows,
        "lake_hash": digest,
        "differing_rows": dg.JsonMetadataValue(list(found.differing)),
    }
