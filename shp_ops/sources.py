"""Remote sources as commands see them: what an address answers now, and a file brought here to be looked into.

Must not live here: arrivals; a command that asks changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shp_core.errors import ShpError, UsageError
from shp_core.expectations.periods import begins, spelled
from shp_core.feeds.model import Feed
from shp_core.feeds.origin import Origin, uri_problem
from shp_core.feeds.platform import load_platform
from shp_core.limits import Limits
from shp_resources.settings import Settings

_REMOTE = ("http://", "https://", "s3://", "sftp://", "hdfs://")


def is_remote(text: str) -> bool:
    """Whether a word of a command line is an address, and no path."""
    return text.startswith(_REMOTE)


def require_names(words: Sequence[str]) -> None:
    """A word without a character stands for the folder that one is in, and nobody means that: a variable of a script is unset.

    Raises:
        UsageError: there is such a word.
    """
    if "" in words:
        raise UsageError("One of the paths is empty.", "Name a file or a folder (`.` for this one); is a variable of your script unset?")


def with_patience(settings: Settings) -> Settings:
    """The settings, with the deadlines of remote sources that `shp.yaml` sets."""
    said = load_platform(settings.platform_file).sources.model_dump()
    return replace(settings, sources=replace(settings.sources, **said))


def ask(settings: Settings, feeds: Mapping[str, Feed]) -> list[dict[str, Any]]:
    """Ask every address of every feed what is there.

    Args:
        settings: the installation.
        feeds: its feeds.

    Returns:
        For each address: feed, uri, whether it is a fallback, whether it answered, how many files are there, and why not.
    """
    settings = with_patience(settings)
    return [
        {"feed": name, "uri": origin.uri, "fallback": level > 0, **_ask(settings, feed, origin)}
        for name, feed in feeds.items()
        for level, origin in enumerate(feed.source.origins)
    ]


def _ask(settings: Settings, feed: Feed, origin: Origin) -> dict[str, Any]:
    from shp_resources.sources.opening import open_source

    try:
        found = open_source(_newest(feed, origin), settings.sources, feed.source.match).look()
    except ShpError as error:
        return {"ok": False, "files": 0, "code": str(error.code), "message": error.message}
    return {"ok": True, "files": len(found), "code": None, "message": None}


def _newest(feed: Feed, origin: Origin) -> Origin:
    """The address itself, or that of the newest period."""
    if not origin.by_period:
        return origin
    newest = [*begins(feed.partition, datetime.now(UTC))][-1:]
    return origin.at(spelled(feed.partition, newest[0])) if newest else origin


@contextmanager
def brought_here(settings: Settings, words: Sequence[str], limits: Limits) -> Iterator[list[Path]]:
    """The files that words of a command line name; what lies elsewhere is fetched, and gone afterwards.

    Raises:
        UsageError: a word looks like an address and is none.
        Refusal: a file is too large.
        Fault: a source failed.
    """
    with TemporaryDirectory(prefix="shp-fetched-") as folder:
        yield [_path(with_patience(settings), word, Path(folder) / str(place), limits) for place, word in enumerate(words)]


def _path(settings: Settings, word: str, folder: Path, limits: Limits) -> Path:
    if not is_remote(word):
        return Path(word)
    from shp_resources.sources.download import Download, download
    from shp_resources.sources.opening import open_source

    problem = uri_problem(word)
    if problem or word.endswith("/"):
        raise UsageError(f"The address {problem or 'is a folder'}.", "Name one file, such as https://host/prices.xlsx")
    origin = Origin(word)
    came = download(open_source(origin, settings.sources), word, Download.of(folder, word), limits, settings.sources.fetch_seconds)
    return came.rename(folder / (origin.name or "file"))
