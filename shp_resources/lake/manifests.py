"""Manifests on their way in and out of the lake: what stands, who may replace it, one rename."""

from __future__ import annotations

from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.manifest import MANIFEST, Manifest
from shp_core.lake.place import Place


def standing(place: Place, folder: str) -> Manifest | None:
    """What a folder's readers follow now; None when nothing is published, or what is there cannot be read.

    Args:
        place: the lake.
        folder: a partition's folder.
    """
    text = place.read(f"{folder}/{MANIFEST}")
    try:
        return None if text is None else Manifest.from_json(text.decode("utf-8"))
    except ValueError:  # somebody else's file; it is replaced
        return None


def is_whole(place: Place, folder: str, manifest: Manifest) -> bool:
    """Whether every file that a manifest names is there, with its length."""
    sizes = {entry.name: entry.size for entry in place.entries(f"{folder}/{manifest.directory}")}
    return all(sizes.get(file.name) == file.bytes for file in manifest.files)


def give_way(manifest: Manifest | None, fence: tuple[int, int], folder: str) -> None:
    """Refuse to go on when a newer arrival or attempt is published; leases in the ledger keep two from being at it at once.

    Raises:
        Fault: `superseded`.
    """
    if manifest is not None and manifest.fence > fence:
        text = f"A newer arrival is published in {folder}; arrival {fence[0]}, attempt {fence[1]} gave way."
        raise Fault(Code.SUPERSEDED, text, Evidence("lake", text=text))


def make_current(place: Place, folder: str, manifest: Manifest, scratch: Path) -> None:
    """Let readers follow this manifest from now on.

    Args:
        place: the lake.
        folder: a partition's folder.
        manifest: names files that are whole and in their place.
        scratch: a folder of this run's own.
    """
    draft = scratch / MANIFEST
    draft.write_text(manifest.to_json(), encoding="utf-8")
    place.put(draft, f"{folder}/{MANIFEST}")


def withdraw(place: Place, folder: str) -> None:
    """Let readers follow nothing in a folder; its files stay for who is reading them."""
    place.remove(f"{folder}/{MANIFEST}")
