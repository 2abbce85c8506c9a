"""The newest arrival that the lake shows. Must not live here: what the lake holds, which its own runs look after."""

from __future__ import annotations

from collections.abc import Iterable

from shp_core.feeds.model import Feed
from shp_core.lake.place import Place
from shp_ops.lake_folders import lake_folders
from shp_resources.lake.manifests import standing


def newest_arrival(place: Place, feeds: Iterable[Feed]) -> int:
    """The highest fence that a manifest names, 0 where there is none.

    Args:
        place: the lake.
        feeds: those whose folders are looked through.

    Raises:
        Fault: the lake failed.
    """
    found = (standing(place, folder) for folder in lake_folders(place, feeds))
    return max((manifest.fence[0] for manifest in found if manifest is not None), default=0)
