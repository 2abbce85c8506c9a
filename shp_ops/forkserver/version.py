"""Whether what was imported is still what lies on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import shp_ops
from shp_resources.settings import Settings

_PACKAGES = ("shp_core", "shp_resources", "shp_assets", "shp_sensors", "shp_ops")


def version_on_disk(settings: Settings) -> str:
    """A hash over names, sizes and times of all code and feed files; it changes when any of them does."""
    marks = sha256()
    for path in _files(settings):
        try:
            status = path.stat()
        except FileNotFoundError:  # gone since the folder was listed
            continue
        marks.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return marks.hexdigest()[:16]


def _files(settings: Settings) -> Iterator[Path]:
    root = Path(shp_ops.__file__).parent.parent
    for package in _PACKAGES:
        yield from sorted((root / package).rglob("*.py"))
    for folder in (settings.feeds, settings.marts):
        yield from sorted(folder.glob("*.yaml"))
    yield settings.platform_file
