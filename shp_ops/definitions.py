"""The code location: everything assembled in one place.

Loading it reads feed files and nothing else: no database, no network, so that `dagster definitions validate` works
on a laptop and in CI.
"""

from __future__ import annotations

import logging

import dagster as dg

from shp_assets.build import build_assets, build_kits
from shp_core.errors import UsageError
from shp_core.feeds.load import Catalogue, load_catalogue
from shp_resources.logs import log_as_told
from shp_resources.outside import Outside, outside_of
from shp_resources.settings import Settings
from shp_sensors.build import build_sensors

_log = logging.getLogger("shp")


def build_definitions(catalogue: Catalogue, outside: Outside) -> dg.Definitions:
    """The Definitions of a catalogue of feeds.

    Args:
        catalogue: feeds and marts; broken files are left out.
        outside: the outside systems that assets and sensors are handed.
    """
    kits = build_kits(catalogue)
    return dg.Definitions.merge(build_assets(catalogue, kits, outside), build_sensors(catalogue, kits))


def load_definitions() -> dg.Definitions:
    """The Definitions of this installation, found by the environment."""
    settings = Settings.load()
    catalogue = load_catalogue(settings.feeds, settings.marts, settings.last_good)
    for error in catalogue.errors:
        _log.warning("%s What was last sound is in force. Run: shp feeds check", error)
    return build_definitions(catalogue, _outside(settings))


def _outside(settings: Settings) -> Outside:
    try:
        return outside_of(settings, pooled=True)
    except UsageError as error:  # a slip in shp.yaml must not take every feed down; `shp feeds check` is red meanwhile
        _log.warning("%s The defaults are in force. Run: shp feeds check", error.message)
        return Outside(settings, pooled=True)


log_as_told()
defs = load_definitions()
