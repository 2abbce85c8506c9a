"""The text of a number cell, digit by digit."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.reading.numbers import NotANumber, NotFinite, number_text


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        ("5", "5"),
        ("0", "0"),
        ("-5", "-5"),
        ("+5", "5"),
        ("007", "7"),
        ("000", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        (" 12\n", "12"),
        ("9007199254740993", "9007199254740993"),  # 2^53 + 1: the double would say ...992
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("8625.389999999999", "8625.39"),
        ("0.30000000000000004", "0.3"),
        ("1.1000000000000001", "1.1"),
        ("5.0", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1E+20", "100000000000000000000"),
        ("1.5E-7", "0.00000015"),
        ("-1e-7", "-0.0000001"),
        ("0.1234567890123456", "0.1234567890123456"),  # 15 digits would be 3 ulp off
        ("1234567890123456.0", "1234567890123456"),
        ("44927.430902777778", "44927.43090277778"),  # 15 digits would be 3 ulp off
    ],
)
def test_number_has_the_text_that_was_meant(spelled: str, text: str) -> None:
    """An amount would differ from what its sender typed, or an order number would lose digits."""
    assert number_text(spelled) == text


@pytest.mark.parametrize("spelled", ["nan", "NaN", "inf", "-INF", "Infinity", "1.#QNAN", "-1.#IND", "1e999", "9" * 400])
def test_what_is_not_finite_is_said_to_be_so(spelled: str) -> None:
    """The ruin of a calculation would be loaded as a number."""
    with pytest.raises(NotFinite):
        number_text(spelled)


@pytest.mark.parametrize("spelled", ["", " ", "abc", "1,5", "1 000", "1_000", "0x10", "--1", "1e", "e5", "٣", "²", "1.2.3", "$5", "1-"])
def test_what_is_no_number_is_never_read_as_one(spelled: str) -> None:
    """Damage in a file would turn into a plausible amount."""
    with pytest.raises(NotANumber):
        number_text(spelled)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=400, derandomize=True, deadline=None)
def test_text_of_any_double_is_plain_and_within_two_ulp(value: float) -> None:
    """A number would change on its way, or arrive in a notation that no column accepts."""
    text = number_text(repr(value))
    assert "e" not in text.lower()
    assert not text.startswith("-0") or "." in text
    assert abs(float(text) - value) <= 2 * math.ulp(value)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False))
@settings(max_examples=400, derandomize=True, deadline=None)
def test_amounts_survive_being_stored_as_doubles(amount: Decimal) -> None:
    """Cents would appear from nowhere: whatever has 13 digits comes back from a double as it was."""
    assert Decimal(number_text(repr(float(amount)))) == amount


@given(st.integers(min_value=-(10**40), max_value=10**40))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_integers_keep_all_their_digits(number: int) -> None:
    """Two long order numbers that differ in their last digit would become one."""
    assert number_text(str(number)) == str(number)
