"""What killed processes left in the lake: hidden drafts, attempts, and publications that no manifest names any more."""

from __future__ import annotations

import re

from shp_core.lake.manifest import MANIFEST, Manifest
from shp_core.lake.place import DRAFT, Entry, Place

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
    strays = [entry.name for entry in _old(place, folder, now) if _is_stray(entry, current)]
    if current:  # a writer that was cut off may have left a draft beside what a later try of the same attempt put there
        strays += [f"{current}/{entry.name}" for entry in _old(place, f"{folder}/{current}", now) if _is_draft(entry)]
    for name in strays:
        place.remove(f"{folder}/{name}")
    return strays


def sweep_attempts(place: Place, folder: str, now: float) -> None:
    """Remove what jobs for many partitions, whose runs were killed, left beside the partitions' folders.

    Args:
        place: the lake.
        folder: a feed's folder.
        now: seconds since 1970.
    """
    for entry in _old(place, folder, now):
        if entry.name.startswith(ATTEMPT):
            place.remove(f"{folder}/{entry.name}")


def _old(place: Place, folder: str, now: float) -> list[Entry]:
    return [entry for entry in place.entries(folder) if entry.changed_at < now - GRACE_SECONDS]


def _current(place: Place, folder: str) -> str | None:
    """The directory that counts, "" when nothing is published; None when that cannot be told, and then no directory is touched.

    Rejects have no manifest: they belong to the clean rows of the same name.
    """
    text = place.read(f"{re.sub('^rejects/', 'curated/', folder)}/{MANIFEST}")
    try:
        return "" if text is None else Manifest.from_json(text.decode("utf-8")).directory
    except ValueError:
        return None


def _is_stray(entry: Entry, current: str | None) -> bool:
    if entry.name.startswith(ATTEMPT) or _is_draft(entry):
        return True
    return entry.is_folder and current is not None and entry.name != current


def _is_draft(entry: Entry) -> bool:
    return entry.name.startswith(".") and entry.name.endswith(DRAFT)
