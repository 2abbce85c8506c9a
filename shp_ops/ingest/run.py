"""`shp ingest` without its words: files in, results out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg

from shp_assets.build import build_kits
from shp_assets.lost import close_lost
from shp_ops.definitions import build_definitions
from shp_ops.ingest.one import Ingestion
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import Event, Take, take_all
from shp_ops.installation import catalogue_of, opened, require_feed
from shp_resources.outside import Outside
from shp_resources.settings import Settings


def ingest(settings: Settings, feed: str, paths: Sequence[Path], on_event: Callable[[Event], None]) -> list[FileResult]:
    """Deliver files of a feed and process them now.

    Args:
        settings: the installation.
        feed: name of the feed.
        paths: the files.
        on_event: told what happens.

    Returns:
        A result per file, in order.
    """
    catalogue = catalogue_of(settings)
    require_feed(catalogue, feed)
    kits = build_kits(catalogue)

    def make_take(outside: Outside) -> Take:
        ingestion = Ingestion(kits[feed], build_definitions(catalogue, outside), outside)
        close_lost(dg.DagsterInstance.get(), {feed: kits[feed]}, outside)
        return ingestion.take

    with opened(settings) as outside:
        return take_all(paths, outside, make_take, on_event)
