"""All sensors of a code location."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from shp_assets.kit import FeedKit
from shp_core.feeds.load import Catalogue
from shp_sensors.arrivals import arrivals_sensor
from shp_sensors.feed_files import feed_files_sensor
from shp_sensors.gaps import gaps_sensor
from shp_sensors.inventory import inventory_sensor
from shp_sensors.lake import lake_sensor
from shp_sensors.lateness import lateness_sensor
from shp_sensors.lost_runs import lost_runs_sensor
from shp_sensors.marts import marts_sensor
from shp_sensors.recovery import recovery_sensor
from shp_sensors.redrives import redrives_sensor
from shp_sensors.remotes import remotes_sensor

_OVER_FEEDS = (
    arrivals_sensor,
    feed_files_sensor,
    gaps_sensor,
    inventory_sensor,
    lake_sensor,
    lateness_sensor,
    lost_runs_sensor,
    recovery_sensor,
    redrives_sensor,
    remotes_sensor,
)


def build_sensors(catalogue: Catalogue, kits: Mapping[str, FeedKit]) -> dg.Definitions:
    """The sensors over these feeds and marts."""
    sensors = [make(kits) for make in _OVER_FEEDS] if kits else []
    if catalogue.marts:
        sensors.append(marts_sensor(catalogue.marts.values()))
    return dg.Definitions(sensors=sensors)
