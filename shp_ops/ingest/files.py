"""From what was named on the command line to files: folders opened, repetitions left out, files of one partition together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from shp_core.errors import Refusal, UsageError
from shp_core.feeds.model import Feed
from shp_core.partitions import partition_key
from shp_resources.landing import look, path_of


def files_of(feed: Feed, paths: Sequence[Path]) -> list[Path]:
    """The files that are meant, in order.

    Args:
        feed: of a folder, those files count that match its `source.match`; a file that is named always counts.
        paths: files and folders.

    Raises:
        UsageError: that is not a single file.
        Fault: a folder cannot be looked into.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _inside(feed, path) if path.is_dir() and not path.is_symlink() else [path]:
            found.setdefault(plainly(file), file)
    if not found:
        raise UsageError(
            f"No file in what was given matches {feed.source.match!r} (source.match of feed {feed.feed}).",
            "Name the files themselves, or correct the feed file.",
        )
    return list(found.values())


def plainly(path: Path) -> Path:
    """The absolute path without `.` and `..`, so that one file is one source however it was named.

    Links to folders stay as they are: the landing folder may be one, and sensors name it as it is configured.
    """
    plain = Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow links
    try:
        return plain if os.path.samestat(plain.lstat(), path.lstat()) else path.absolute()
    except OSError:
        return path.absolute()


def queues(feed: Feed, files: Sequence[Path]) -> list[list[int]]:
    """Indices of files that must be taken one after the other, because they may be of one partition.

    Args:
        feed: the feed.
        files: the files.
    """
    found: dict[str, list[int]] = {}
    for index, file in enumerate(files):
        found.setdefault(_key(feed, file), []).append(index)
    return list(found.values())


def _inside(feed: Feed, folder: Path) -> list[Path]:
    return [folder / path_of(seen.source.uri).name for seen in look(folder, feed.source.match)]


def _key(feed: Feed, file: Path) -> str:
    try:
        return partition_key(feed, file.name)
    except Refusal:
        return f"?{plainly(file)}"
