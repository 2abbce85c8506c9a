"""What a cell of a workbook becomes: through the reading process into a text row, and by the contract into a value or a reason.

The values here are the ones that spreadsheet readers are known to spoil. Each stands in a row of one workbook (of its
own for the 1904 epoch), is read by the real process, and judged as a column of several types.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shp_core.limits import Limits
from shp_core.publishing.dialect import unescape
from shp_core.reading.textrow import SheetSpec
from shp_resources.reader import WorkbookReader
from tests.support.contracts import Cell, judge
from tests.support.workbooks import header_row, raw

TEXT, INTEGER, BIG = "{type: text}", "{type: integer}", "{type: bigint}"
DECIMAL, MONEY = "{type: decimal, scale: 4}", "{type: money, scale: 2, currency: USD}"
DATE, STAMP, BOOLEAN = '{type: date, formats: ["%Y-%m-%d"]}', '{type: timestamp, formats: ["%Y-%m-%d %H:%M:%S"]}', "{type: boolean}"
FORMATS = (0, 14, "yyyy-mm-dd hh:mm:ss", "hh:mm:ss", "[h]:mm:ss", "@", "0.00")
STRINGS = ("<si><t>  00123  </t></si>", "<si><r><t>bo</t></r><r><rPr><b/></rPr><t xml:space='preserve'>ld </t></r></si>")


class Case(NamedTuple):
    """A cell's markup after `<c r="A2"`, the text row it becomes, and per type of column its value or its reason."""

    markup: str
    cell: Cell
    outcomes: dict[str, str]


def inline(spelled: str, cell: str, /, **outcomes: str) -> Case:
    """An inline text."""
    return Case(f' t="inlineStr"><is><t>{spelled}</t></is>', ("s", cell), {TEXT: cell, **by_type(outcomes)})


def number(spelled: str, text: str, style: int = 0, **outcomes: str) -> Case:
    """A number cell that is no date."""
    return Case(f' s="{style}"><v>{spelled}</v>', ("n", text), {TEXT: text, **by_type(outcomes)})


def dated(spelled: str, text: str, style: int = 1, **outcomes: str) -> Case:
    """A number cell that shows a date or a time."""
    return Case(f' s="{style}"><v>{spelled}</v>', ("d", text), {TEXT: text, **by_type(outcomes)})


def iso(spelled: str, text: str, **outcomes: str) -> Case:
    """A cell that spells its date."""
    return Case(f' t="d"><v>{spelled}</v>', ("d", text), {TEXT: text, **by_type(outcomes)})


def by_type(outcomes: dict[str, str]) -> dict[str, str]:
    """Outcomes by the YAML text of the column instead of its short name."""
    types = {
        "integer": INTEGER,
        "decimal": DECIMAL,
        "money": MONEY,
        "date": DATE,
        "stamp": STAMP,
        "boolean": BOOLEAN,
        "text": TEXT,
        "big": BIG,
    }
    return {types[name]: outcome for name, outcome in outcomes.items()}


BROKEN = "invalid_text"
CASES = {
    "leading zeros": inline("00123", "00123", integer="123", money="123.00", date="invalid_date"),
    "leading zeros in a number": number("00123", "123", integer="123"),
    "2^53 + 1": number("9007199254740993", "9007199254740993", big="9007199254740993", integer="out_of_range"),
    "2^53 + 1 as a text": inline("9007199254740993", "9007199254740993", big="9007199254740993", integer="out_of_range"),
    "2^53 + 1 with an exponent": number("9.007199254740993E15", "9007199254740990", big="9007199254740990"),
    "0.1 + 0.2": number("0.30000000000000004", "0.3", decimal="0.3000", money="0.30", integer="too_precise"),
    "a profit": number("8625.389999999999", "8625.39", money="8625.39"),
    "a third of a cent": number("0.003333", "0.003333", money="too_precise", decimal="too_precise"),
    "trailing blanks": inline("a  ", "a  "),
    "blanks with xml:space": Case(' t="inlineStr"><is><t xml:space="preserve">  a  </t></is>', ("s", "  a  "), {TEXT: "  a  "}),
    "a shared text": Case(' t="s"><v>0</v>', ("s", "  00123  "), {TEXT: "  00123  ", INTEGER: "123"}),
    "rich text": Case(' t="s"><v>1</v>', ("s", "bold "), {TEXT: "bold "}),
    "rich text in the cell": Case(' t="inlineStr"><is><r><t>a</t></r><r><t> b</t></r></is>', ("s", "a b"), {TEXT: "a b"}),
    "a carriage return": inline("a_x000D_&#10;b", "a\r\nb"),
    "an escape that is meant": inline("_x005F_x000D_", "_x000D_"),
    "an emoji": inline("🙈 👩‍👩‍👧", "🙈 👩‍👩‍👧"),
    "an emoji in halves": inline("_xD83D__xDE48_", "🙈"),
    "half an emoji": inline("a_xD83D_", "a_xD83D_"),
    "composed and not": inline("é e\u0301", "é e\u0301"),
    "right to left": inline("\u202eabc", "\u202eabc"),
    "NUL": inline("a_x0000_b", "a\x00b", text=BROKEN),
    "control characters": inline("_x0001__x0008__x000B__x001F_\x7f", "\x01\x08\x0b\x1f\x7f"),
    "a tab and a newline": inline("a\tb\nc", "a\tb\nc"),
    "what COPY would mistake": inline("\\N", "\\N"),
    "a backslash": inline("a\\tb\\.", "a\\tb\\."),
    "serial 0": dated("0", "00:00:00", date="invalid_date"),
    "serial 1": dated("1", "1900-01-01", date="1900-01-01"),
    "serial 59": dated("59", "1900-02-28", date="1900-02-28", stamp="1900-02-28 00:00:00"),
    "serial 60": number("60", "60", style=1, date="invalid_date", stamp="invalid_timestamp"),
    "serial 61": dated("61", "1900-03-01", date="1900-03-01"),
    "serial -1": number("-1", "-1", style=1, date="invalid_date"),
    "serial 2958465": dated("2958465", "9999-12-31", date="9999-12-31"),
    "serial 2958466": number("2958466", "2958466", style=1, date="invalid_date"),
    "a date without a format": number("45000", "45000", date="invalid_date", integer="45000"),
    "a time in a date": dated("45000.75", "2023-03-15 18:00:00", style=2, date="time_in_date", stamp="2023-03-15 18:00:00"),
    "a time with noise": dated("45000.4201388889", "2023-03-15 10:05:00", style=2, stamp="2023-03-15 10:05:00"),
    "a time": dated("0.75", "18:00:00", style=3, date="invalid_date", stamp="invalid_timestamp"),
    "a duration": number("1.25", "1.25", style=4, decimal="1.2500", date="invalid_date"),
    "an ISO date": iso("2024-02-29", "2024-02-29", date="2024-02-29"),
    "an ISO moment": iso("2024-02-29T10:30:00.5", "2024-02-29 10:30:00.500000", date="time_in_date", stamp="2024-02-29 10:30:00.5"),
    "an ISO midnight": iso("2024-02-29T00:00:00Z", "2024-02-29", date="2024-02-29"),
    "an ISO time": iso("10:30:00", "10:30:00", date="invalid_date"),
    "a text like a date": inline("2024-02-29", "2024-02-29", date="2024-02-29"),
    "a text like no date": inline("2023-02-29", "2023-02-29", date="invalid_date"),
    "true": Case(' t="b"><v>1</v>', ("b", "TRUE"), {BOOLEAN: "t", TEXT: "TRUE", INTEGER: "invalid_integer"}),
    "false": Case(' t="b"><v>0</v>', ("b", "FALSE"), {BOOLEAN: "f"}),
    "a text like a formula": inline("=1+1", "=1+1", integer="invalid_integer"),
    "a text like an error": inline("#REF!", "#REF!"),
    "an error": Case(' t="e"><v>#REF!</v>', ("e", "#REF!"), dict.fromkeys([TEXT, INTEGER, DATE, MONEY], "error_cell")),
    "not available": Case(' t="e"><v>#N/A</v>', ("e", "#N/A"), dict.fromkeys([TEXT, INTEGER, DATE], "error_cell")),
    "a formula without a value": Case("><f>1+1</f>", ("f", None), dict.fromkeys([TEXT, INTEGER, DATE], "formula_without_value")),
    "a formula with a value": Case("><f>1+1</f><v>2</v>", ("n", "2"), {INTEGER: "2"}),
    "a large number": number("1E+21", "1000000000000000000000", integer="out_of_range"),
    "a small number": number("1.5E-9", "0.0000000015", decimal="0.0000"),
    "a number of many digits": number("123456789012345678", "123456789012345678", big="123456789012345678"),
    "negative zero": number("-0", "0", integer="0"),
}
CASES_1904 = {
    "day 0 of 1904": dated("0", "1904-01-01", date="1904-01-01"),
    "day 1 of 1904": dated("1", "1904-01-02", date="1904-01-02"),
    "day 60 of 1904": dated("60", "1904-03-01", date="1904-03-01"),
    "a day before 1904": number("-1", "-1", style=1, date="invalid_date"),
    "the last day of 1904": dated("2957003", "9999-12-31", date="9999-12-31"),
    "a day after the last": number("2957004", "2957004", style=1, date="invalid_date"),
    "a time of 1904": dated("0.75", "18:00:00", style=3),
    "a moment of 1904": dated("43538.75", "2023-03-15 18:00:00", style=2, stamp="2023-03-15 18:00:00"),
    "an ISO date in 1904": iso("2024-02-29", "2024-02-29", date="2024-02-29"),
}


def through(path: Path, cases: dict[str, Case], date1904: bool) -> dict[str, Cell]:
    """What each case's cell becomes in the reading process."""
    rows = (f'<row r="{at}"><c r="A{at}"{case.markup}</c><c r="B{at}"><v>1</v></c></row>' for at, case in enumerate(cases.values(), 2))
    raw(path, header_row("a", "b") + "".join(rows), strings=STRINGS, formats=FORMATS, date1904=date1904)
    with WorkbookReader(Limits()).open(path, SheetSpec()) as batches:
        records = [record for batch in batches for record in batch.to_pylist()]
    assert [record["row"] for record in records] == list(range(2, len(cases) + 2))
    return {name: (record["kinds"][0], record["c1"]) for name, record in zip(cases, records, strict=True)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cell]:
    """Every case's cell, read."""
    folder = tmp_path_factory.mktemp("fidelity")
    return {**through(folder / "1900.xlsx", CASES, False), **through(folder / "1904.xlsx", CASES_1904, True)}


@pytest.mark.parametrize("name", [*CASES, *CASES_1904])
def test_a_cell_arrives_as_its_text(found: dict[str, Cell], name: str) -> None:
    """A value would be spoiled before anybody could judge it."""
    assert found[name] == {**CASES, **CASES_1904}[name].cell


def every_outcome() -> Iterator[tuple[str, str, str]]:
    """Case, column, and what becomes of the cell in it."""
    for name, case in {**CASES, **CASES_1904}.items():
        for column, outcome in case.outcomes.items():
            yield name, column, outcome


@pytest.mark.parametrize(("name", "column", "outcome"), list(every_outcome()))
def test_a_cell_is_a_value_or_a_reason(found: dict[str, Cell], name: str, column: str, outcome: str) -> None:
    """A table would hold another value than the sheet shows, or a row would be lost without a reason."""
    field, reasons = judge(column, found[name])
    assert (reasons[0] if field is None else unescape(field)) == outcome
    assert len(reasons) == (field is None)
