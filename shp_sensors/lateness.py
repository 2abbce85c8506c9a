"""`lateness`: is a file due that did not come?

Each expected partition has its own due time; what the look finds stands in the ledger, and as the check `on_time`.
"""

from collections.abc import Mapping

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.lateness import Late, look_for_late
from shp_assets.on_time import late_evaluation, short_day
from shp_core.errors import Fault
from shp_resources.outside import Outside
from shp_sensors.requests import add_keys

INTERVAL_SECONDS = 30
EVENTS_A_TICK = 100
"""How many checks of late partitions are written at a tick, the newest; the ledger knows all of them."""


def lateness_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over what all feeds expect."""

    @dg.sensor(
        name="lateness",
        description="What a feed expects is expected in the ledger too; what is due and did not come is late, and told once.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.keys]),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def lateness(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        found = {name: _look(context, kit, outside) for name, kit in kits.items()}
        late = [(kits[name], item) for name, look in found.items() for item in look.turned]
        newest = sorted(late, key=lambda found: found[1][1])[-EVENTS_A_TICK:]
        short = [(kits[name], tally) for name, look in found.items() for tally in look.short][-EVENTS_A_TICK:]
        told = f"{len(late)} partitions and {len(short)} days are late since this look." if late or short else "Nothing turned late."
        return dg.SensorResult(
            asset_events=[*(late_evaluation(kit, *item) for kit, item in newest), *(short_day(*item) for item in short)],
            dynamic_partitions_requests=[new for kit in kits.values() for new in add_keys(context.instance, kit, kit.feed.partition.named)],
            skip_reason=dg.SkipReason(told),
        )

    return lateness


def _look(context: dg.SensorEvaluationContext, kit: FeedKit, outside: Outside) -> Late:
    try:
        return look_for_late(outside, kit)
    except Fault as fault:  # one feed never stops the others; the next look finds the same
        context.log.warning(f"{kit.name}: {fault.message}")
        return Late()
