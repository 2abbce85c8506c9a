"""YAML as feed files use it: the plain types of YAML 1.2, and every problem of a file at once.

The standard loader reads the country code NO as false, 17:00 as 1020, 010 as 8, and takes the last of two equal keys
without a word.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Notes problems instead of stopping at the first."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[str] = []

    def note(self, problem: str, node: yaml.Node) -> None:
        """Remember a problem and where it is."""
        self.problems.append(f"{problem}{_place(node.start_mark)}")


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(loader, key_node)
        if key in found:
            loader.note(f"the key {key!r} stands twice; remove one", key_node)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _key(loader: _Loader, node: yaml.Node) -> str:
    """A key as text; a header such as 2024 is a number for YAML, and nobody knows what it looked like."""
    key: Hashable = loader.construct_object(node, deep=True) if isinstance(node, yaml.ScalarNode) else ""
    if isinstance(key, str) and isinstance(node, yaml.ScalarNode):
        return key
    spelled = node.value if isinstance(node, yaml.ScalarNode) else "…"
    loader.note(f'the key {spelled} is not text for YAML; put quotes around it ("{spelled}")', node)
    return str(spelled)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value)


def _date(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A date, or its text if there is no such day: the model says what is wrong with it."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value


_Loader.yaml_implicit_resolvers = {}
_PLAIN_TYPES = {
    "null": (r"~|null|Null|NULL|", [*"~nN", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?[0-9]{1,4000}", [*"-+0123456789"]),
    "float": (r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", [*"-+.0123456789"]),
    "timestamp": (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", [*"0123456789"]),
}
for _name, (_shape, _first) in _PLAIN_TYPES.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_shape})\Z"), _first)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def read_yaml(text: str) -> tuple[Any, list[str]]:
    """What a text says, and what is wrong with it.

    Args:
        text: YAML.

    Returns:
        The data (None if it could not be made out) and a sentence without full stop per problem.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data(), loader.problems
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        return None, [f"is not valid YAML: {_one_line(error)}"]
    except (RecursionError, ValueError) as error:  # nested without end; a tag such as !!int on what is none
        return None, [f"is not valid YAML: {type(error).__name__}: {str(error)[:100]}"]


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return f"{' '.join(said.split())}{_place(mark) if mark else ''}"


def _place(mark: yaml.Mark) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})"
