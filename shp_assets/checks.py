"""The checks of a partition, made from a validated delivery: counts per rule, zeros too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.steps import Verdict
from shp_core.codes import Code
from shp_core.contract.summary import CheckName, null_shares, rule_counts, volume_usual
from shp_core.errors import Refusal

_DESCRIPTIONS = {
    CheckName.ROWS_CONSERVED: "Rows read = clean + rejected + duplicate: no row is lost, none is invented.",
    CheckName.SCHEMA: "The header has the contract's columns and no others.",
    CheckName.TYPES: "Every cell is a value of its column's type.",
    CheckName.RANGES: "Every value keeps its column's rules (in, pattern, min, max, max_length).",
    CheckName.KEY: "No two different rows share a key; equal rows collapse.",
    CheckName.NULLS: "Required columns are filled in.",
    CheckName.REJECTS: "The share of rejected rows is within the feed's max_rejected_share.",
    CheckName.VOLUME: "The row count is within the feed's volume_within of the usual one.",
}
_OF_REFUSAL = {
    Code.NO_ROWS: CheckName.VOLUME,
    Code.VOLUME_OUT_OF_RANGE: CheckName.VOLUME,
    Code.TOO_MANY_REJECTS: CheckName.REJECTS,
    Code.COLUMN_RETYPED: CheckName.REJECTS,
    Code.TOO_MANY_NULLS: CheckName.NULLS,
}


def check_specs(kit: FeedKit) -> list[dg.AssetCheckSpec]:
    """The declarations of the checks on `validated`."""
    return [
        dg.AssetCheckSpec(
            str(name),
            asset=kit.key("validated"),
            description=words,
            blocking=name is CheckName.ROWS_CONSERVED,
            partitions_def=kit.partitions,
        )
        for name, words in _DESCRIPTIONS.items()
    ]


def check_results(kit: FeedKit, verdict: Verdict) -> Iterator[dg.AssetCheckResult]:
    """The result of every check for a delivery that could be read."""
    summary, contract = verdict.summary, kit.contract
    refused = {_OF_REFUSAL[refusal.code] for refusal in verdict.refusals}
    counts = rule_counts(contract, summary)
    usual = volume_usual(contract, summary, verdict.usual_rows)
    facts: dict[CheckName, dict[str, Any]] = {
        CheckName.ROWS_CONSERVED: {
            "read": summary.read,
            "clean": summary.clean,
            "rejected": summary.rejected,
            "duplicate": summary.duplicate,
        },
        CheckName.SCHEMA: {"columns": len(contract.columns)},
        CheckName.TYPES: {"failures": _table(counts[CheckName.TYPES])},
        CheckName.RANGES: {"failures": _table(counts[CheckName.RANGES])},
        CheckName.KEY: {"failures": _table(counts[CheckName.KEY]), "duplicate": summary.duplicate},
        CheckName.NULLS: {
            "failures": _table(counts[CheckName.NULLS]),
            "largest_share": max(null_shares(contract, summary).values(), default=0.0),
        },
        CheckName.REJECTS: {"share": summary.rejected_share, "allowed": contract.max_rejected_share, "rejected": summary.rejected},
        CheckName.VOLUME: {"rows": summary.read, "usual": verdict.usual_rows or 0},
    }
    passed = {name: not any(counts.get(name, {}).values()) for name in CheckName} | {
        CheckName.ROWS_CONSERVED: summary.conserved,
        CheckName.VOLUME: usual and CheckName.VOLUME not in refused,
        CheckName.REJECTS: CheckName.REJECTS not in refused,
    }
    for name in CheckName:
        yield _result(kit, name, passed[name] and name not in refused, refused, facts[name])


def schema_failure(kit: FeedKit, refusal: Refusal) -> dg.AssetCheckResult:
    """The result for a delivery that could not be read or has another header."""
    facts = {"code": str(refusal.code), "message": refusal.message, **{name: str(value) for name, value in refusal.details.items()}}
    return _result(kit, CheckName.SCHEMA, False, {CheckName.SCHEMA}, facts)


def _result(kit: FeedKit, name: CheckName, passed: bool, refused: set[CheckName], facts: dict[str, Any]) -> dg.AssetCheckResult:
    """Red is for what refused the delivery or lost rows; row rejects alone warn."""
    severe = name in refused or name is CheckName.ROWS_CONSERVED
    return dg.AssetCheckResult(
        asset_key=kit.key("validated"),
        check_name=str(name),
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
        metadata=facts,
    )


def _table(counts: dict[str, int]) -> dg.TableMetadataValue:
    schema = dg.TableSchema([dg.TableColumn("rule"), dg.TableColumn("rows", "int")])
    return dg.TableMetadataValue([dg.TableRecord({"rule": rule, "rows": count}) for rule, count in counts.items()], schema)
