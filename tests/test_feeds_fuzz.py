"""Feed files that nobody foresaw: told or accepted, never a crash, and what is accepted can be worked with."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shp_core.contract.compile import compile_contract
from shp_core.contract.typed import typed_schema
from shp_core.contract.witness import frame_schema
from shp_core.errors import Refusal
from shp_core.feeds.load import parse_file
from shp_core.feeds.model import Feed
from tests.support.contracts import ABSENT, converted, text

BASE: dict[str, Any] = {
    "feed": "things",
    "owner": "team:tests",
    "description": "Things.",
    "source": {"match": "*.xlsx", "sheet": 1, "header": 1, "until": "blank"},
    "partition": {"by": "day", "start": date(2026, 1, 1), "due": "07:00", "timezone": "UTC", "many": "newest"},
    "columns": {
        "": {"ignore": True},
        "ID": {"type": "integer", "min": 0, "max": 9, "in": [1, 2], "name": "number"},
        "Name": {"type": "text", "transform": ["upper"], "max_length": 5, "pattern": "[A-Z]*", "pii": True, "description": "Whose."},
        "Day": {"type": "date", "formats": ["%d.%m.%Y"], "min": date(2026, 1, 1)},
        "At": {"type": "timestamp", "optional": True},
        "Paid": {"type": "money", "scale": 2, "precision": 10, "currency": "USD"},
        "Done": {"type": "boolean", "optional": True},
    },
    "numbers": {"decimal": ".", "group": ","},
    "key": ["ID"],
    "prefer": "last",
    "rules": {"max_rejected_share": 0.05, "volume_within": 0.2, "volume": "quarantine", "unknown_columns": "ignore", "allow_empty": True},
    "sinks": {"warehouse": {"table": "things"}, "lake": {"path": "things"}},
}

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=8),
    st.sampled_from(
        ["text", "integer", "decimal", "money", "date", "day", "%d.%m.%Y", "%m/%d/%Y", "[A-Z]+", "(", "a" * 64, "xmin", "USD", "ID", "."]
    ),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("type"), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a structure."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


PATHS = list(paths(BASE))


def changed(path: tuple[Any, ...], value: Any, remove: bool) -> dict[str, Any]:
    """The base with one place changed or removed."""
    data = copy.deepcopy(BASE)
    place: Any = data
    for part in path[:-1]:
        place = place[part]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


def told(data: Any, folder: Path) -> tuple[Feed | None, list[str]]:
    """The feed of a file with this content, and its errors."""
    path = folder / "things.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    errors: list[str] = []
    return parse_file(path, Feed, "feed", errors), errors


def assert_usable(feed: Feed) -> None:
    """An accepted feed can be compiled, and judges rows without a crash."""
    contract = compile_contract(feed)
    assert json.dumps(contract.version)
    assert typed_schema(contract).names[0] == "_row"
    frame_schema(contract)
    for cell in (
        text("1"),
        text("x"),
        ("n", "1.5"),
        ("d", "2026-01-02"),
        ("d", "2026-01-02 10:00:00"),
        ("b", "TRUE"),
        ("e", "#REF!"),
        ABSENT,
    ):
        try:
            converted(contract, [[cell] * len(contract.columns)])
        except Refusal as refusal:
            pytest.fail(f"{refusal.message}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for one file at a time."""
    return tmp_path_factory.mktemp("feeds")


def test_the_base_is_sound(folder: Path) -> None:
    """What the fuzzing starts from is good."""
    feed, errors = told(BASE, folder)
    assert errors == []
    assert feed is not None
    assert_usable(feed)


@given(path=st.sampled_from(PATHS), value=_VALUES, remove=st.booleans())
@example(path=("columns", "At"), value={"\n": None}, remove=False)  # the message had a line break in it
@settings(max_examples=150)
def test_one_odd_value_anywhere(folder: Path, path: tuple[Any, ...], value: Any, remove: bool) -> None:
    """Any value in any place of a feed file is either told in a sentence or can be worked with."""
    feed, errors = told(changed(path, value, remove), folder)
    assert (feed is None) == bool(errors)
    assert len(set(errors)) == len(errors)
    assert all(error.split(": ")[0].endswith("/things.yaml") and error.endswith((".", "?")) and "\n" not in error for error in errors), (
        errors
    )
    if feed is not None:
        assert_usable(feed)


@given(st.sampled_from([path for path in PATHS if path[0] != "feed"]), st.sampled_from([path for path in PATHS if path[0] != "feed"]))
@settings(max_examples=100)
def test_two_wrong_values_are_both_told(folder: Path, first: tuple[Any, ...], second: tuple[Any, ...]) -> None:
    """An error is not hidden by another one in a different part of the file."""
    if first[0] == second[0] and (first[0] != "columns" or len(first) < 2 or len(second) < 2 or first[1] == second[1]):
        return
    wrong = {"odd": ["value"]}
    alone = [set(told(changed(path, wrong, False), folder)[1]) for path in (first, second)]
    both = changed(first, wrong, False)
    place: Any = both
    for part in second[:-1]:
        place = place[part]
    place[second[-1]] = wrong
    _, together = told(both, folder)
    named = [{error for error in errors if _names(error, path)} for errors, path in zip(alone, (first, second), strict=True)]
    if all(len(path) > 1 for path in (first, second)):
        assert all(errors <= set(together) for errors in named), (first, second, together)


def _names(error: str, path: tuple[Any, ...]) -> bool:
    return f": {'.'.join(str(part) or repr(part) for part in path)}" in error


@given(st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_is_told(folder: Path, content: str) -> None:
    """A file that is no feed at all gives at least one sentence."""
    feed, errors = told(content.replace("\r", ""), folder)
    assert feed is None
    assert errors


@given(st.integers(0, 2000), st.sampled_from("\t\0:[]{}'\"&*!|>%@`#-,?\n xé"))
@settings(max_examples=200)
def test_a_slip_of_the_finger(folder: Path, place: int, typed: str) -> None:
    """One wrong character in a good file is told or harmless."""
    whole = yaml.safe_dump(BASE, sort_keys=False)
    place %= len(whole)
    feed, errors = told(whole[:place] + typed + whole[place + 1 :], folder)
    assert (feed is None) == bool(errors)
    if feed is not None:
        assert_usable(feed)
