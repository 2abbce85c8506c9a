"""A feed's assets on the way into the warehouse: raw, then text, validated and quarantine from one step, then the warehouse."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from shp_assets.checks import check_results, check_specs, schema_failure
from shp_assets.freshness import freshness
from shp_assets.guard import HISTORY_TAG, caught, guarded
from shp_assets.kit import FeedKit
from shp_assets.metadata import column_schema, reject_schema, reject_table, text_schema
from shp_assets.on_time import on_time_results, on_time_specs
from shp_assets.preview_type import PREVIEW_IO, preview_type
from shp_assets.provenance import came_from
from shp_assets.steps import Verdict, keep_bytes, publish_delivery, refuse_unsound, validate_delivery
from shp_core.contract.header import map_header
from shp_core.errors import Refusal
from shp_core.progress import Progress
from shp_resources.outside import Outside

_FIRST = {"dagster/priority": "2"}
"""In a run that also loads the lake the way into the warehouse goes first."""

_DESCRIPTIONS = {
    "raw": "The bytes of each delivery, kept as they came.",
    "text": "Every row of the sheet as text, with kinds and row numbers, clean or not.",
    "validated": "Clean rows, typed; a refused delivery is red here.",
    "quarantine": "Rejected rows with one reason per broken rule.",
    "warehouse": "Trusted rows in PostgreSQL: whole partitions, each published in one transaction.",
}


def feed_assets(kit: FeedKit) -> list[dg.AssetsDefinition]:
    """The partitioned assets of a feed on the way into the warehouse."""
    return [_raw(kit), _validate(kit), _warehouse(kit)]


def common(kit: FeedKit, descriptions: Mapping[str, str], layer: str, kind: str) -> dict[str, Any]:
    """What every asset of a feed says of itself.

    Args:
        kit: the feed.
        descriptions: a sentence for each layer.
        layer: the asset's layer, which is its group too.
        kind: what it is kept in.
    """
    words = f"{descriptions[layer]} {kit.feed.description or ''}".strip()
    return {
        "group_name": layer,
        "owners": [kit.feed.owner],
        "description": words,
        "tags": {"feed": kit.name},
        "kinds": {kind},
        "freshness_policy": freshness(kit),
    }


def _raw(kit: FeedKit) -> dg.AssetsDefinition:
    @dg.asset(
        key=kit.key("raw"),
        partitions_def=kit.partitions,
        check_specs=on_time_specs(kit),
        hooks={caught(kit)},
        **common(kit, _DESCRIPTIONS, "raw", "excel"),
    )
    def raw(context: dg.AssetExecutionContext, outside: dg.ResourceParam[Outside]) -> dg.MaterializeResult:
        with guarded(context, kit, outside, "raw") as work:
            kept = keep_bytes(work)
            metadata: dict[str, Any] = {
                "source": kept.source,
                "delivery": kept.delivery,
                "bytes": kept.size,
                "arrival": work.arrival.number,
                **came_from(work.arrival),
            }
            return dg.MaterializeResult(
                metadata=metadata, data_version=dg.DataVersion(kept.delivery), check_results=list(on_time_results(work))
            )

    return raw


def _validate(kit: FeedKit) -> dg.AssetsDefinition:
    contract = kit.contract

    def out(layer: str, schema: dg.TableSchema, dagster_type: Any = dg.Nothing, **metadata: str) -> dg.AssetOut:
        io: dict[str, Any] = {"io_manager_key": PREVIEW_IO} if dagster_type is not dg.Nothing else {}
        # Not required: an output that is not yielded must stay missing, not turn green.
        return dg.AssetOut(
            key=kit.key(layer),
            dagster_type=dagster_type,
            is_required=False,
            metadata={"dagster/column_schema": schema, **metadata},
            **io,
            **common(kit, _DESCRIPTIONS, layer, "parquet"),
        )

    @dg.multi_asset(
        name=f"validate_{kit.name}",
        outs={
            "text": out("text", text_schema(contract)),
            "validated": out("validated", column_schema(contract), preview_type(contract)),
            "quarantine": out("quarantine", reject_schema(), **{"dagster/table_name": f"quarantine.{kit.feed.table}"}),
        },
        deps=[kit.key("raw")],
        internal_asset_deps={layer: {kit.key("raw")} for layer in ("text", "validated", "quarantine")},
        check_specs=check_specs(kit),
        partitions_def=kit.partitions,
        code_version=contract.version,
        op_tags=_FIRST,
        hooks={caught(kit)},
    )
    def validate(context: dg.AssetExecutionContext, outside: dg.ResourceParam[Outside]) -> Iterator[Any]:
        with guarded(context, kit, outside, "validated") as work:
            try:
                verdict = validate_delivery(work)
            except Refusal as unread:
                yield dg.MaterializeResult(asset_key=kit.key("quarantine"), metadata={"code": str(unread.code), "dagster/row_count": 0})
                yield schema_failure(kit, unread)
                raise
            yield from _kept(kit, verdict)
            if verdict.sound:
                yield _validated(kit, verdict)
            yield from check_results(kit, verdict)
            refuse_unsound(work, verdict)

    return validate


def _kept(kit: FeedKit, verdict: Verdict) -> Iterator[dg.MaterializeResult]:
    """Text rows and rejects: kept whether or not the delivery is refused."""
    artefacts, summary = verdict.artefacts, verdict.summary
    yield dg.MaterializeResult(
        asset_key=kit.key("text"),
        metadata={
            "dagster/row_count": summary.read,
            "bytes": artefacts.bytes_of("text"),
            "blank": summary.blank,
            "after_end": summary.after_end,
        },
    )
    mapping = map_header(artefacts.header, kit.contract)
    positions = {place: column for place, column in zip(mapping.positions, kit.contract.columns, strict=True) if place is not None}
    metadata: dict[str, Any] = {"dagster/row_count": summary.rejected, "duplicate": summary.duplicate}
    if summary.rejected:
        metadata["rejects"] = reject_table(kit.contract, positions, artefacts.rejects())
    yield dg.MaterializeResult(asset_key=kit.key("quarantine"), metadata=metadata)


def _validated(kit: FeedKit, verdict: Verdict) -> dg.MaterializeResult:
    from shp_assets.preview import preview, preview_markdown  # brings pandas, which only runs need

    frame = preview(kit.contract, verdict.artefacts)
    return dg.MaterializeResult(
        asset_key=kit.key("validated"),
        value=frame,
        metadata={
            "dagster/row_count": verdict.summary.clean,
            "hash": verdict.summary.hash,
            "contract": kit.contract.version,
            "preview": dg.MarkdownMetadataValue(preview_markdown(kit.contract, frame)),
        },
    )


def _warehouse(kit: FeedKit) -> dg.AssetsDefinition:
    @dg.asset(
        key=kit.key("warehouse"),
        deps=[kit.key("validated")],
        partitions_def=kit.partitions,
        metadata={"dagster/column_schema": column_schema(kit.contract), "dagster/table_name": f"warehouse.{kit.feed.table}"},
        op_tags=_FIRST,
        hooks={caught(kit)},
        **common(kit, _DESCRIPTIONS, "warehouse", "postgres"),
    )
    def warehouse(context: dg.AssetExecutionContext, outside: dg.ResourceParam[Outside]) -> dg.MaterializeResult:
        with guarded(context, kit, outside, "warehouse") as work:
            progress = _caught_up(context, kit, outside)
            publication, outcome, summary = publish_delivery(work)
            return dg.MaterializeResult(
                metadata={
                    "dagster/row_count": outcome.loaded,
                    "displaced": outcome.displaced,
                    "rejected": summary.rejected,
                    "changed": outcome.changed,
                    "delivery": publication.delivery,
                    "hash": publication.hash,
                    **progress,
                    **({"reconciled": dg.JsonMetadataValue(outcome.reconciled.as_dict())} if outcome.reconciled else {}),
                },
                data_version=dg.DataVersion(f"{publication.delivery[:16]}-{publication.contract_version}"),
            )

    return warehouse


def _caught_up(context: dg.AssetExecutionContext, kit: FeedKit, outside: Outside) -> dict[str, str]:
    """How far the feed's history is caught up, where the run is part of that; this one counts as done."""
    if HISTORY_TAG not in context.run.tags:
        return {}
    found = outside.ledger.catch_up().get(kit.name, Progress(0, 1))
    return {"catch_up": str(Progress(min(found.done + 1, found.total), found.total))}
