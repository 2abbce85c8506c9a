"""From what was named on the command line to files: folders opened, repetitions left out, files of one partition together.

A file lies on this machine (a path) or elsewhere (an address, `Remote`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shp_core.errors import Refusal, UsageError
from shp_core.feeds.model import Feed
from shp_core.feeds.origin import Origin, uri_problem
from shp_core.partitions import partition_key
from shp_resources.landing import look, path_of
from shp_resources.sources.settings import SourceSettings


@dataclass(frozen=True)
class Remote:
    """A file that lies elsewhere.

    Args:
        uri: its address.
    """

    uri: str

    @property
    def name(self) -> str:
        """Its name, as a drop folder would have it."""
        return Origin(self.uri).name

    def __str__(self) -> str:
        """What people gave, or would give."""
        return self.uri


File = Path | Remote


def files_of(feed: Feed, named: Sequence[Path | str], sources: SourceSettings | None = None) -> list[File]:
    """The files that are meant, in order.

    Args:
        feed: of a folder, those files count that match its `source.match`; a file that is named always counts.
        named: files and folders: paths, or addresses as texts.
        sources: credentials and deadlines of the places that addresses name.

    Raises:
        UsageError: that is not a single file, or what looks like an address is none.
        Fault: a folder cannot be looked into.
    """
    found: dict[Path | str, File] = {}
    for word in named:
        for file in _elsewhere(feed, word, sources or SourceSettings()) if isinstance(word, str) else _here(feed, word):
            found.setdefault(plainly(file) if isinstance(file, Path) else file.uri, file)
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


def queues(feed: Feed, files: Sequence[File]) -> list[list[int]]:
    """Indices of files that must be taken one after the other, because they may be of one partition.

    Args:
        feed: the feed.
        files: the files.
    """
    found: dict[str, list[int]] = {}
    for index, file in enumerate(files):
        found.setdefault(_key(feed, file), []).append(index)
    return list(found.values())


def _here(feed: Feed, path: Path) -> list[File]:
    if path.is_dir() and not path.is_symlink():
        return [path / path_of(seen.source.uri).name for seen in look(path, feed.source.match)]
    return [path]


def _elsewhere(feed: Feed, uri: str, sources: SourceSettings) -> list[File]:
    problem = uri_problem(uri)
    if problem is not None:
        raise UsageError(f"The address {problem}.", "Name a file or a folder, such as https://host/prices.xlsx or s3://bucket/orders/")
    origin = Origin(uri)
    if not origin.is_folder:
        return [Remote(uri)]
    from shp_resources.sources.opening import open_source

    return [Remote(seen.source.uri) for seen in open_source(origin, sources, feed.source.match).look()]


def _key(feed: Feed, file: File) -> str:
    try:
        return partition_key(feed, file.name)
    except Refusal:
        return f"?{plainly(file) if isinstance(file, Path) else file}"
