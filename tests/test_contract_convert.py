"""Batches of text rows: the batch converter says what the cells say one by one, and pandera agrees about the rules."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract import convert
from shp_core.contract.cells import CellJudge, Judged
from shp_core.contract.contract import Contract
from shp_core.contract.convert import ConvertedBatch, Converter
from shp_core.contract.frames import to_frame
from shp_core.contract.header import map_header
from shp_core.contract.numbers import Notation
from shp_core.contract.typed import typed_schema
from shp_core.contract.witness import broken_rows, frame_schema
from shp_core.errors import Refusal
from shp_core.publishing.dialect import NULL, row_digest, unescape
from tests.support.contracts import ABSENT, Cell, contract_of, converted, extra_cells, number, text, text_batch
from tests.support.random_contracts import Sheet, sheets


def judged_one_by_one(contract: Contract, rows: list[list[Cell]]) -> list[list[Judged]]:
    """Every cell by itself, with fresh judges: the meaning."""
    judges = [CellJudge(column, Notation(contract.decimal, contract.group)) for column in contract.columns]
    return [[judge.judge(*cell) for judge, cell in zip(judges, row, strict=True)] for row in rows]


def assert_equal_to_cells(contract: Contract, rows: list[list[Cell]], batch: ConvertedBatch) -> None:
    """The batch's clean rows, hashes, rejects, suspects and nulls are those of its cells."""
    judged = judged_one_by_one(contract, rows)
    good = [index for index, cells in enumerate(judged) if not any(cell.reasons for cell in cells)]
    assert batch.typed.column("_row").to_pylist() == [index + 2 for index in good]
    fields = [[cell.field or "" for cell in judged[index]] for index in good]
    assert batch.typed.column("_hash").to_pylist() == [row_digest("\t".join(row)) for row in fields]
    why = {
        index + 2: [(column.name, code) for column, cell in zip(contract.columns, cells, strict=True) for code in cell.reasons]
        for index, cells in enumerate(judged)
        if index not in good
    }
    assert {reject.row: [(reason.column, reason.code) for reason in reject.reasons] for reject in batch.rejects} == why
    ruled = {index + 2 for index, cells in enumerate(judged) if index not in good and all(cell.field is not None for cell in cells)}
    assert set(batch.suspects.column("_row").to_pylist()) == ruled
    for place, column in enumerate(contract.columns):
        blank = [cells[place].field == NULL or cells[place].reasons == ("missing_value",) for cells in judged]
        assert batch.nulls[column.name] == sum(blank)


@given(sheets())
@settings(max_examples=150)
def test_a_batch_says_what_its_cells_say(sheet: Sheet) -> None:
    """Speeding up by batches never changes a row, a reason or a count."""
    if sheet.rows:
        assert_equal_to_cells(sheet.contract, sheet.rows, converted(sheet.contract, sheet.rows))


@given(sheets(most_rows=8), st.sampled_from([("_MEMO_ENTRIES", 1), ("_MEMO_CHARACTERS", 2)]))
@settings(max_examples=60)
def test_forgetting_remembered_cells_changes_nothing(sheet: Sheet, bound: tuple[str, int]) -> None:
    """Files with many different values are judged like small ones: the bounded memory of cells is only a memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, *bound)
        converter = Converter(sheet.contract, map_header([column.header for column in sheet.contract.columns], sheet.contract))
        for _ in range(3):
            if sheet.rows:
                assert_equal_to_cells(sheet.contract, sheet.rows, converter.convert(text_batch(sheet.rows)))


def test_the_memory_of_cells_is_bounded() -> None:
    """A file of long different texts does not fill the worker's memory."""
    contract = contract_of("columns: {A: {type: text}}")
    converter = Converter(contract, map_header(["A"], contract))
    for turn in range(8):
        converter.convert(text_batch([[text(f"{turn}-{index}" + "x" * 30_000)] for index in range(50)]))
        remembered = sum(len(key or "") for memo in converter._columns[0]._memos.values() for key in memo)
        assert remembered <= convert._MEMO_CHARACTERS + 50 * 31_000


@given(sheets(keyed=False))
@settings(max_examples=300)
def test_the_pandera_schema_names_the_same_rows(sheet: Sheet) -> None:
    """Two independent judges agree on every row rule; a bug in one of them cannot load or reject a row silently."""
    if not sheet.rows:
        return
    batch = converted(sheet.contract, sheet.rows)
    table = pa.Table.from_batches([batch.typed, batch.suspects]).combine_chunks()
    found = set().union(*(broken_rows(frame_schema(sheet.contract), piece) for piece in table.to_batches()))
    assert found == set(batch.suspects.column("_row").to_pylist())


@given(sheets(odd=False))
@settings(max_examples=100)
def test_typed_values_are_those_of_the_fields(sheet: Sheet) -> None:
    """What the warehouse gets is exactly what was judged: types add nothing and lose nothing."""
    if not sheet.rows:
        return
    batch = converted(sheet.contract, sheet.rows)
    judged = {index + 2: cells for index, cells in enumerate(judged_one_by_one(sheet.contract, sheet.rows))}
    assert batch.typed.schema == typed_schema(sheet.contract)
    for row in [*batch.typed.to_pylist(), *batch.suspects.to_pylist()]:
        fields = [cell.field for cell in judged[row["_row"]]]
        assert [_spelled(row[name]) for name in sheet.contract.names] == [unescape(field or "") for field in fields]


def _spelled(value: object) -> str | None:
    """A typed value in the dialect's words, made from scratch."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, Decimal):
        return f"{value:f}"
    spelled = str(value)
    return spelled.rstrip("0") if "." in spelled and ":" in spelled else spelled


EVERY_TYPE = """
columns:
  Text: {type: text}
  Whole: {type: integer}
  Big: {type: bigint}
  Exact: {type: decimal, scale: 3, precision: 38}
  Paid: {type: money, currency: USD}
  Day: {type: date, formats: ["%m/%d/%Y"]}
  Moment: {type: timestamp}
  Flag: {type: boolean}
  Note: {type: text, optional: true}
"""


def test_one_row_of_every_type() -> None:
    """Every column type arrives in its own Arrow type with its exact value."""
    cells: list[Cell] = [text("a\tb"), number("-7"), text(str(2**62)), text("-" + "9" * 35 + ".125"), text("-$0.50"), text("1/2/2014")]
    row = [*cells, ("d", "2014-01-02 10:30:00.250000"), ("b", "FALSE"), ABSENT]
    batch = converted(contract_of(EVERY_TYPE), [row])
    assert batch.rejects == []
    values = batch.typed.to_pylist()[0]
    line = "a\\tb\t-7\t4611686018427387904\t-" + "9" * 35 + ".125\t-0.50\t2014-01-02\t2014-01-02 10:30:00.25\tf\t\\N"
    assert values.pop("_hash") == row_digest(line)
    assert {name: str(value) for name, value in values.items()} == {
        "_row": "2",
        "text": "a\tb",
        "whole": "-7",
        "big": "4611686018427387904",
        "exact": "-" + "9" * 35 + ".125",
        "paid": "-0.50",
        "day": "2014-01-02",
        "moment": "2014-01-02 10:30:00.250000",
        "flag": "False",
        "note": "None",
    }
    types = [str(field.type) for field in batch.typed.schema][1:-1]
    assert types[:4] == ["string", "int32", "int64", "decimal128(38, 3)"]
    assert types[4:] == ["decimal128(18, 2)", "date32[day]", "timestamp[us]", "bool", "string"]


def test_a_frame_keeps_exact_values() -> None:
    """The UI's preview and the second witness see decimals and nulls, not binary fractions and NaN."""
    contract = contract_of("columns: {A: {type: decimal, scale: 2}, B: {type: integer, optional: true}, C: {type: date}}")
    frame = to_frame(
        converted(contract, [[number("0.1"), ABSENT, ("d", "0001-01-01")], [number("2"), number("7"), ("d", "9999-12-31")]]).typed
    )
    assert list(frame.index) == [2, 3]
    assert [str(value) for value in frame["a"]] == ["0.10", "2.00"]
    assert list(frame["b"]) == [None, 7]
    assert [str(value) for value in frame["c"]] == ["0001-01-01", "9999-12-31"]


def test_every_broken_rule_is_a_reason_and_the_text_is_kept() -> None:
    """The sender sees all that is wrong with a row at once, beside what the row said."""
    contract = contract_of("columns: {A: {type: integer, min: 5}, B: {type: date}, C: {type: text, max_length: 1}}")
    batch = converted(contract, [[number("3"), text("soon"), text("long")]])
    (reject,) = batch.rejects
    assert reject.row == 2
    assert [(reason.column, reason.code) for reason in reject.reasons] == [("a", "below_min"), ("b", "invalid_date"), ("c", "too_long")]
    assert (reject.kinds, reject.texts) == ("nss", ("3", "soon", "long"))
    assert batch.suspects.num_rows == 0


def test_a_missing_optional_column_is_null_in_every_row() -> None:
    """A feed goes on when an agreed optional column is left out."""
    contract = contract_of("columns: {A: {type: integer}, B: {type: text, optional: true}}")
    batch = converted(contract, [[number("1")], [number("2")]], header=["A"])
    assert [(row["a"], row["b"]) for row in batch.typed.to_pylist()] == [(1, None), (2, None)]
    assert batch.nulls == {"a": 0, "b": 2}
    assert batch.typed.column("_hash").to_pylist()[0] == row_digest("1\t\\N")


def test_columns_in_another_order_give_the_same_rows() -> None:
    """A sender may rearrange columns; the table and its hash do not change."""
    contract = contract_of("columns: {A: {type: integer}, B: {type: text}}")
    one = converted(contract, [[number("1"), text("x")]], header=["A", "B"])
    other = converted(contract, [[text("x"), number("1")]], header=["B", "A"])
    assert one.typed.equals(other.typed)


def test_an_empty_batch_is_no_rows() -> None:
    """A sheet with nothing but a header does not end in a crash."""
    contract = contract_of("columns: {A: {type: integer}}")
    empty = text_batch([[number("1")]]).slice(0, 0)
    batch = Converter(contract, map_header(["A"], contract)).convert(empty)
    assert (batch.typed.num_rows, batch.rejects, batch.nulls) == (0, [], {"a": 0})


STRAY = "columns: {A: {type: integer}}"


@pytest.mark.parametrize("cell", [text("note"), number("1"), ("e", "#REF!"), ("f", None)])
def test_data_without_a_header_refuses_the_file(cell: Cell) -> None:
    """A column that lost its header is noticed, with its letter and its row, instead of being dropped."""
    with pytest.raises(Refusal, match=r"Column B has data \(first in row 3\)") as caught:
        converted(contract_of(STRAY), [[number("1"), ABSENT], [number("1"), cell]], header=["A", ""])
    assert caught.value.code == "column_unknown"


@pytest.mark.parametrize("cell", [ABSENT, text(""), text("  "), text("\u00a0")])
def test_blanks_without_a_header_are_nothing(cell: Cell) -> None:
    """A forgotten blank somewhere beside the table does not cost the whole file."""
    batch = converted(contract_of(STRAY), [[number("1"), cell]], header=["A", ""])
    assert batch.typed.num_rows == 1


def _right(contract: Contract, cells: str) -> ConvertedBatch:
    batch = text_batch([[number("1")], [number("2")]], extra={1: cells})
    return Converter(contract, map_header(["A"], contract)).convert(batch)


def test_cells_right_of_the_header() -> None:
    """Cells beyond the last header are told by their own letter; blanks are nothing; a feed may ignore them."""
    with pytest.raises(Refusal, match=r"Column AB has data \(first in row 3\)"):
        _right(contract_of(STRAY), extra_cells((3, "s", " "), (28, "s", "note")))
    with pytest.raises(Refusal, match="Column C has data"):
        _right(contract_of(STRAY), extra_cells((3, "f", None)))
    assert _right(contract_of(STRAY), extra_cells((3, "s", "  "))).typed.num_rows == 2
    for passing in ('columns: {A: {type: integer}, "": {ignore: true}}', STRAY + "\nrules: {unknown_columns: ignore}"):
        assert _right(contract_of(passing), extra_cells((3, "s", "note"))).typed.num_rows == 2
