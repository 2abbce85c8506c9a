"""Columns of numbers that are told all at once: which are, what they become, and which are left to others."""

from __future__ import annotations

import pyarrow as pa
import pytest

from shp_core.contract.whole_column import WholeColumn
from tests.support.contracts import contract_of


def told(type_: str, *texts: str | None) -> list[str | None] | None:
    """The fields of number cells, None when they are left to others; the values say the same."""
    column = contract_of(f"columns: {{A: {{type: {type_}}}}}").columns[0]
    found = WholeColumn(column).convert(pa.array(texts, pa.string()))
    if found is None:
        return None
    values, fields = found
    assert values().cast(pa.string()).equals(fields)
    return list(fields.to_pylist())


@pytest.mark.parametrize(
    ("type_", "texts", "fields"),
    [
        ("money, currency: USD", ["12.5", "7", "21.340000000002", "-3.9999999999"], ["12.50", "7.00", "21.34", "-4.00"]),
        ("money, currency: USD", ["0.05", "-0.5", "0", "-0.00000001"], ["0.05", "-0.50", "0.00", "0.00"]),
        ("money, currency: USD", ["1.25", None], ["1.25", None]),
        ("decimal, scale: 0", ["12", "7.0000000001"], ["12", "7"]),
        ("integer, min: 1", ["2147483647", "1"], ["2147483647", "1"]),
        ("bigint", ["9223372036854775807", "-12", "007", "-0"], ["9223372036854775807", "-12", "7", "0"]),
        ("integer", ["7.0000000001", "8"], ["7", "8"]),
    ],
)
def test_digits_signs_and_points_are_told_at_once(type_: str, texts: list[str | None], fields: list[str | None]) -> None:
    """Each cell would be looked at by itself, in every column of amounts that a feed has; or amounts would change."""
    assert told(type_, *texts) == fields


@pytest.mark.parametrize(
    ("type_", "odd"),
    [
        ("money, currency: USD", ".5"),
        ("money, currency: USD", "-.5"),
        ("money, currency: USD", ".9999999999"),
        ("money, currency: USD", "5."),
        ("money, currency: USD", "1e2"),
        ("money, currency: USD", "inf"),
        ("money, currency: USD", ""),
        ("money, currency: USD", "1.125"),
        ("money, currency: USD", "12345678.25"),
        ("money, currency: USD", "9" * 40),
        ("money, currency: USD", "-" + "9" * 400),
        ("money, currency: USD, max: 100", "100.01"),
        ("decimal, scale: 2, precision: 4", "100.00"),
        ("integer", "2147483648"),
        ("integer, min: 5", "4"),
        ("bigint", "9223372036854775808"),
        ("bigint", "1-2"),
    ],
)
def test_one_odd_number_leaves_its_column_to_others(type_: str, odd: str) -> None:
    """What only looks like a number, or breaks a rule, would be loaded as an amount."""
    assert told(type_, "10", odd) is None
    assert told(type_, "10", "11") == (["10", "11"] if "int" in type_ else ["10.00", "11.00"])


def test_a_column_of_blanks_is_left_to_others() -> None:
    """A column that nobody filled in would stop the file."""
    assert told("integer", None, None) is None and told("money, currency: USD") is None
