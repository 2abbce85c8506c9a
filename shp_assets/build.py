"""From a catalogue of feed files to assets, checks and resources."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from shp_assets.feed_assets import feed_assets
from shp_assets.feed_file import feed_file, sound_check
from shp_assets.kit import FeedKit
from shp_assets.lake_assets import lake_assets, lake_checks
from shp_assets.mart_assets import mart_asset
from shp_assets.preview_type import PREVIEW_IO, NowhereIOManager
from shp_core.feeds.load import Catalogue
from shp_resources.outside import Outside


def build_kits(catalogue: Catalogue) -> dict[str, FeedKit]:
    """The sound feeds, ready for the graph, by name."""
    return {name: FeedKit(feed) for name, feed in catalogue.feeds.items()}


def build_assets(catalogue: Catalogue, kits: Mapping[str, FeedKit], outside: Outside) -> dg.Definitions:
    """Assets of all feeds and marts, with the resources they need."""
    with_lake = [kit for kit in kits.values() if kit.lake is not None]
    assets = [asset for kit in kits.values() for asset in feed_assets(kit)]
    in_lake = [asset for kit in with_lake for asset in lake_assets(kit)]
    marts = [mart_asset(mart, kits[mart.from_]) for mart in catalogue.marts.values()]
    return dg.Definitions(
        assets=[*assets, *in_lake, *marts, *(feed_file(kit) for kit in kits.values())],
        asset_checks=[*(lake_checks(kit) for kit in with_lake), *(sound_check(kit) for kit in kits.values())],
        resources={"outside": outside, PREVIEW_IO: NowhereIOManager()},
        executor=dg.in_process_executor,
    )
