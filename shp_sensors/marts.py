"""`marts`: is any publication newer than what a mart has read?

A level, not an edge: a publication committed while the mart ran is seen at the next look.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from shp_assets.mart_assets import mart_key
from shp_assets.steps import SINK
from shp_core.feeds.marts import Mart
from shp_resources.outside import Outside
from shp_sensors.requests import Ended, ended, live

MART_TAG, UP_TO_TAG = "shp/mart", "shp/publication"


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
        if any(breaker.name == "warehouse" for breaker in outside.ledger.breakers.open()):
            yield dg.SkipReason("The warehouse is not asked until a probe gets through.")
            return
        publications = outside.ledger.publications
        newest = {mart.mart: publications.newest(mart.from_, SINK) for mart in found}
        behind = [mart for mart in found if publications.mart_watermark(mart.mart) < newest[mart.mart]]
        requests = [request for mart in behind for request in _ask(context.instance, mart, newest[mart.mart])]
        if not requests:
            yield dg.SkipReason("Every mart has read everything, or is being made.")
        yield from requests

    return marts_


def _ask(instance: dg.DagsterInstance, mart: Mart, newest: int) -> Iterator[dg.RunRequest]:
    """A run, unless one is under way, or failed on the same publications a moment ago."""
    if live(instance, MART_TAG, mart=mart.mart):
        return
    before = ended(instance, UP_TO_TAG, [str(newest)], mart=mart.mart)[str(newest)]
    if before.may_ask_again:
        yield _request(mart, newest, before)


def _request(mart: Mart, newest: int, before: Ended) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"mart|{mart.mart}|{newest}|{before.count}",
        asset_selection=[mart_key(mart)],
        tags={MART_TAG: mart.mart, UP_TO_TAG: str(newest)},
    )
