"""Numbers and money: what a cell's digits become (DESIGN section 5.5)."""

from __future__ import annotations

import time
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.contract.numbers import Notation, convert_number, number_text
from tests.support.contracts import Cell, column_of, judge, number, text

INTEGER, BIGINT = "{type: integer}", "{type: bigint}"
DECIMAL = "{type: decimal, scale: 2}"
WIDE = "{type: decimal, scale: 2, precision: 38}"
DOLLARS = "{type: money, scale: 2, currency: USD}"
EUROS = "{type: money, scale: 2, currency: EUR}"


def outcome(column: str, cell: Cell, decimal: str = ".", group: str = ",") -> str:
    """The field, or the reasons."""
    judged = judge(column, cell, decimal, group)
    return judged.field if judged.field is not None else "+".join(judged.reasons)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        # doubles that stand for a value of the scale
        (DECIMAL, "8625.389999999999", "8625.39"),
        (DECIMAL, "8625.39", "8625.39"),
        (DECIMAL, "0.3000004", "0.30"),
        (DECIMAL, "0.30000000000000004", "0.30"),
        (DECIMAL, "100", "100.00"),
        (DECIMAL, "-0.001", "too_precise"),
        (DECIMAL, "-0.0000001", "0.00"),
        (DECIMAL, "12.345", "too_precise"),
        (DECIMAL, "0.000001", "0.00"),
        (DECIMAL, "0.0000011", "too_precise"),
        (DECIMAL, "123456789012.13", "123456789012.13"),
        # one ulp of 2^50 is 0.25: the next value of scale 0 is no further away than the double's own neighbour
        (BIGINT, "1125899906842624.25", "1125899906842624"),
        (BIGINT, "1125899906842624.5", "too_precise"),
        # integers
        (INTEGER, "42", "42"),
        (INTEGER, "-0", "0"),
        (INTEGER, "3.00004", "3"),
        (INTEGER, "3.001", "too_precise"),
        (INTEGER, "2147483647", "2147483647"),
        (INTEGER, "2147483648", "out_of_range"),
        (INTEGER, "-2147483648", "-2147483648"),
        (INTEGER, "-2147483649", "out_of_range"),
        (BIGINT, "9007199254740993", "9007199254740993"),
        (BIGINT, "9223372036854775807", "9223372036854775807"),
        (BIGINT, "9223372036854775808", "out_of_range"),
        # huge and tiny
        (DECIMAL, "1" + "0" * 308, "out_of_range"),
        (DECIMAL, "1e308", "out_of_range"),
        (DECIMAL, "1e-320", "0.00"),
        (DECIMAL, "9" * 299, "out_of_range"),
        (DECIMAL, "9" * 5000, "out_of_range"),
        (DECIMAL, "0" * 5000 + "7", "7.00"),
        (DECIMAL, "1e9999", "out_of_range"),
        (INTEGER, "1e9999", "out_of_range"),
        (DECIMAL, "0e500", "0.00"),
        # precision: digits in all
        ("{type: decimal, scale: 2, precision: 5}", "999.99", "999.99"),
        ("{type: decimal, scale: 2, precision: 5}", "-999.99", "-999.99"),
        ("{type: decimal, scale: 2, precision: 5}", "1000", "out_of_range"),
        ("{type: decimal, scale: 2, precision: 5}", "999.9999999", "out_of_range"),
        (WIDE, "9" * 36 + ".99", "9" * 36 + ".99"),
        (WIDE, "1" + "0" * 36, "out_of_range"),
        ("{type: decimal, scale: 0}", "7", "7"),
        ("{type: decimal, scale: 15}", "0.1", "0.100000000000000"),
    ],
)
def test_number_cells(column: str, cell: str, expected: str) -> None:
    """Amounts are stored as they were meant, not with the noise of binary fractions, and never rounded silently."""
    assert outcome(column, number(cell)) == expected


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "Infinity", "-inf", "0x10", "1_000", "1,5", "１２", "1e99999999999", "--1", "1e"])
def test_a_number_cell_that_spells_no_number_is_a_reject(cell: str) -> None:
    """A damaged artefact gives a reject with its place, never a crash of the whole file."""
    assert outcome("{type: decimal}", number(cell)) in ("invalid_number", "missing_value")
    assert outcome(INTEGER, number(cell)) in ("invalid_integer", "missing_value")


@pytest.mark.parametrize("column", [INTEGER, BIGINT])
@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("00123", "123"),
        (" 42 ", "42"),
        ("1,234", "1234"),
        ("-1,234", "-1234"),
        ("+7", "7"),
        ("-0", "0"),
        ("0,123", "invalid_integer"),
        ("1,23", "invalid_integer"),
        ("1234,567", "invalid_integer"),
        ("1,234,56", "invalid_integer"),
        ("1.0", "too_precise"),
        ("1.000", "too_precise"),
        ("1.", "1"),
        ("1e3", "invalid_integer"),
        ("twelve", "invalid_integer"),
        ("1 234", "invalid_integer"),
        ("٣", "invalid_integer"),
        ("(5)", "invalid_integer"),
        ("5-", "invalid_integer"),
        ("−5", "invalid_integer"),
        ("$5", "invalid_integer"),
        ("9" * 40, "out_of_range"),
        ("9" * 500, "out_of_range"),
        ("9" * 32_000, "out_of_range"),
    ],
)
def test_whole_numbers_as_text(column: str, cell: str, expected: str) -> None:
    """What a person typed is read by the agreed notation or not at all."""
    assert outcome(column, text(cell)) == expected


def test_big_integers_as_text_keep_every_digit() -> None:
    """Identifiers beyond 2^53 do not change on the way through a double."""
    assert outcome(BIGINT, text(str(2**53 + 1))) == "9007199254740993"
    assert outcome(BIGINT, text(str(-(2**63)))) == "-9223372036854775808"
    assert outcome(BIGINT, text(str(2**63))) == "out_of_range"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1234.5", "1234.50"),
        ("1,234.50", "1234.50"),
        (".5", "0.50"),
        ("-.5", "-0.50"),
        ("-0.00", "0.00"),
        ("12.345", "too_precise"),
        ("12.340", "too_precise"),
        ("0." + "1" * 500, "too_precise"),
        ("1.234,50", "invalid_number"),
        ("1,234,567.89", "1234567.89"),
        ("", "missing_value"),
        (".", "invalid_number"),
        ("1..2", "invalid_number"),
        ("1.2.3", "invalid_number"),
    ],
)
def test_decimals_as_text(cell: str, expected: str) -> None:
    """A text has exactly the decimals it spells; more than agreed are refused, because a group may have been meant."""
    assert outcome(DECIMAL, text(cell)) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("$1,234.50", "1234.50"),
        ("$ 1,234.50", "1234.50"),
        ("1,234.50 $", "1234.50"),
        ("USD 1,234.50", "1234.50"),
        ("1,234.50 USD", "1234.50"),
        ("$1,234.50 USD", "1234.50"),
        ("-$5.00", "-5.00"),
        ("$-5.00", "-5.00"),
        ("$ - 5.00", "-5.00"),
        ("- 5.00", "-5.00"),
        ("+5", "5.00"),
        ("1234.5", "1234.50"),
        ("$.50", "0.50"),
        ("-$0.00", "0.00"),
        ("€5.00", "wrong_currency"),
        ("5.00 €", "wrong_currency"),
        ("EUR 5.00", "wrong_currency"),
        ("$5.00 EUR", "wrong_currency"),
        ("₹5.00", "wrong_currency"),
        ("$5.001", "too_precise"),
        ("$1,234.500", "too_precise"),
        ("-$-5.00", "invalid_number"),
        ("--5", "invalid_number"),
        ("+-5", "invalid_number"),
        ("($5.00)", "invalid_number"),
        ("5.00-", "invalid_number"),
        ("$1.234,50", "invalid_number"),
        ("$0,123", "invalid_number"),
        ("about 5", "invalid_number"),
        ("5 pcs", "invalid_number"),
        ("US$5", "invalid_number"),
        ("usd 5", "invalid_number"),
        ("$", "invalid_number"),
        ("$ USD", "invalid_number"),
        ("n/a", "invalid_number"),
        ("$٣", "invalid_number"),
        ("$" + "9" * 400, "out_of_range"),
        ("-$" + "9" * 20, "out_of_range"),
    ],
)
def test_money_as_text(cell: str, expected: str) -> None:
    """Amounts with a currency sign are read; another currency is told apart from a typing mistake."""
    assert outcome(DOLLARS, text(cell)) == expected


@pytest.mark.parametrize(
    ("column", "decimal", "group", "cell", "expected"),
    [
        (EUROS, ",", ".", "1.234,50", "1234.50"),
        (EUROS, ",", ".", "1.234,50 €", "1234.50"),
        (EUROS, ",", ".", "€ 1.234.567,89", "1234567.89"),
        (EUROS, ",", ".", "1.234", "1234.00"),
        (EUROS, ",", ".", "1,234.50", "invalid_number"),
        (EUROS, ",", ".", "0.123", "invalid_number"),
        (EUROS, ",", ".", "$1,50", "wrong_currency"),
        (EUROS, ",", " ", "1 234,50 €", "1234.50"),
        (EUROS, ",", " ", "1\u00a0234,50\u00a0€", "1234.50"),
        (EUROS, ",", " ", "1\u202f234,50", "1234.50"),
        ("{type: money, currency: CHF}", ".", "'", "CHF 1'234.50", "1234.50"),
        ("{type: money, currency: CHF}", ".", "'", "CHF 1\u2019234.50", "1234.50"),
        ("{type: money, currency: INR}", ".", ",", "₹ 1,234.50", "1234.50"),
        ("{type: money, currency: CAD}", ".", ",", "$5", "5.00"),
        ("{type: money}", ".", ",", "5.00", "5.00"),
        ("{type: money}", ".", ",", "$5.00", "wrong_currency"),
        ("{type: money, scale: 0, currency: JPY}", ".", ",", "¥1,234", "1234"),
        ("{type: money, scale: 0, currency: JPY}", ".", ",", "¥1,234.00", "too_precise"),
        (DECIMAL, ".", "", "1,234.50", "invalid_number"),
        (DECIMAL, ".", "", "1234.50", "1234.50"),
        (DECIMAL, ",", "", "1234,50", "1234.50"),
    ],
)
def test_notations(column: str, decimal: str, group: str, cell: str, expected: str) -> None:
    """Each feed's own notation is honoured, and another one is refused instead of being off by a factor of thousand."""
    assert outcome(column, text(cell), decimal, group) == expected


@pytest.mark.parametrize("cell", ["-123456789012345678901234567890.12", "-$123456789012345678901234567890.12"])
def test_no_digit_is_lost_beyond_the_ambient_precision(cell: str) -> None:
    """Thirty-digit amounts survive: Python's own decimal arithmetic would round them to 28 digits."""
    assert outcome("{type: money, scale: 2, precision: 38, currency: USD}", text(cell)) == "-123456789012345678901234567890.12"
    assert outcome(WIDE, number("9" * 29)) == "9" * 29 + ".00"


def test_the_ambient_decimal_context_does_not_count() -> None:
    """A library that changes the process's decimal context cannot change what is stored."""
    with localcontext() as context:
        context.prec = 3
        assert outcome(DECIMAL, number("8625.389999999999")) == "8625.39"
        assert outcome(DOLLARS, text("-$1,234.50")) == "-1234.50"


@pytest.mark.parametrize("kind", ["d", "b"])
@pytest.mark.parametrize(("column", "code"), [(INTEGER, "invalid_integer"), (BIGINT, "invalid_integer"), (DECIMAL, "invalid_number")])
def test_dates_and_booleans_are_no_numbers(kind: str, column: str, code: str) -> None:
    """A date that slipped into an amount column is told, not turned into its serial number."""
    assert outcome(column, (kind, "1")) == code
    assert outcome("{type: decimal, scale: 0}", (kind, "1")) == "invalid_number"
    assert outcome(DOLLARS, (kind, "1")) == "invalid_number"


@pytest.mark.parametrize("cell", ["1" * 32_000 + "+", "+" + " " * 32_000 + "+-", "1" + " " * 32_000 + "+", "$" * 32_000, "1,111" * 6_000])
def test_a_hostile_text_costs_no_time(cell: str) -> None:
    """One crafted cell cannot keep the platform busy for hours (catastrophic backtracking)."""
    before = time.process_time()
    assert outcome(DOLLARS, text(cell)) == "invalid_number"
    assert outcome(DECIMAL, text(cell)) == "invalid_number"
    assert time.process_time() - before < 1


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False, allow_infinity=False))
def test_every_amount_survives_both_kinds_of_cell(amount: Decimal) -> None:
    """What was written as a number and what was written as text give the same row, hence no false changes."""
    spelled = format(amount, "f")
    assert outcome(DECIMAL, text(spelled)) == outcome(DECIMAL, number(spelled)) == number_text(amount.quantize(Decimal("0.01")))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 15))
def test_a_clean_number_is_near_the_double(value: float, scale: int) -> None:
    """No stored amount is further from the cell's double than the agreed tolerance."""
    column = column_of(f"{{type: decimal, scale: {scale}, precision: 38}}")
    found = convert_number(column, "n", format(Decimal(repr(value)), "f"), Notation(".", ","))
    if found.value is not None:
        with localcontext() as exact:
            exact.prec = 800
            off = abs(Decimal(repr(value)) - found.value)
            assert off <= max(Decimal(1).scaleb(-(scale + 4)), Decimal(abs(value) * 2**-52))
        assert -found.value.as_tuple().exponent == scale  # type: ignore[operator]


@given(st.text(alphabet="0123456789.,'+-$€ USD\u00a0", max_size=24), st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "")]))
def test_no_text_crashes_and_what_is_clean_reads_back(cell: str, notation: tuple[str, str]) -> None:
    """Whatever people type ends as a value or as a reason, and the value is stable when it is read again."""
    judged = judge(DOLLARS, text(cell), *notation)
    assert (judged.field is None) == bool(judged.reasons)
    if judged.field is not None:
        assert judge(DOLLARS, number(judged.field)).field == judged.field
