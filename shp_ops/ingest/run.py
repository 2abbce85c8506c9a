"""`shp ingest` without its words: files in, results out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shp_core.feeds.load import Catalogue
from shp_core.feeds.model import Feed
from shp_core.healing.breaker import asked_for
from shp_ops.ingest.files import File, queues
from shp_ops.ingest.following import Make, OnEvent, into_the_lake, until_the_lake
from shp_ops.ingest.head_start import HeadStart, begun_nurseries
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import Order, hands, take_all
from shp_ops.installation import opened
from shp_ops.views import displaced_rows
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock

if TYPE_CHECKING:
    from shp_ops.ingest.one import Ingestion
    from shp_resources.outside import Outside


def ingest(settings: Settings, feed: Feed, files: Sequence[File], on_event: OnEvent) -> list[FileResult]:
    """Deliver files of a feed and process them now.

    Args:
        settings: the installation.
        feed: one of its feeds.
        files: the files.
        on_event: told what happens.

    Returns:
        A result per file, in order.

    Raises:
        UsageError: the ledger's database does not answer, or the home cannot be written.
    """
    waiting = queues(feed, files)
    with HeadStart(settings, files, waiting) as head_start, opened(settings) as outside:
        _ask_breakers(settings)
        head_start.go(outside, feed)
        nurseries = begun_nurseries(hands(waiting) - len(head_start.under_way))
        make = _graph(feed)
        order = Order(files, waiting, outside, lambda outside: make(outside).load, nurseries, head_start.under_way)
        if feed.lake is not None:
            results = into_the_lake(order, make, take_all(order, until_the_lake(on_event)), on_event)
        else:
            results = take_all(order, on_event)
        _close_incidents(settings, feed, outside)
        return _as_it_is_now(settings, feed, results)


def _ask_breakers(settings: Settings) -> None:
    """A person asks: a system that was away is tried with the first file, and only with that one if it is away still."""
    breakers, now = Ledger(settings.ledger_dsn).breakers, SystemClock().now()
    for breaker in breakers.open():
        breakers.change(breaker.name, lambda found: asked_for(found, now))


def _close_incidents(settings: Settings, feed: Feed, outside: Outside) -> None:
    """No platform need run for an incident to end with its last file."""
    if Ledger(settings.ledger_dsn).incidents.any_open():
        from shp_assets.build import build_kits
        from shp_assets.proof import prove

        prove(outside, build_kits(Catalogue({feed.feed: feed}, {}, [])))


def _as_it_is_now(settings: Settings, feed: Feed, results: list[FileResult]) -> list[FileResult]:
    """The results with the counts of this moment: a file that came later may have displaced rows of one that came before."""
    from shp_resources.warehouse.counts import present

    displaced = displaced_rows(settings, feed)
    return [replace(result, rows=present(result.rows, displaced.get(result.partition or "", 0))) for result in results]


def _graph(feed: Feed) -> Make:
    """What makes, inside a worker, what takes files; Dagster is imported here, once, after the database answered."""
    from shp_ops.late_imports import import_late, importing

    with importing():
        from shp_assets.build import build_assets, build_kits
        from shp_assets.lost import close_lost
        from shp_ops.ingest.instance import quiet_instance
        from shp_ops.ingest.one import Ingestion

        import_late()
        alone = Catalogue({feed.feed: feed}, {}, [])
        kits = build_kits(alone)

    def make(outside: Outside) -> Ingestion:
        instance = quiet_instance()
        close_lost(instance, kits, outside)
        return Ingestion(kits[feed.feed], build_assets(alone, kits, outside), outside, instance)

    return make
