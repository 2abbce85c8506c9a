"""Where backups lie when nobody says where."""

from __future__ import annotations

from pathlib import Path

from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock


def new_place(settings: Settings, word: str = "backup") -> Path:
    """A folder of a name that is not taken, below `SHP_HOME/backups`.

    Args:
        settings: the installation.
        word: what its name begins with.
    """
    name = f"{word}-{SystemClock().now():%Y-%m-%dT%H%M%S}"
    folder = settings.home / "backups"
    taken = sum(1 for _ in folder.glob(f"{name}*"))
    return folder / (f"{name}-{taken}" if taken else name)
