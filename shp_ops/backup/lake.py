"""The newest arrival that the lake shows. Must not live here: what the lake holds, which its own runs look after."""

from __future__ import annotations

from collections.abc import Iterable

from shp_core.feeds.model import Feed
from shp_core.lake.place import Entry, Place
from shp_resources.lake.manifests import standing

_ROOTS = ("lake", "curated")
_PARTITION = "partition="


def newest_arrival(place: Place, feeds: Iterable[Feed]) -> int:
    """The highest fence that a manifest names, 0 where there is none.

    Args:
        place: the lake.
        feeds: those whose folders are looked through.

    Raises:
        Fault: the lake failed.
    """
    folders = [f"{root}/{path}" for feed in feeds if (path := _path(feed)) is not None for root in _ROOTS]
    found = [_arrival(place, f"{folder}/{entry.name}") for folder in folders for entry in _partitions(place, folder)]
    return max(found, default=0)


def _partitions(place: Place, folder: str) -> list[Entry]:
    return [entry for entry in place.entries(folder) if entry.is_folder and entry.name.startswith(_PARTITION)]


def _arrival(place: Place, folder: str) -> int:
    manifest = standing(place, folder)
    return manifest.fence[0] if manifest is not None else 0


def _path(feed: Feed) -> str | None:
    return feed.sinks.lake.path if feed.sinks is not None and feed.sinks.lake is not None else None
