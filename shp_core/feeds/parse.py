"""From one file's text to one model: what is wrong is collected as sentences, and nothing hides behind anything else."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from shp_core.feeds.base import Strict
from shp_core.feeds.messages import sentences
from shp_core.feeds.yamltext import read_yaml

Model = TypeVar("Model", bound=Strict)


def read_mapping(path: Path, example: str, found: list[str], *, may_be_empty: bool = False) -> dict[str, Any] | None:
    """The mapping that a YAML file holds.

    Args:
        path: the file.
        example: what such a file might say, for the message when it holds something else.
        found: takes a sentence per problem.
        may_be_empty: whether a file without content stands for an empty mapping.

    Returns:
        The data, None if there is nothing to go on with.
    """
    try:
        data, problems = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        found.append(f"cannot be read as UTF-8 text ({error}).")
        return None
    found.extend(f"{problem}." for problem in problems)
    if data is None and may_be_empty and not problems:
        return {}
    if isinstance(data, dict):
        return data
    if not problems:
        found.append(f"must be a mapping such as `{example}`.")
    return None


def validated(data: dict[str, Any], model: type[Model], found: list[str]) -> Model | None:
    """The model; errors that hide others (pydantic judges the whole only when its parts are sound) are mended and told too."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors()
    found.extend(sentence for problem in problems for sentence in sentences(problem, model) if sentence not in found)
    mended = deepcopy(data)
    if all(_mend(mended, problem["loc"]) for problem in problems) and mended != data:
        validated(mended, model, found)
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
