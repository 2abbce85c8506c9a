"""The proof of the lake: what its files hold, read as any reader does, and whether both sinks say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from shp_assets.kit import FeedKit
from shp_core.feeds.model import column_name
from shp_core.lake import sql_table
from shp_core.publishing.dialect import NULL
from shp_resources.hive import HiveServer, query
from shp_resources.lake.agree import sinks_agree
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import Partition, curated_folder
from shp_resources.lake.readback import part_lines
from shp_resources.outside import Outside


def lake_sums(outside: Outside, kit: FeedKit, partitions: Sequence[str], headers: Sequence[str]) -> tuple[int, Decimal]:
    """How many clean rows lie in the lake, and the sum of all their numbers.

    Args:
        outside: the outside systems.
        kit: a feed that declares the lake.
        partitions: the partitions that count.
        headers: the headers of its number columns.
    """
    places = [kit.contract.names.index(column_name(header, kit.feed.columns[header])) for header in headers]
    rows, total = 0, Decimal(0)
    with outside.store.scratch() as scratch:
        for partition in partitions:
            for line in _lines(outside, kit, partition, scratch):
                fields = line.split("\t")
                rows, total = rows + 1, total + sum(Decimal(fields[place]) for place in places if fields[place] != NULL)
    return rows, total


def hive_sums(server: HiveServer, kit: FeedKit, partitions: Sequence[str], headers: Sequence[str]) -> tuple[int, Decimal]:
    """The same as `lake_sums`, by one query of Hive over the feed's view."""
    sums = [f"coalesce(sum(`{column_name(header, kit.feed.columns[header])}`), 0)" for header in headers]
    wanted = ", ".join(f"'{partition}'" for partition in partitions)
    view = sql_table.view_name(server.database, kit.name)
    ((rows, *totals),) = query(server, f"SELECT {', '.join(['count(*)', *sums])} FROM {view} WHERE `{sql_table.PARTITION}` IN ({wanted})")
    return int(rows), sum(map(Decimal, map(str, totals)), Decimal(0))


def agreeing(outside: Outside, kit: FeedKit, partitions: Sequence[str]) -> int:
    """Of how many partitions both sinks hold the same rows, by hashes that are computed in each."""
    assert kit.lake is not None, "only a feed that declares the lake is in it"
    with outside.store.scratch() as scratch:
        asked = [Partition(kit.name, kit.lake, partition, "", (0, 0)) for partition in partitions]
        return sum(sinks_agree(outside.warehouse, kit.target, outside.lake, one, scratch).holds for one in asked)


def _lines(outside: Outside, kit: FeedKit, partition: str, scratch: Path) -> Iterator[str]:
    """A partition's clean rows, found by its manifest."""
    assert kit.lake is not None, "only a feed that declares the lake is in it"
    folder = curated_folder(kit.lake, partition)
    manifest = standing(outside.lake, folder)
    if manifest is not None:
        yield from part_lines(outside.lake, f"{folder}/{manifest.directory}", scratch, [file.name for file in manifest.files])
