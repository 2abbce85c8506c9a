"""The check `on_time` of a partition: its first file came by its due time.

It stands on `raw` and has a result for each partition: red from the due time on while nothing came, told by the sensor
`lateness`, and told again when a file is kept. A correction that comes later changes nothing about it. Where a day expects a
number of files, a file was on time if it came by the day's due time, or the day had all its files by then without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.work import Work
from shp_core.expectations.counted import Tally
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
    came = work.outside.ledger.expectations.first_arrival(*work.key)
    due, passed, count = _of_day(work, came) if spec.a_day is not None else (due_of(spec, work.partition), None, {})
    yield dg.AssetCheckResult(
        asset_key=work.kit.key("raw"),
        check_name=ON_TIME,
        passed=passed if passed is not None else due is None or came is None or came <= due,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**_facts(due, came), **count},
    )


def _of_day(work: Work, came: datetime | None) -> tuple[datetime | None, bool | None, dict[str, Any]]:
    """Of a file whose day expects a number: the due time; whether the day had all its files by then, if so; what came of it."""
    spec, outside = work.kit.feed.partition, work.outside
    found = outside.ledger.days.tallies(work.kit.name, spec, outside.clock.now())
    tally = next((tally for tally in found if came is not None and tally.day.day == came.astimezone(spec.zone).date()), None)
    if tally is None:
        return None, None, {}
    return tally.day.due_at, tally.on_time >= tally.day.wanted or None, day_facts(tally)


def day_facts(tally: Tally) -> dict[str, Any]:
    """What is told of a day of which a number of files is expected."""
    return {"day": tally.day.key, "files_expected": tally.day.wanted, "files_on_time": tally.on_time, "files_came": tally.came}


def short_day(kit: FeedKit, tally: Tally) -> dg.AssetObservation:
    """What is told of a day that is due and lacks files; its files have no names yet, so no check of a partition can tell it."""
    facts = {**day_facts(tally), "due": dg.MetadataValue.timestamp(tally.day.due_at)}
    return dg.AssetObservation(asset_key=kit.key("raw"), description="Fewer files came than are expected in a day", metadata=facts)


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
