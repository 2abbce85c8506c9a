"""A folder elsewhere on this machine, or a file: the drop folder's way, at another place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from shp_core.feeds.origin import Origin
from shp_resources.durable import sync
from shp_resources.landing import Seen, look, path_of, sight
from shp_resources.sources.protocol import PIECE, Stream, moving, told


class FolderSource:
    """A folder of this machine, or a file.

    Args:
        origin: its address.
        match: which of a folder's files count.
    """

    def __init__(self, origin: Origin, match: str) -> None:
        self.system = origin.system
        self._path, self._is_folder, self._match = path_of(origin.uri), origin.is_folder, match

    def look(self) -> list[Seen]:
        """The files as they lie there."""
        return look(self._path, self._match) if self._is_folder else [sight(self._path)]

    @contextmanager
    def open(self, uri: str, version: str = "", start: int = 0) -> Iterator[Stream]:
        """The bytes from the beginning; a run copies such a file by `intake`, which is stricter."""
        path = path_of(uri)
        before = sight(path).source
        with told(self.system, "reading"), path.open("rb") as file:
            yield Stream("", 0, before.size, iter(lambda: file.read(PIECE), b""))
        if sight(path).source != before:
            raise moving(self.system, before.name)

    def size(self, name: str) -> int:
        """Bytes of a file in the folder."""
        return sight(self._path / name).source.size

    def keep(self, name: str, path: Path) -> None:
        """Put a file into the folder: copied aside, brought to the disk, renamed."""
        draft = self._path / f".{name}.{uuid4().hex[:8]}"
        with told(self.system, "keeping"):
            try:
                shutil.copyfile(path, draft)
                sync(draft)
                draft.rename(self._path / name)
                sync(self._path)
            finally:
                draft.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Take a file away."""
        with told(self.system, "removing"):
            (self._path / name).unlink(missing_ok=True)
