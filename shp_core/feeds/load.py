"""Loading feed and mart files: all errors of all files at once, and one broken file never takes the others down."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from shp_core.errors import FeedFilesError
from shp_core.feeds.base import Strict
from shp_core.feeds.marts import Mart
from shp_core.feeds.messages import sentences
from shp_core.feeds.model import Feed
from shp_core.feeds.yamltext import read_yaml

Model = TypeVar("Model", bound=Strict)


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


def load_catalogue(feeds: Path, marts: Path | None = None) -> Catalogue:
    """Read every `*.yaml` of the two folders.

    Args:
        feeds: folder of feed files.
        marts: folder of mart files, if there is one.

    Returns:
        What is good, and every error of every file.
    """
    errors: list[str] = []
    good_feeds = _load_folder(feeds, Feed, "feed", errors)
    _drop(good_feeds, feeds.name, _places_taken(good_feeds), errors)
    good_marts = _load_folder(marts, Mart, "mart", errors) if marts is not None and marts.is_dir() else {}
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
    if feed.sinks is None or feed.sinks.warehouse is not None:
        yield "sinks.warehouse.table", feed.table
        yield "sinks.warehouse.table", f"{feed.table}_filled"
    if feed.sinks is not None and feed.sinks.lake is not None:
        yield "sinks.lake.path", feed.sinks.lake.path


def _load_folder(folder: Path, model: type[Model], name_key: str, errors: list[str]) -> dict[str, Model]:
    loaded: dict[str, Model] = {}
    if not folder.is_dir():
        errors.append(f"{folder.name}/: the folder is missing; make it and put one YAML file per {name_key} into it.")
        return loaded
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")):
        item = parse_file(path, model, name_key, errors)
        if item is not None:
            loaded[path.stem] = item
    return loaded


def parse_file(path: Path, model: type[Model], name_key: str, errors: list[str]) -> Model | None:
    """Read one file; on errors add a sentence each to `errors` and return None."""
    found: list[str] = []
    item = _parse(path, model, name_key, found)
    errors.extend(f"{path.parent.name}/{path.name}: {sentence}" for sentence in found)
    return item if not found else None


def _parse(path: Path, model: type[Model], name_key: str, found: list[str]) -> Model | None:
    if path.suffix != ".yaml":
        found.append(f"is not read under this name; call it {path.stem}.yaml.")
    try:
        data, problems = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        found.append(f"cannot be read as UTF-8 text ({error}).")
        return None
    found.extend(f"{problem}." for problem in problems)
    if not isinstance(data, dict):
        if not problems:
            found.append(f"must be a mapping such as `{name_key}: {path.stem}`.")
        return None
    name = data.get(name_key)
    if isinstance(name, str) and name != path.stem:
        found.append(f"{name_key}: is {name!r}, but the file is called {path.stem!r}; make them the same.")
    return _validated(data, model, found)


def _validated(data: dict[str, Any], model: type[Model], found: list[str]) -> Model | None:
    """The model; errors that hide others (pydantic judges the whole only when its parts are sound) are mended and told too."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors()
    found.extend(sentence for problem in problems for sentence in sentences(problem, model) if sentence not in found)
    mended = deepcopy(data)
    if all(_mend(mended, problem["loc"]) for problem in problems) and mended != data:
        _validated(mended, model, found)
    return None


def _mend(data: dict[str, Any], path: tuple[int | str, ...]) -> bool:
    """Put something sound where an error is, so that what it hides is seen; whether that was possible."""
    if path[:1] == ("columns",) and len(path) > 1:
        _mend_column(data["columns"], path)
        return True
    if not path or path[0] in _IRREPLACEABLE:
        return False
    key = str(path[0])
    data.pop(key, None)
    data.update({key: _PLACEHOLDERS[key]} if key in _PLACEHOLDERS else {})
    return True


_IRREPLACEABLE = ("columns", "mart", "from", "group_by")
_PLACEHOLDERS = {"feed": "placeholder", "owner": "team:placeholder"}


def _mend_column(columns: dict[str, Any], path: tuple[int | str, ...]) -> None:
    header, key = str(path[1]), str(path[2]) if len(path) > 2 else ""
    described = columns.get(header)
    if not isinstance(described, dict):
        columns[header] = {"type": "text"}
    elif key in ("", "type", "ignore"):
        columns[header] = {"type": "text", **{key: described[key] for key in ("name", "optional") if key in described}}
    else:
        described.pop(key, None)
