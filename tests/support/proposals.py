"""Samples from Python rows, and what is proposed for them; without any file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shp_core.feeds.model import Feed
from shp_core.feeds.parse import validated
from shp_core.feeds.yamltext import read_yaml
from shp_core.proposing.decide import Answers, Decision, decide, questions
from shp_core.proposing.sample import SheetSample
from shp_core.proposing.text import Proposal

Value = str | int | float | bool | None | tuple[str, str]
"""A text, a number, a boolean, a blank, or a cell as its kind letter and text."""


def sheet_of(rows: Sequence[Sequence[Value]], header: int | None = None) -> SheetSample:
    """A sheet with these rows, from row 1 on."""
    sheet = SheetSample("Sheet1", header)
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            if value is not None:
                sheet.hear(number, column, *_cell(value))
    sheet.end()
    return sheet


def _cell(value: Any) -> tuple[str, str]:
    if isinstance(value, tuple):
        return value  # type: ignore[return-value]
    if isinstance(value, bool):
        return "b", str(value).upper()
    return ("s", value) if isinstance(value, str) else ("n", repr(value))


def column_of(*values: Value, answers: Answers | None = None) -> dict[str, Any]:
    """What is proposed for a column `A` with these cells; there is a column `B` that is never blank."""
    return decided([["A", "B"], *([value, "x"] for value in values)], answers).columns[0].keys


def decided(rows: Sequence[Sequence[Value]], answers: Answers | None = None) -> Decision:
    """What is decided about a sheet with these rows; nothing may be open."""
    sheet, given = sheet_of(rows), answers or Answers()
    assert questions(sheet, given) == []
    return decide(sheet, given)


def open_questions(*values: Value, answers: Answers | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """What is asked about a column `A` with these cells."""
    sheet = sheet_of([["A", "B"], *([value, "x"] for value in values)])
    return [(question.about, question.columns) for question in questions(sheet, answers or Answers())]


def feed_in(text: str) -> Feed:
    """The feed that a file's text describes, which has no error."""
    data, problems = read_yaml(text)
    feed = validated(data, Feed, problems)
    assert (problems, feed is not None) == ([], True), text
    assert feed is not None
    return feed


def file_for(rows: Sequence[Sequence[Value]], name: str = "things", **more: Any) -> str:
    """The text proposed for a sheet with these rows."""
    source = {"match": "*.xlsx", "sheet": 1, "header": 1}
    return Proposal(name, f"team:{name}", "a.xlsx", len(rows) - 1, source, decided(rows), **more).text
