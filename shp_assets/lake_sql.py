"""SQL over the lake follows what stands there; what Hive missed while it was away follows when it answers again.

It is no sink: its failure is told, and holds nothing up.
"""

from __future__ import annotations

from collections.abc import Iterator

from shp_assets.kit import FeedKit
from shp_assets.lake_work import LakeWork
from shp_core.errors import Fault, UsageError
from shp_core.lake.manifest import Manifest
from shp_resources.hdfs.client import Hdfs
from shp_resources.hive import HiveTables, Missed, hive_of
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import curated_folder
from shp_resources.outside import Outside

_MOST = 50
"""How many partitions follow at a look; the next one goes on."""

_SECONDS = 10.0
"""How long a look waits for each answer."""


def show_by_sql(work: LakeWork, manifest: Manifest) -> dict[str, str]:
    """Let Hive's table follow what stands.

    Returns:
        What the UI shows of it; empty where there is no Hive over HDFS.
    """
    assert work.kit.lake is not None, "only feeds with a lake have these steps"
    missed, place = Missed(work.outside.settings.home, work.kit.name), work.outside.lake
    try:
        server = hive_of(work.outside.settings)
        if server is None or not isinstance(place, Hdfs):
            return {}
        shown = HiveTables(server, place).follow(work.kit.contract, work.kit.lake, manifest)
    except (Fault, UsageError) as error:
        missed.note(work.partition)
        return {"sql_table_behind": f"{error} The table follows once Hive answers."}
    missed.forget(work.partition)
    return {"sql_table": shown}


def catch_up(outside: Outside, kit: FeedKit) -> list[str]:
    """Let Hive follow the partitions of a feed that it missed.

    Returns:
        Those that it shows now.

    Raises:
        Fault: Hive or HDFS failed.
    """
    missed, place = Missed(outside.settings.home, kit.name), outside.lake
    waiting = missed.all()[:_MOST]
    if not waiting or kit.lake is None or not isinstance(place, Hdfs):
        return []
    try:
        return list(_followed(outside, kit, place, missed, waiting))
    except UsageError:  # an address that is none, a client that is not installed: the metadata and `shp status` say so
        return []


def _followed(outside: Outside, kit: FeedKit, place: Hdfs, missed: Missed, waiting: list[str]) -> Iterator[str]:
    server = hive_of(outside.settings)
    if server is None:
        return
    for partition in waiting:
        _follow(HiveTables(server, place, _SECONDS), place, kit, partition)
        missed.forget(partition)
        yield partition


def _follow(tables: HiveTables, place: Hdfs, kit: FeedKit, partition: str) -> None:
    """Show what stands of a partition, and what a run meanwhile let stand instead: Hive would go on showing what is superseded."""
    assert kit.lake is not None
    folder = curated_folder(kit.lake, partition)
    manifest = standing(place, folder)
    _show(tables, kit, partition, manifest)
    if standing(place, folder) != manifest:
        _follow(tables, place, kit, partition)


def _show(tables: HiveTables, kit: FeedKit, partition: str, manifest: Manifest | None) -> None:
    """One that has other columns than the feed's contract comes back when it is redone."""
    assert kit.lake is not None
    if manifest is None:
        tables.leave(kit.contract, partition)
    elif manifest.columns == (*kit.contract.names, "_row"):
        tables.follow(kit.contract, kit.lake, manifest)
