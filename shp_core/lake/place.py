"""Somewhere that files are published whole: HDFS, or a local folder that stands in for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

DRAFT = ".draft"
"""What a hidden name ends with; Hadoop's readers pass over names that begin with a dot or an underscore."""

_NAME = re.compile(r"[A-Za-z0-9_.=~-]{1,250}")


@dataclass(frozen=True)
class Entry:
    """What a folder of the lake holds under one name.

    Args:
        name: the name.
        is_folder: whether it is a folder.
        size: bytes; 0 for a folder.
        changed_at: last change, in seconds since 1970, by the place's own clock.
    """

    name: str
    is_folder: bool
    size: int
    changed_at: float


class Place(Protocol):
    """Paths are relative to the lake's root, with `/` between their parts.

    Every method raises `Fault` when the place fails; what it failed at is then as it was, or whole.

    Attributes:
        label: how it is called wherever it shows, such as `hdfs http://namenode:9870/shp` or `local folder /srv/lake`.
        stands_in: whether it is no HDFS.
    """

    label: str
    stands_in: bool

    def put(self, source: Path, path: str) -> None:
        """Publish a file under a path, over one that is there: whole, verified, by one rename."""

    def read(self, path: str) -> bytes | None:
        """The content of a small file, None when there is none."""

    def fetch(self, path: str, target: Path) -> str:
        """Copy a file out of the place; returns the SHA-256 of what came."""

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, by name; empty when there is no such folder."""

    def move_folder(self, source: str, target: str) -> None:
        """Rename a folder into a name that is free."""

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all it holds; nothing happens when there is none."""


def require_path(path: str) -> str:
    """A path of the lake, if it is one: sanitised names, nothing that leads elsewhere.

    Raises:
        ValueError: it is none.
    """
    parts = path.split("/")
    if {".", ".."} & set(parts) or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(f"{path[:300]!r} is no path of the lake")
    return path
