"""YAML as feed files use it: no surprises from YAML 1.1, every problem with its place."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.feeds.yamltext import read_yaml


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("FALSE", False),
        ("17:00", "17:00"),
        ("07:00", "07:00"),
        ("010", 10),
        ("-5", -5),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("2026-01-31", date(2026, 1, 31)),
        ("2026-02-30", "2026-02-30"),
        ("2026-01-31 10:00:00", "2026-01-31 10:00:00"),
        ("'2026-01-31'", "2026-01-31"),
        ('"5"', "5"),
        ("", None),
        ("~", None),
        ("null", None),
        ("[NO, SE, 1, 1.5, ~]", ["NO", "SE", 1, 1.5, None]),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_plain_values(spelled: str, value: Any) -> None:
    """The country code NO stays NO and 17:00 stays a time: people write what they mean."""
    assert read_yaml(f"a: {spelled}") == ({"a": value}, [])


def test_every_doubled_key_is_told_with_its_line() -> None:
    """A column that stands twice is not silently replaced by its second description."""
    data, problems = read_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert problems == [
        "the key 'c' stands twice; remove one (line 2, column 11)",
        "the key 'a' stands twice; remove one (line 3, column 1)",
    ]
    assert data == {"a": 3, "b": {"c": 2}}


@pytest.mark.parametrize(
    ("key", "quoted"), [("2024", '"2024"'), ("true", '"true"'), ("~", '"~"'), ("007", '"007"'), ("2026-01-31", '"2026-01-31"')]
)
def test_keys_that_are_not_text(key: str, quoted: str) -> None:
    """A header that looks like a number is asked to be quoted, because 007 and 7 are different headers."""
    _, problems = read_yaml(f"{key}: x")
    assert problems == [f"the key {key} is not text for YAML; put quotes around it ({quoted}) (line 1, column 1)"]


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: b: c",
        "\ta: 1",
        "a: *nobody",
        "a: &x [*x]",
        "a: 1\n---\nb: 2",
        "a: \x07",
        "!!python/name:os.system",
        "a: !!int x",
        "[" * 3000,
    ],
)
def test_what_is_no_yaml_is_told(text: str) -> None:
    """A broken file is a message, never a crash and never code that runs."""
    data, (problem,) = read_yaml(text)
    assert data is None
    assert problem.startswith("is not valid YAML: ")
    assert "\n" not in problem
    assert len(problem) < 300


def test_a_key_that_is_a_list() -> None:
    """Even odd YAML gives a message with its line."""
    _, problems = read_yaml("? [a, b]\n: 1\n")
    assert len(problems) == 1
    assert "line 1" in problems[0]


def test_anchors_and_a_byte_order_mark() -> None:
    """Ordinary YAML conveniences work."""
    assert read_yaml("\ufeffa: &x {t: 1}\nb: *x") == ({"a": {"t": 1}, "b": {"t": 1}}, [])


@given(st.text(max_size=60))
def test_no_text_crashes(text: str) -> None:
    """Whatever a file holds, loading it gives data or problems."""
    _, problems = read_yaml(text)
    assert all(isinstance(problem, str) and problem for problem in problems)
