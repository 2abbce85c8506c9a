"""The check `on_time` of a partition: its first file came by its due time.

It stands on `raw` and has a result for each partition: red from the due time on while nothing came, told by the sensor
`lateness`, and told again when a file is kept. A correction that comes later changes nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.work import Work
from shp_core.expectations.expected import awaits, due_of

ON_TIME = "on_time"


def on_time_specs(kit: FeedKit) -> list[dg.AssetCheckSpec]:
    """The declaration of the check, for feeds that expect something."""
    if not awaits(kit.feed.partition):
        return []
    words = "The partition's first file came by its due time; red from then on while none has come."
    return [dg.AssetCheckSpec(ON_TIME, asset=kit.key("raw"), description=words, partitions_def=kit.partitions)]


def on_time_results(work: Work) -> Iterator[dg.AssetCheckResult]:
    """The result for a partition whose bytes are kept."""
    spec = work.kit.feed.partition
    if not awaits(spec):
        return
    due, came = due_of(spec, work.partition), work.outside.ledger.expectations.first_arrival(*work.key)
    yield dg.AssetCheckResult(
        asset_key=work.kit.key("raw"),
        check_name=ON_TIME,
        passed=due is None or came is None or came <= due,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=_facts(due, came),
    )


def late_evaluation(kit: FeedKit, partition: str, due: datetime) -> dg.AssetCheckEvaluation:
    """What is told of a partition that is due and did not come."""
    return dg.AssetCheckEvaluation(
        asset_key=kit.key("raw"),
        check_name=ON_TIME,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=_facts(due, None),
        partition=partition,
    )


def _facts(due: datetime | None, came: datetime | None) -> dict[str, Any]:
    said = {"due": due, "came": came}
    seconds = {"minutes_late": round((came - due).total_seconds() / 60, 1)} if due and came else {}
    return {**{name: dg.MetadataValue.timestamp(at) for name, at in said.items() if at is not None}, **seconds}
