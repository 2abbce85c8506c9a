"""Columns of numbers told together agree with the reference, cell by cell, or leave the cell to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.numbers import Notation, symbols_of
from shp_core.lake import bulk
from shp_core.lake.bulk import bulk_of, differ
from shp_core.publishing.dialect import unescape
from tests.support.lake import sales

WHOLE = st.integers(0, 10**20).map(str) | st.integers(0, 9999).map(str) | st.sampled_from(["0", "00", "007", "2147483647", "2147483648"])
PLAIN = st.builds("{}{}{}".format, st.sampled_from(["", "", "-", "+"]), WHOLE, st.sampled_from(["", ".5", ".25", ".125", ".00", "."]))
GROUPED = st.builds(
    "{}{:,}{}".format, st.sampled_from(["", "$", "-$", "$-", "€"]), st.integers(0, 10**9), st.sampled_from(["", ".5", ".25"])
)
GERMAN = GROUPED.map(lambda text: text.replace(",", "_").replace(".", ",").replace("_", "."))
DRIFTED = st.floats(-1e10, 1e10, allow_nan=False).map(lambda value: f"{round(value, 2) * 3 / 3:.15g}") | st.floats(-1e4, 1e4).map(repr)
ODD = st.sampled_from(
    ["", "-", "\\N", "\\t1", "1e5", "1e-05", "٣", "1 2", "1\u00a0000", "-0", "-0.00", "0.00000001", "-0.5", "1.999999999"]
)
FIELDS = PLAIN | GROUPED | GERMAN | DRIFTED | ODD
BOUNDS = st.none() | st.sampled_from(["0", "1", "-3", "0.125", "1000", "99999999999"])


@st.composite
def columns(draw: st.DrawFn) -> ContractColumn:
    """Any column of numbers."""
    kind = draw(st.sampled_from(["integer", "bigint", "decimal", "money"]))
    made = ContractColumn("C", "c", kind, bounds=(draw(BOUNDS), draw(BOUNDS)))
    if kind in ("integer", "bigint"):
        return replace(made, bounds=tuple(bound and bound.partition(".")[0] for bound in made.bounds))
    scale = draw(st.integers(0, 4))
    currency = draw(st.sampled_from(["USD", "EUR", "CHF"])) if kind == "money" else None
    return replace(made, scale=scale, precision=scale + draw(st.integers(0, 18)), currency=currency)


def spelled(decimal: str) -> Contract:
    """A contract whose text cells spell numbers so."""
    return replace(sales(), decimal=decimal, group="," if decimal == "." else ".")


@settings(max_examples=500)
@given(columns(), st.sampled_from("ns"), st.sampled_from([".", ","]), st.data())
def test_a_column_told_together_is_what_its_cells_are(column: ContractColumn, kind: str, decimal: str, data: st.DataObject) -> None:
    """HDFS would hold other amounts than PostgreSQL, for the sake of speed."""
    contract = spelled(decimal)
    told = bulk_of(column, kind, contract)
    if told is None:
        return
    judge = CellJudge(column, Notation(contract.decimal, contract.group))
    for _ in range(2):  # the second time with what was remembered of the first
        texts = data.draw(st.lists(FIELDS, min_size=1, max_size=8))
        found = told.fields(list(texts))
        if found is None:
            continue
        fields, odd = found
        assert len(fields) == len(texts)
        for place, text in enumerate(texts):
            if place not in odd:
                judged = judge.judge(kind, unescape(text))
                assert (fields[place], ()) == (judged.field, judged.reasons), text


MONEY = ContractColumn("C", "c", "money", scale=2, precision=18, currency="USD", bounds=("0", None))
CASES = [
    (ContractColumn("C", "c", "integer", bounds=("1", None)), "n", ["1000074400", "7", "42"], ["1000074400", "7", "42"]),
    (MONEY, "n", ["15497.13", "4003.010000000002", "12", "0.5"], ["15497.13", "4003.01", "12.00", "0.50"]),
    (MONEY, "s", ["$1,234.50", "$12", "7.5"], ["1234.50", "12.00", "7.50"]),
    (replace(MONEY, bounds=("-10", "10")), "n", ["-3.25", "9"], ["-3.25", "9.00"]),
]


@pytest.mark.parametrize(("column", "kind", "texts", "expected"), CASES)
def test_ordinary_columns_are_told(column: ContractColumn, kind: str, texts: list[str], expected: list[str]) -> None:
    """Every amount would go the long way, and a large partition take minutes more."""
    told = bulk_of(column, kind, spelled("."))
    assert told is not None
    found = told.fields(texts)
    assert found is not None
    assert (found[0], list(found[1])) == (expected, [])


@pytest.mark.parametrize("text", ["2147483648", "0", "-1", "007"])
def test_what_breaks_a_bound_leaves_its_block_to_the_reference(text: str) -> None:
    """A reject would be published."""
    told = bulk_of(ContractColumn("C", "c", "integer", bounds=("1", None)), "n", spelled("."))
    assert told is not None
    assert told.fields(["5", text]) is None


def test_a_number_that_outgrows_its_column_when_it_is_rounded_is_left_to_the_reference() -> None:
    """A number that does not fit would be published."""
    told = bulk_of(ContractColumn("C", "c", "decimal", scale=1, precision=2), "n", spelled("."))
    assert told is not None
    found = told.fields(["9.999999999998181", "1.5"])
    assert found is not None and list(found[1]) == [0]


def test_texts_that_are_no_numbers_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task would be killed on a column of junk."""
    monkeypatch.setattr(bulk, "_MOST_SHAPES", 20)
    told = bulk_of(MONEY, "s", spelled("."))
    assert told is not None
    for start in range(0, 1000, 10):
        assert told.fields([f"{'x' * place}1" for place in range(start, start + 10)]) is not None
    assert len(told._endings) + len(told._endings.odd) <= 60


def test_symbols_are_those_of_the_currency() -> None:
    """`$5` would be read as five euros."""
    assert symbols_of("USD") == ("$",)
    assert symbols_of("EUR") == ("€",)
    assert symbols_of("CHF") == ()


def test_columns_that_repeat_themselves_are_remembered_instead() -> None:
    """The slower way would be taken for each of them."""
    assert differ([str(number) for number in range(1000)])
    assert not differ(["a", "b"] * 500)
