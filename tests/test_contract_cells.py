"""One cell: texts, booleans, blanks, errors and the row rules (the reference)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.code_table import TABLE
from shp_core.codes import Code, Scope
from shp_core.contract import reasons
from shp_core.contract.cells import Judged
from shp_core.publishing.dialect import NULL, unescape
from tests.support.contracts import ABSENT, Cell, day, judge, number, text

TYPES = ("text", "integer", "bigint", "decimal", "money", "date", "timestamp", "boolean")


def column(type_: str, more: str = "") -> str:
    """A column of the type in YAML, with further keys."""
    return f"{{type: {type_}{', ' + more if more else ''}}}"


def value(cell: Cell, more: str = "") -> str | None:
    """The text that a text column keeps."""
    judged = judge(column("text", more), cell)
    assert judged.reasons == ()
    assert judged.field is not None
    return unescape(judged.field)


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        (text("00123"), "00123"),
        (text("trailing  "), "trailing  "),
        (text("  leading"), "  leading"),
        (text("a\tb\nc\rd\\e"), "a\tb\nc\rd\\e"),
        (text("\\N"), "\\N"),
        (text("\\."), "\\."),
        (text("line\x0btab\x0cfeed\x08"), "line\x0btab\x0cfeed\x08"),
        (text("Zoë 東京 🧡"), "Zoë 東京 🧡"),
        (text("NULL"), "NULL"),
        (number("123"), "123"),
        (number("8625.39"), "8625.39"),
        (day("2014-01-02"), "2014-01-02"),
        (("b", "TRUE"), "TRUE"),
    ],
)
def test_a_text_column_keeps_what_the_cell_says(cell: Cell, kept: str) -> None:
    """Leading zeros, blanks and odd characters of a text arrive in the table as they were typed."""
    assert value(cell) == kept


@pytest.mark.parametrize(
    ("transform", "typed", "kept"),
    [
        ("strip", "  a b ", "a b"),
        ("collapse", " a \u00a0 b\n", "a b"),
        ("upper", "straße", "STRASSE"),
        ("lower", "ABC", "abc"),
        ("title", "new york", "New York"),
        ("strip, upper", " a ", "A"),
    ],
)
def test_transforms(transform: str, typed: str, kept: str) -> None:
    """Agreed clean-ups are applied, in their order, before the rules."""
    assert value(text(typed), f"transform: [{transform}]") == kept


@pytest.mark.parametrize("typed", ["a\0b", "half \ud83d", "\udfff"])
def test_a_text_no_sink_can_keep_is_a_reject(typed: str) -> None:
    """One impossible character costs one row, not the whole partition at the database."""
    assert judge(column("text"), text(typed)) == Judged(None, ("invalid_text",))


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("cell", [ABSENT, text(""), text("   "), text("\u00a0"), text("\n\t")])
def test_blanks(type_: str, cell: Cell) -> None:
    """A blank is a null where that was agreed and a reject where it was not, whatever the column holds."""
    assert judge(column(type_, "optional: true"), cell) == Judged(NULL)
    assert judge(column(type_), cell) == Judged(None, ("missing_value",))


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("optional", ["", "optional: true"])
def test_errors_and_formulas_without_value_are_never_blanks(type_: str, optional: str) -> None:
    """A broken formula is told to its sender; it never becomes an empty cell, not even where blanks are allowed."""
    assert judge(column(type_, optional), ("e", "#REF!")) == Judged(None, ("error_cell",))
    assert judge(column(type_, optional), ("e", None)) == Judged(None, ("error_cell",))
    assert judge(column(type_, optional), ("f", None)) == Judged(None, ("formula_without_value",))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (("b", "TRUE"), "t"),
        (("b", "FALSE"), "f"),
        (text("true"), "t"),
        (text(" False "), "f"),
        (text("yes"), None),
        (text("1"), None),
        (number("1"), None),
        (number("0"), None),
        (day("2014-01-02"), None),
    ],
)
def test_booleans(cell: Cell, expected: str | None) -> None:
    """Only what says true or false is true or false; a 1 may be a count."""
    judged = judge(column("boolean"), cell)
    assert judged == (Judged(expected) if expected else Judged(None, ("invalid_boolean",)))


@pytest.mark.parametrize(
    ("spec", "cell", "broken"),
    [
        ("{type: text, in: [Online, Offline]}", text("Online"), ()),
        ("{type: text, in: [Online, Offline]}", text("online"), ("not_allowed",)),
        ("{type: text, in: [ONLINE], transform: [upper]}", text("online"), ()),
        ("{type: integer, in: [1, 2]}", number("2"), ()),
        ("{type: integer, in: [1, 2]}", text("02"), ()),
        ("{type: integer, in: [1, 2]}", number("3"), ("not_allowed",)),
        ('{type: text, pattern: "[A-Z]{3}"}', text("ABC"), ()),
        ('{type: text, pattern: "[A-Z]{3}"}', text("ABCD"), ("pattern_mismatch",)),
        ('{type: text, pattern: "[A-Z]{3}"}', text("ABC\n"), ("pattern_mismatch",)),
        ('{type: text, pattern: "A|AB"}', text("AB"), ()),
        ("{type: text, max_length: 3}", text("äöü"), ()),
        ("{type: text, max_length: 3}", text("🧡🧡🧡"), ()),
        ("{type: text, max_length: 3}", text("abcd"), ("too_long",)),
        ('{type: text, max_length: 3, pattern: "a*", in: [a]}', text("bbbb"), ("not_allowed", "pattern_mismatch", "too_long")),
        ("{type: integer, min: 0}", number("-1"), ("below_min",)),
        ("{type: integer, min: 0}", number("0"), ()),
        ("{type: integer, min: 0.5}", number("0"), ("below_min",)),
        ("{type: integer, max: 10}", number("11"), ("above_max",)),
        ("{type: money, min: 0.10}", number("0.1"), ()),
        ("{type: money, min: 0.10}", number("0.09"), ("below_min",)),
        ("{type: money, min: 0}", text("-0.00"), ()),
        ("{type: decimal, precision: 38, max: 123456789012345678901234567890.5}", text("123456789012345678901234567890.50"), ()),
        (
            '{type: decimal, precision: 38, max: "123456789012345678901234567890.5"}',
            text("123456789012345678901234567890.51"),
            ("above_max",),
        ),
        ("{type: date, min: 2014-01-01, max: 2014-12-31}", day("2014-01-01"), ()),
        ("{type: date, min: 2014-01-01, max: 2014-12-31}", day("2013-12-31"), ("below_min",)),
        ("{type: date, min: 2014-01-01, max: 2014-12-31}", day("2015-01-01"), ("above_max",)),
        ("{type: date, min: 0999-01-01}", day("0998-12-31"), ("below_min",)),
    ],
)
def test_row_rules(spec: str, cell: Cell, broken: tuple[str, ...]) -> None:
    """Every rule that a row breaks is named, at its exact boundary."""
    judged = judge(spec, cell)
    assert judged.field is not None
    assert judged.reasons == broken


def test_a_blank_breaks_no_rule() -> None:
    """An agreed blank is not measured against the rules for values."""
    assert judge("{type: text, optional: true, in: [a], max_length: 1}", ABSENT) == Judged(NULL)
    assert judge("{type: integer, optional: true, min: 5}", text(" ")) == Judged(NULL)


def test_the_reasons_are_codes() -> None:
    """Every reason a reject can carry is in the public table of codes, and the other way round."""
    listed = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert listed == {str(code) for code in Code if TABLE[code].scope is Scope.ROW}
    assert {*reasons.TYPE_REASONS, *reasons.RULE_REASONS, reasons.MISSING_VALUE, reasons.DUPLICATE_KEY} == listed


_CELLS = st.tuples(st.sampled_from("snb"), st.text(max_size=12)) | st.tuples(st.just("d"), st.dates().map(str))


@given(_CELLS, st.sampled_from(TYPES))
def test_every_cell_ends_as_a_value_or_a_reason(cell: Cell, type_: str) -> None:
    """No cell, however odd, ends a run; no cell is lost without a word."""
    judged = judge(column(type_), cell)
    assert (judged.field is None) == bool(judged.reasons)
    assert judged.field is None or ("\t" not in judged.field and "\n" not in judged.field)
