"""`inventory`: what is still broken, and how old is it?

Once a day; the tick says it in a sentence. What is held for more than a day without anybody being told, and what keeps
coming back although it heals each time, becomes an incident. Each feed's service levels are told with it, to its table.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import dagster as dg

from shp_assets.inventory import take_inventory
from shp_assets.kit import FeedKit
from shp_assets.service_levels import observed
from shp_resources.outside import Outside

EVERY = timedelta(days=1)
_LOOK_SECONDS = 300


def inventory_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over all that is held."""

    @dg.sensor(
        name="inventory",
        description="Once a day: what is still held, and for how long; what nobody was told of becomes an incident.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.keys]),
        minimum_interval_seconds=_LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def inventory(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        now = outside.clock.now()
        if context.cursor and now - datetime.fromisoformat(context.cursor) < EVERY:
            return dg.SensorResult(skip_reason=dg.SkipReason(f"The inventory was taken at {context.cursor}."), cursor=context.cursor)
        told = take_inventory(outside, kits)
        context.log.info(told)
        levels = [observed(kit, outside.ledger.expectations.levels(kit.feed, now)) for kit in kits.values()]
        return dg.SensorResult(skip_reason=dg.SkipReason(told), cursor=now.isoformat(), asset_events=levels)

    return inventory
