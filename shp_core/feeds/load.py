"""Loading feed and mart files: all errors of all files at once, and one broken file never takes the others down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shp_core.errors import FeedFilesError
from shp_core.feeds.marts import Mart
from shp_core.feeds.model import Feed
from shp_core.feeds.parse import Model, read_mapping, validated


@dataclass(frozen=True)
class Catalogue:
    """What a folder of feed files says.

    Args:
        feeds: the good feeds by name, in order of names.
        marts: the good marts by name, in order of names.
        errors: one sentence per error, each with file and path.
    """

    feeds: dict[str, Feed]
    marts: dict[str, Mart]
    errors: list[str]

    def require_sound(self) -> Catalogue:
        """This catalogue, if no file has an error.

        Raises:
            FeedFilesError: with all errors of all files.
        """
        if self.errors:
            raise FeedFilesError(self.errors)
        return self


def load_catalogue(feeds: Path, marts: Path | None = None, last_good: Path | None = None) -> Catalogue:
    """Read every `*.yaml` of the two folders.

    Args:
        feeds: folder of feed files.
        marts: folder of mart files, if there is one.
        last_good: folder with copies of the files as they last were sound, in folders of the same names: they are in force
            where a file is broken, and its errors are told all the same.

    Returns:
        What is good, and every error of every file.
    """
    errors: list[str] = []
    good_feeds = _load_folder(feeds, Feed, "feed", errors, last_good)
    _drop(good_feeds, feeds.name, _places_taken(good_feeds), errors)
    good_marts = _load_folder(marts, Mart, "mart", errors, last_good) if marts is not None and marts.is_dir() else {}
    if marts is not None:
        _drop(good_marts, marts.name, {name: mart.problems(good_feeds) for name, mart in good_marts.items()}, errors)
    return Catalogue(good_feeds, good_marts, errors)


def _drop(loaded: dict[str, Any], folder: str, problems: dict[str, list[str]], errors: list[str]) -> None:
    for name, sentences_ in problems.items():
        if sentences_:
            errors.extend(f"{folder}/{name}.yaml: {sentence}" for sentence in sentences_)
            del loaded[name]


def _places_taken(feeds: dict[str, Feed]) -> dict[str, list[str]]:
    """By feed, what another one (earlier in order of names) already claims: two feeds never share a table or a folder."""
    owners: dict[str, str] = {}
    problems: dict[str, list[str]] = {}
    for name, feed in feeds.items():
        for key, place in _claims(feed):
            other = owners.setdefault(f"{key} {place}", name)
            if other != name:
                problems.setdefault(name, []).append(f"{key}: {place!r} is already taken by feed {other!r}; choose another.")
    return problems


def _claims(feed: Feed) -> Iterator[tuple[str, str]]:
    yield "sinks.warehouse.table", feed.table
    yield "sinks.warehouse.table", f"{feed.table}_filled"
    if feed.sinks is not None and feed.sinks.lake is not None:
        yield "sinks.lake.path", feed.sinks.lake.path


def _load_folder(folder: Path, model: type[Model], name_key: str, errors: list[str], last_good: Path | None) -> dict[str, Model]:
    loaded: dict[str, Model] = {}
    if not folder.is_dir():
        errors.append(f"{folder.name}/: the folder is missing; make it and put one YAML file per {name_key} into it.")
        return loaded
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")):
        item = parse_file(path, model, name_key, errors) or _last_good(path, model, name_key, last_good)
        if item is not None:
            loaded[path.stem] = item
    return loaded


def _last_good(path: Path, model: type[Model], name_key: str, last_good: Path | None) -> Model | None:
    copy = last_good / path.parent.name / path.name if last_good is not None else None
    return parse_file(copy, model, name_key, []) if copy is not None and copy.is_file() else None


def parse_file(path: Path, model: type[Model], name_key: str, errors: list[str]) -> Model | None:
    """Read one file; on errors add a sentence each to `errors` and return None."""
    found: list[str] = []
    item = _parse(path, model, name_key, found)
    errors.extend(f"{path.parent.name}/{path.name}: {sentence}" for sentence in found)
    return item if not found else None


def _parse(path: Path, model: type[Model], name_key: str, found: list[str]) -> Model | None:
    if path.suffix != ".yaml":
        found.append(f"is not read under this name; call it {path.stem}.yaml.")
    data = read_mapping(path, f"{name_key}: {path.stem}", found)
    if data is None:
        return None
    name = data.get(name_key)
    if isinstance(name, str) and name != path.stem:
        found.append(f"{name_key}: is {name!r}, but the file is called {path.stem!r}; make them the same.")
    return validated(data, model, found)
