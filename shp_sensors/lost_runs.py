"""`lost_runs`: did a worker die without a verdict?

A worker that was killed tells nobody; its partition is taken up once more, and held when it kills a second worker.
"""

from collections.abc import Mapping

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.lost import close_lost
from shp_resources.outside import Outside


def lost_runs_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over attempts that are under way, whoever started them."""

    @dg.sensor(
        name="lost_runs",
        description="A worker that died without a verdict gives its partition back, or has it held the second time.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.all_keys]),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def lost_runs(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SkipReason:
        closed = close_lost(context.instance, kits, outside)
        for attempt in closed:
            context.log.warning(f"{attempt.feed}/{attempt.partition}: the worker was lost in step {attempt.step}.")
        return dg.SkipReason(f"{len(closed)} lost workers were given a verdict." if closed else "Every worker is alive.")

    return lost_runs
