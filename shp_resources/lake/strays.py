"""What killed processes left in the lake: hidden drafts, attempts, and publications that no manifest names any more."""

from __future__ import annotations

from shp_core.lake.manifest import MANIFEST, Manifest
from shp_core.lake.place import DRAFT, Place

GRACE_SECONDS = 24 * 3600.0
"""How long a superseded publication stays for who is reading it."""

ATTEMPT = "_attempt-"
"""What the name of a directory begins with while a job writes into it."""


def sweep_partition(place: Place, folder: str, now: float) -> list[str]:
    """Remove what is older than the grace and does not count.

    Args:
        place: the lake.
        folder: a partition's folder.
        now: seconds since 1970.

    Returns:
        The names that were removed.
    """
    current = _current(place, folder)
    old = [entry for entry in place.entries(folder) if entry.changed_at < now - GRACE_SECONDS]
    strays = [entry.name for entry in old if _is_stray(entry.name, entry.is_folder, current)]
    for name in strays:
        place.remove(f"{folder}/{name}")
    return strays


def _current(place: Place, folder: str) -> str | None:
    """The directory that counts; None when nothing is published, and then no directory is touched."""
    text = place.read(f"{folder}/{MANIFEST}")
    return Manifest.from_json(text.decode("utf-8")).directory if text is not None else None


def _is_stray(name: str, is_folder: bool, current: str | None) -> bool:
    if name.startswith(ATTEMPT) or (name.startswith(".") and name.endswith(DRAFT)):
        return True
    return is_folder and current is not None and name != current
