"""Guards CONVERTER_VERSION: the same text row must never quietly convert to something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shp_core.contract import reasons
from shp_core.contract.contract import CONVERTER_VERSION
from tests.support import golden


@pytest.fixture(scope="module")
def committed() -> Any:
    """The committed table."""
    return json.loads(golden.PATH.read_text(encoding="utf-8"))


def differences(old: dict[str, dict[str, str]], new: dict[str, dict[str, str]]) -> list[str]:
    """Every conversion that is not what it was, a line each."""
    return [
        f"{column}, cell {cell}: was {was!r}, is {new.get(column, {}).get(cell)!r}"
        for column, cells in old.items()
        for cell, was in cells.items()
        if new.get(column, {}).get(cell) != was
    ]


def test_conversions_change_only_with_the_version(committed: Any) -> None:
    """Published tables and their hashes stay explainable: a changed conversion is always a new converter version."""
    changed = differences(committed["conversions"], golden.table())
    if committed["converter_version"] == CONVERTER_VERSION:
        assert not changed, "raise CONVERTER_VERSION, then run: python -m tests.support.golden\n" + "\n".join(changed[:20])


def test_the_table_is_of_the_present_version(committed: Any) -> None:
    """After the version was raised the table guards the new meaning, not the old one."""
    assert committed["converter_version"] == CONVERTER_VERSION, "run: python -m tests.support.golden"
    assert committed["conversions"] == golden.table(), "cells were added to the table; run: python -m tests.support.golden"


def test_the_table_tells_a_change() -> None:
    """The guard itself works: one changed field is named."""
    now = golden.table()
    column = "{type: integer} .,"
    changed = {**now, column: {**now[column], 's "00123"': "= 00123"}}
    assert differences(changed, now) == [f"{column}, cell s \"00123\": was '= 00123', is '= 123'"]


def test_the_table_covers_every_reason() -> None:
    """Every way in which a single cell can fail is in the table."""
    outcomes = " ".join(outcome for cells in golden.table().values() for outcome in cells.values())
    for reason in (*reasons.TYPE_REASONS, *reasons.RULE_REASONS, reasons.MISSING_VALUE):
        assert reason in outcomes
