"""Loading feed and mart files: all errors of all files at once, and one broken file never takes the others down."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from shp_core.errors import FeedFilesError
from shp_core.feeds.marts import Mart
from shp_core.feeds.model import Feed, Strict

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


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error (the standard loader silently takes the last)."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


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
    tables: dict[str, str] = {}
    for name, feed in list(good_feeds.items()):
        other = tables.setdefault(feed.table, name)
        if other != name:
            errors.append(
                f"feeds/{name}.yaml: sinks.warehouse.table: {feed.table!r} is already the table of feed {other!r}; choose another."
            )
            del good_feeds[name]
    good_marts = _load_folder(marts, Mart, "mart", errors) if marts is not None and marts.is_dir() else {}
    for name, mart in list(good_marts.items()):
        problems = mart.problems(good_feeds)
        if problems:
            errors.extend(f"marts/{name}.yaml: {problem}" for problem in problems)
            del good_marts[name]
    return Catalogue(good_feeds, good_marts, errors)


def _load_folder(folder: Path, model: type[Model], name_key: str, errors: list[str]) -> dict[str, Model]:
    loaded: dict[str, Model] = {}
    if not folder.is_dir():
        errors.append(f"{folder.name}/: the folder is missing; make it and put one YAML file per {name_key} into it.")
        return loaded
    for path in sorted(folder.glob("*.yaml")):
        item = parse_file(path, model, name_key, errors)
        if item is not None:
            loaded[path.stem] = item
    return loaded


def parse_file(path: Path, model: type[Model], name_key: str, errors: list[str]) -> Model | None:
    """Read one file; on errors add a sentence each to `errors` and return None."""
    label = f"{path.parent.name}/{path.name}"
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (OSError, UnicodeDecodeError) as error:
        errors.append(f"{label}: cannot be read as UTF-8 text ({error}).")
        return None
    except yaml.YAMLError as error:
        errors.append(f"{label}: is not valid YAML: {_one_line(error)}.")
        return None
    if not isinstance(data, dict):
        errors.append(f"{label}: must be a mapping such as `{name_key}: {path.stem}`.")
        return None
    return _validate(label, path.stem, data, model, name_key, errors)


def _validate(label: str, stem: str, data: dict[str, Any], model: type[Model], name_key: str, errors: list[str]) -> Model | None:
    try:
        item = model.model_validate(data)
    except ValidationError as error:
        errors.extend(f"{label}: {_sentence(problem)}" for problem in error.errors())
        return None
    if getattr(item, name_key) != stem:
        errors.append(f"{label}: {name_key}: is {getattr(item, name_key)!r}, but the file is called {stem!r}; make them the same.")
        return None
    return item


_ADVICE = {
    "extra_forbidden": "is not a known key here; remove it or correct its spelling",
    "missing": "is missing; add it",
}


def _sentence(problem: Any) -> str:
    """One error of pydantic as `path: what to write instead`."""
    where = ".".join(str(part).rstrip("_") if isinstance(part, str) and part else repr(part) for part in problem["loc"])
    message = _ADVICE.get(problem["type"]) or problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if problem["type"] not in ("extra_forbidden", "missing", "value_error"):
        message += f", not {str(problem.get('input'))[:60]!r}"
    return f"{where}: {message}." if where else f"{message}."


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{getattr(error, 'problem', None) or error}{place}"
