"""The repository's own feeds judge the sample workbooks cell by cell; openpyxl reads them, so no reader of ours is involved."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from shp_core.contract.cells import CellJudge
from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract
from shp_core.contract.numbers import Notation
from shp_core.feeds.load import load_catalogue

ROOT = Path(__file__).parent.parent
EXPECTED = json.loads((ROOT / "samples" / "expected.json").read_text(encoding="utf-8"))
FILES = [(feed, name) for feed, facts in EXPECTED.items() for name in facts["files"]]


@cache
def contract(feed: str) -> Contract:
    """The contract of one of the repository's feeds."""
    return compile_contract(load_catalogue(ROOT / "feeds").require_sound().feeds[feed])


@cache
def sheet_rows(feed: str, name: str) -> dict[int, dict[str, Any]]:
    """Sheet row -> header -> openpyxl cell; blank rows left out."""
    of = contract(feed)
    book = openpyxl.load_workbook(ROOT / "samples" / feed / name, data_only=True)
    sheet = book[of.sheet] if isinstance(of.sheet, str) else book.worksheets[of.sheet - 1]
    header = [str(cell.value or "") for cell in sheet[of.header]]
    rows = ((row[0].row, dict(zip(header, row, strict=True))) for row in sheet.iter_rows(min_row=of.header + 1))
    return {number: row for number, row in rows if any(cell.value is not None for cell in row.values())}


def as_text(cell: Any) -> tuple[str, str | None]:
    """A cell's kind letter and text, by the words of the design."""
    if cell is None or cell.value is None:
        return "-", None
    if isinstance(cell.value, datetime):
        midnight = cell.value.time() == datetime.min.time()
        return "d", cell.value.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M:%S")
    if cell.data_type == "n":
        return "n", format(Decimal(repr(cell.value)), "f")
    return cell.data_type, str(cell.value)


def judged(feed: str, name: str) -> Iterator[tuple[int, dict[str, tuple[str, ...]], tuple[str | None, ...]]]:
    """Per row: its number, the reasons by column, the fields."""
    of = contract(feed)
    judges = {column.header: CellJudge(column, Notation(of.decimal, of.group)) for column in of.columns}
    for number, row in sheet_rows(feed, name).items():
        verdicts = {header: judge.judge(*as_text(row.get(header))) for header, judge in judges.items()}
        reasons = {header: verdict.reasons for header, verdict in verdicts.items() if verdict.reasons}
        yield number, reasons, tuple(verdict.field for verdict in verdicts.values())


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_the_feed_rejects_what_expected_json_says(feed: str, name: str) -> None:
    """The demo would reject other rows, or for other reasons, than samples/README.md explains."""
    expected = {
        int(row): (reject["codes"], reject["columns"])
        for row, reject in EXPECTED[feed]["files"][name]["rejects"].items()
        if reject["codes"] != ["duplicate_key"]  # seen by whole files only, below
    }
    found = {
        number: (sorted(code for codes in reasons.values() for code in codes), sorted(reasons))
        for number, reasons, _ in judged(feed, name)
        if reasons
    }
    assert found == expected


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_keys_stand_twice_where_expected_json_says(feed: str, name: str) -> None:
    """The demo would count other duplicates or clashes than samples/README.md explains."""
    of, facts = contract(feed), EXPECTED[feed]["files"][name]
    places = [[column.name for column in of.columns].index(key) for key in of.key]
    rows = {number: fields for number, reasons, fields in judged(feed, name) if not reasons}
    by_key: dict[tuple[str | None, ...], list[int]] = {}
    for number, fields in rows.items():
        by_key.setdefault(tuple(fields[place] for place in places), []).append(number)
    groups = [numbers for numbers in by_key.values() if len(numbers) > 1]
    equal = [numbers for numbers in groups if len({rows[number] for number in numbers}) == 1]
    assert sorted(number for numbers in equal for number in numbers[1:]) == facts["duplicates"]
    clashing = sorted(number for numbers in groups if numbers not in equal for number in numbers)
    assert clashing == sorted(int(row) for row, reject in facts["rejects"].items() if reject["codes"] == ["duplicate_key"])


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_clean_rows_give_the_expected_sums(feed: str, name: str) -> None:
    """The demo's proof by SQL would fail on a platform that works."""
    facts = EXPECTED[feed]["files"][name]
    gone = {int(row) for row in facts["rejects"]} | set(facts["duplicates"])
    clean = [fields for number, _, fields in judged(feed, name) if number not in gone]
    assert len(clean) == facts["clean"]
    headers = [column.header for column in contract(feed).columns]
    for header, wanted in facts["sums"].items():
        assert sum(Decimal(str(fields[headers.index(header)])) for fields in clean) == Decimal(wanted), header


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_defects_stay_within_the_feeds_limits(feed: str, name: str) -> None:
    """A sample would be refused as a whole instead of showing single rejects."""
    rules, facts = contract(feed), EXPECTED[feed]["files"][name]
    assert facts["rejected"] / facts["read"] <= rules.max_rejected_share
    nulls = Counter(reason for _, reasons, _ in judged(feed, name) for reason in reasons.items() if reason[1] == ("missing_value",))
    assert all(count / facts["read"] < (rules.null_share_below or 1) for count in nulls.values())


def test_stock_keys_meet_after_their_transforms() -> None:
    """A warehouse written in small letters would be counted as another warehouse."""
    written = {as_text(row["Warehouse"])[1] for row in sheet_rows("stock", "stock_levels_2026-11-19.xlsx").values()}
    assert "grz " in written
    fields = {fields[0] for _, reasons, fields in judged("stock", "stock_levels_2026-11-19.xlsx") if not reasons}
    assert fields == {"ANR", "GRZ", "LYS", "MMX"}
