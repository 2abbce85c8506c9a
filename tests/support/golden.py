"""The committed table of conversions: a fixed set of cells in a fixed set of columns, and what becomes of each.

Run `python -m tests.support.golden` to write the table anew, after CONVERTER_VERSION was raised.
"""

from __future__ import annotations

import json
from pathlib import Path

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.contract.numbers import Notation
from tests.support.contracts import Cell, column_of

PATH = Path(__file__).parent.parent / "golden" / "conversions.json"

NOTATIONS = (".,", ",.")
COLUMNS = (
    "{type: text}",
    "{type: text, optional: true, transform: [collapse, upper], max_length: 8}",
    "{type: text, transform: [strip, title], pattern: '[A-Z].*'}",
    "{type: text, in: [a, b, '1']}",
    "{type: integer}",
    "{type: integer, min: 0, max: 1234}",
    "{type: bigint, optional: true, in: [1, 9007199254740993]}",
    "{type: decimal, scale: 2}",
    "{type: decimal, scale: 0, precision: 38}",
    "{type: decimal, scale: 6, precision: 12, min: -1.5}",
    "{type: money, currency: USD}",
    "{type: money, currency: EUR, scale: 3, max: 1000}",
    "{type: date, formats: ['%m/%d/%Y']}",
    "{type: date, formats: ['%d.%m.%Y', '%d %b %y', '%Y%m%d'], min: 2014-01-01}",
    "{type: timestamp, formats: ['%m/%d/%Y %I:%M %p', '%Y-%m-%dT%H:%M:%S.%f']}",
    "{type: boolean}",
    "{type: boolean, optional: true}",
)

_NUMBERS = (
    *("0", "-0", "1", "-1", "7", "1234", "1235", "2147483647", "2147483648", "-2147483648", "-2147483649", "9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "0.1", "0.5", "0.30000000000000004", "8625.389999999999", "8625.39", "12.345"),
    *("12.3450001", "0.005", "1e-7", "1e308", "1e-320", "1125899906842624.25", "3.00004", "3.001", "99999.995"),
)
_TEXTS = (
    *("", " ", "\u00a0", "a", " a ", "b", "A  b\tc", "straße", "café", "o\0o", "\\N", "x\\y\r\nz\x0b", "00123", "1", " 1 ", "+1", "-1"),
    *("1.", ".5", "1,234", "1.234", "1234.5", "1,234.50", "1.234,50", "0,123", "12,34", "1 234", "1e3", "12.340", "12.345", "(5)", "5-"),
    *("−5", "٣", "$1,234.50", "-$5.00", "$-5", "- 5", "$5 USD", "USD 5", "5 USD", "€5", "5 €", "1.000,00 €", "EUR 5", "$5.001", "US$5"),
    *("₹5", "5 pcs", "9" * 30, "-" + "9" * 16 + ".99", "123456789012345678901234567890.12"),
    *("1/2/2014", "01/02/2014", "12/31/2014", "2/29/2014", "2/30/2014", "13/1/2014", "1/2/14", "2014-01-02", "1/2/2014 10:30"),
    *("1/2/2014 12:05 am", "1/2/2014 12:05 PM", "1/2/2014 13:05 PM", "2.1.2014", "31.12.2013", "2 Jan 14", "2 JAN 68", "20140102"),
    *("2014112", "2014-01-02T10:30:00.5", "TRUE", "true", " False ", "yes", "soon", "#REF!"),
)
_DATES = (
    *("2014-01-02", "2013-12-31", "0001-01-01", "9999-12-31", "1900-02-29", "2014-01-02 00:00:00", "2014-01-02 10:30:00"),
    *("2014-01-02 10:30:00.250000", "2014-01-02 10:30:00.000001", "10:30:00", "2014-1-2"),
)

CELLS: tuple[Cell, ...] = (
    *(("n", spelled) for spelled in _NUMBERS),
    *(("s", spelled) for spelled in _TEXTS),
    *(("d", spelled) for spelled in _DATES),
    *(("b", "TRUE"), ("b", "FALSE"), ("e", "#REF!"), ("e", "#N/A"), ("f", None), ("-", None)),
    *(("x", "a text cut o"), ("x", "12345"), ("r", "1"), ("r", "2014-01-02"), ("r", None)),
)


def table() -> dict[str, dict[str, str]]:
    """By column, with the feed's notation, and by cell (kind and JSON text): `= field`, `! reasons`, or both."""
    judges = {f"{column} {notation}": CellJudge(column_of(column), Notation(*notation)) for column in COLUMNS for notation in NOTATIONS}
    return {name: {f"{kind} {json.dumps(text)}": _outcome(judge, (kind, text)) for kind, text in CELLS} for name, judge in judges.items()}


def _outcome(judge: CellJudge, cell: Cell) -> str:
    judged = judge.judge(*cell)
    reasons = f"! {' '.join(judged.reasons)}" if judged.reasons else ""
    return " ".join(filter(None, (f"= {judged.field}" if judged.field is not None else "", reasons)))


def write() -> None:
    """Write the table as it is now."""
    content = {"converter_version": CONVERTER_VERSION, "conversions": table()}
    PATH.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
