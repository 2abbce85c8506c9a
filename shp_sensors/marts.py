"""`marts`: is any publication newer than what a mart has read?

A level, not an edge: a publication committed while the mart ran is seen at the next look.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from shp_assets.mart_assets import mart_key
from shp_core.feeds.marts import Mart
from shp_resources.outside import Outside

MART_TAG = "shp/mart"
_LIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def marts_sensor(marts: Iterable[Mart]) -> dg.SensorDefinition:
    """The sensor that keeps all marts up with the publications."""
    found = list(marts)

    @dg.sensor(
        name="marts",
        description="A mart is made anew when a publication is newer than what it has read.",
        asset_selection=dg.AssetSelection.assets(*[mart_key(mart) for mart in found]),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def marts_(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> Iterator[dg.RunRequest | dg.SkipReason]:
        newest = outside.ledger.publications.newest()
        behind = [mart for mart in found if outside.ledger.publications.mart_watermark(mart.mart) < newest]
        requests = [_request(mart, newest) for mart in behind if not _is_live(context.instance, mart)]
        if not requests:
            yield dg.SkipReason("Every mart has read everything, or is being made.")
        yield from requests

    return marts_


def _request(mart: Mart, newest: int) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"mart|{mart.mart}|{newest}",
        asset_selection=[mart_key(mart)],
        tags={MART_TAG: mart.mart},
    )


def _is_live(instance: dg.DagsterInstance, mart: Mart) -> bool:
    live = dg.RunsFilter(statuses=_LIVE, tags={MART_TAG: mart.mart})
    return bool(instance.get_run_records(live, limit=1))
