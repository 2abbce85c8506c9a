"""Shortcuts of the mapper agree with the reference or decline."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import ContractColumn
from shp_core.contract.numbers import Notation
from shp_core.lake.shortcut import shortcut_of
from shp_core.publishing.dialect import escape, unescape

DIGITS = st.text(st.sampled_from("0123456789"), max_size=20)
NUMBERS = st.one_of(
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), DIGITS, DIGITS),
    st.builds("{}{}".format, st.sampled_from(["", "-", "0", "-0"]), DIGITS),
    st.integers(-(2**64), 2**64).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(["", "-", ".", "0", "-0", "-0.0", "00", "1.", ".5", "1e5", "٣", "1\n", "2147483647", "2147483648", "999999999"]),
)
DRIFTED = st.floats(-1e10, 1e10, allow_nan=False).map(lambda value: repr(round(value, 2) * 3 / 3)) | st.builds(
    "{}.{}{}{}".format, st.integers(-99, 10**10), DIGITS.map(lambda digits: digits[:4]), st.sampled_from(["00000", "99999", "0000"]), DIGITS
)
DAYS = st.one_of(
    st.dates().map(str),
    st.builds("{}/{}/{}".format, st.integers(0, 32), st.integers(0, 13), st.integers(0, 10000)),
    st.dates().map(lambda day: f"{day.month}/{day.day}/{day.year:04}"),
    st.sampled_from(["2026-02-29", "2/29/2026", "1/2/26", " 1/2/2026", "2026-01-02 00:00:00", "2026-01-02T10:00", "1-2-2026", "٣/1/2026"]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9).map(escape) | st.sampled_from(
    ["\\N", "\\t", "a\\\\b", " ", "\u00a0", "a\0b", "\x85"]
)
BOUNDS = st.none() | st.decimals(-500, 500, places=3).map(str) | st.integers(-500, 500).map(str)


@st.composite
def columns(draw: st.DrawFn) -> ContractColumn:
    """Any column that has a shortcut, and some that have none."""
    kind = draw(st.sampled_from(["integer", "bigint", "decimal", "money", "text", "date"]))
    made = ContractColumn("C", "c", kind, optional=draw(st.booleans()))
    if kind == "text":
        transforms = draw(st.sampled_from([(), (), ("strip",), ("upper",)]))
        return replace(made, transforms=transforms, max_length=draw(st.none() | st.integers(1, 6)))
    if kind == "date":
        forms = draw(st.sampled_from([("%m/%d/%Y",), ("%d-%m-%Y", "%m/%d/%Y"), ("%d %b %Y",), ("%m/%d/%y",), ("%Y%m%d",)]))
        days = st.none() | st.dates().map(str)
        return replace(made, formats=forms, bounds=(draw(days), draw(days)))
    made = replace(made, bounds=(draw(BOUNDS), draw(BOUNDS)))
    if kind in ("integer", "bigint"):
        return replace(made, bounds=tuple(bound if bound is None else bound.partition(".")[0] for bound in made.bounds))
    scale = draw(st.integers(0, 6))
    return replace(made, scale=scale, precision=scale + draw(st.integers(0, 14)), currency="EUR" if kind == "money" else None)


@settings(max_examples=400)
@given(columns(), st.sampled_from("nsd"), st.sampled_from([".", ","]), st.data())
def test_a_shortcut_agrees_or_declines(column: ContractColumn, kind: str, decimal: str, data: st.DataObject) -> None:
    """HDFS would hold another number than PostgreSQL, for the sake of speed."""
    shortcut = shortcut_of(column, kind, decimal)
    if shortcut is None:
        return
    judge = CellJudge(column, Notation(decimal, "," if decimal == "." else "."))
    fields = {"text": TEXTS, "date": DAYS}.get(column.type, NUMBERS | DRIFTED)
    for field in data.draw(st.lists(fields, min_size=1, max_size=8)):
        found = shortcut(field)
        if found is not None:
            judged = judge.judge(kind, unescape(field))
            assert (found, ()) == (judged.field, judged.reasons)


@pytest.mark.parametrize(
    ("column", "kind", "field", "expected"),
    [
        (ContractColumn("C", "c", "integer"), "n", "292494523", "292494523"),
        (ContractColumn("C", "c", "money", scale=2, precision=18), "n", "8625.4", "8625.40"),
        (ContractColumn("C", "c", "money", scale=2, precision=18, bounds=("0", None)), "n", "12", "12.00"),
        (ContractColumn("C", "c", "decimal", scale=1, precision=9, bounds=(None, "0.55")), "n", "0.5", "0.5"),
        (ContractColumn("C", "c", "money", scale=2, precision=18), "s", "8625.4", "8625.40"),
        (ContractColumn("C", "c", "text", max_length=3), "s", "abc", "abc"),
        (ContractColumn("C", "c", "integer"), "n", "2147483647", "2147483647"),
        (ContractColumn("C", "c", "money", scale=2, precision=18), "n", "8625.389999999999", "8625.39"),
        (ContractColumn("C", "c", "date", formats=("%m/%d/%Y",)), "s", "3/7/2026", "2026-03-07"),
        (ContractColumn("C", "c", "date", formats=("%m/%d/%Y",)), "d", "2026-03-07", "2026-03-07"),
    ],
)
def test_ordinary_cells_take_it(column: ContractColumn, kind: str, field: str, expected: str) -> None:
    """Every cell would go the long way, and a large partition take minutes more."""
    shortcut = shortcut_of(column, kind, ".")
    assert shortcut is not None
    assert shortcut(field) == expected


def test_what_is_out_of_bounds_is_left_to_the_reference() -> None:
    """A reject would be published."""
    shortcut = shortcut_of(ContractColumn("C", "c", "decimal", scale=1, precision=9, bounds=("0.25", "0.55")), "n", ".")
    assert shortcut is not None
    assert [shortcut(field) for field in ("0.2", "0.3", "0.5", "0.6", "-1")] == [None, "0.3", "0.5", None, None]
