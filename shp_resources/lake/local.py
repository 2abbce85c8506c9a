"""A local folder that stands in for HDFS; wherever it shows, it is called what it is."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from uuid import uuid4

from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_core.lake.place import DRAFT, Entry, require_path
from shp_resources.durable import sync


class LocalFolder:
    """The lake in a folder of this machine.

    Args:
        root: the folder; made when something is put there.
    """

    stands_in = True

    def __init__(self, root: Path) -> None:
        self._root = root
        self.label = f"local folder {root}"

    def absolute(self, path: str) -> Path:
        """A path of the lake on this machine.

        Raises:
            ValueError: it is none.
        """
        return self._root / require_path(path)

    def put(self, source: Path, path: str) -> None:
        """Publish a file: a synced copy under a hidden name, renamed over what is there.

        Raises:
            Fault: the disk failed; what was under the path is there as it was.
        """
        target = self.absolute(path)
        draft = target.with_name(f".{target.name}.{uuid4().hex}{DRAFT}")
        with _disk(f"writing {target}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(source, draft)
                sync(draft)
                draft.replace(target)
                sync(target.parent)
            finally:
                draft.unlink(missing_ok=True)

    def read(self, path: str) -> bytes | None:
        """The content of a small file, None when there is none."""
        source = self.absolute(path)
        with _disk(f"reading {source}"):
            return source.read_bytes() if source.is_file() else None

    def fetch(self, path: str, target: Path) -> str:
        """Copy a file out of the folder; returns the SHA-256 of what came."""
        with _disk(f"reading {path}"):
            shutil.copyfile(self.absolute(path), target)
            with target.open("rb") as file:
                return file_digest(file, "sha256").hexdigest()

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, by name; empty when there is no such folder."""
        source = self.absolute(folder)
        with _disk(f"listing {source}"):
            return sorted(map(_entry, source.iterdir()), key=lambda entry: entry.name) if source.is_dir() else []

    def move_folder(self, source: str, target: str) -> None:
        """Rename a folder into a name that is free.

        Raises:
            Fault: the disk failed, or the name is taken.
        """
        before, after = self.absolute(source), self.absolute(target)
        with _disk(f"moving {before}"):
            if after.exists():
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
            after.parent.mkdir(parents=True, exist_ok=True)
            before.rename(after)

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all it holds; nothing happens when there is none."""
        target = self.absolute(path)
        with _disk(f"removing {target}"):
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)


@contextmanager
def _disk(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        evidence = Evidence("lake", errno=error.errno, text=f"{type(error).__name__}: {error.strerror}")
        raise Fault(classify(evidence), f"The lake's folder failed while {doing}: {error.strerror}.", evidence) from error


def _entry(path: Path) -> Entry:
    known = path.stat()
    folder = path.is_dir()
    return Entry(path.name, folder, 0 if folder else known.st_size, known.st_mtime)
