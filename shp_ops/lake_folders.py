"""Every partition's folders in the lake, found by looking. Must not live here: what lies in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shp_core.feeds.model import Feed
from shp_core.lake.place import Place

_ROOTS = ("lake", "curated", "rejects")
_PARTITION = "partition="


def lake_folders(place: Place, feeds: Iterable[Feed]) -> Iterator[str]:
    """The partitions' folders: of text rows, of clean rows, of rejects.

    Args:
        place: the lake.
        feeds: those that are looked for.

    Raises:
        Fault: the lake failed.
    """
    for path in [path for feed in feeds if (path := feed.lake) is not None]:
        for folder in [f"{root}/{path}" for root in _ROOTS]:
            for entry in place.entries(folder):
                if entry.is_folder and entry.name.startswith(_PARTITION):
                    yield f"{folder}/{entry.name}"
