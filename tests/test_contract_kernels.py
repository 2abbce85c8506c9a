"""The Arrow kernels agree with the reference, or decline."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.contract import Contract
from shp_core.contract.convert import ConvertedBatch, Converter
from shp_core.contract.header import map_header
from shp_core.contract.kernels import Declined, Kernels
from tests.support.contracts import Cell, contract_of, text_batch
from tests.support.fuzzing import examples
from tests.support.random_contracts import Sheet, sheets


def both(contract: Contract, rows: Sequence[Sequence[Cell]]) -> tuple[ConvertedBatch, ConvertedBatch]:
    """What the converter makes of the rows, and what the reference makes of them."""
    mapping = map_header([column.header for column in contract.columns], contract)
    batch = text_batch(rows)
    return Converter(contract, mapping).convert(batch), Converter(contract, mapping).by_reference(batch)


def taken(contract: Contract, rows: Sequence[Sequence[Cell]]) -> int:
    """How many of the rows the kernels take."""
    mapping = map_header([column.header for column in contract.columns], contract)
    try:
        return int(Kernels(contract, mapping.positions).convert(text_batch(rows)).typed.num_rows)
    except Declined:
        return 0


def assert_equal(fast: ConvertedBatch, reference: ConvertedBatch) -> None:
    """Every field of two converted batches is the same."""
    assert fast.typed.equals(reference.typed), (fast.typed.to_pylist(), reference.typed.to_pylist())
    assert fast.typed.schema.equals(reference.typed.schema)
    assert fast.keys == reference.keys
    assert fast.rejects == reference.rejects
    assert fast.suspects.equals(reference.suspects)
    assert fast.nulls == reference.nulls


@given(sheets(odd=False))
@settings(max_examples=examples(150))
def test_kernels_agree_on_sheets_that_mostly_pass(sheet: Sheet) -> None:
    """The fast path would load other values than the rules say, and nobody would see it."""
    if sheet.rows:
        assert_equal(*both(sheet.contract, sheet.rows))


@given(sheets(odd=True))
@settings(max_examples=examples(150))
def test_kernels_agree_on_odd_sheets(sheet: Sheet) -> None:
    """Errors, blanks and other kinds would slip through the fast path."""
    if sheet.rows:
        assert_equal(*both(sheet.contract, sheet.rows))


_SPELLED = st.from_regex(r"\A[-+]?\$?[0-9]{0,4}([,.][0-9]{3}){0,2}([.,][0-9]{0,3})?\Z")
_DOUBLES = st.floats(-1e12, 1e12).map(lambda value: f"{value:.15g}") | st.integers(-(10**11), 10**11).map(str)
_TYPES = [
    "integer",
    "bigint",
    "decimal, scale: 2",
    "money, scale: 2, currency: USD",
    "decimal, scale: 0, precision: 6",
    "decimal, scale: 9",
]

_NEARLY = ["25", "5", "0", "3399999999999", "2500000000001", "9999999999", "99999", "2500126", "00000000012", "995000000000001"]


@given(st.lists(_DOUBLES | st.decimals(-9999, 9999, places=2).map(str), min_size=1, max_size=30), st.sampled_from(_TYPES))
@settings(max_examples=examples(200))
def test_kernels_agree_on_number_cells(texts: list[str], type_: str) -> None:
    """Money would differ in the last digit between files of different sizes."""
    contract = contract_of(f"columns: {{A: {{type: {type_}, min: -5000}}}}")
    plain = [text for text in texts if "e" not in text]
    if plain:
        assert_equal(*both(contract, [[("n", text)] for text in plain]))


_WRITTEN = st.from_regex(r"\A-?[0-9]{0,11}(\.[0-9]{0,18})?\Z") | st.tuples(st.integers(-99999, 99999), st.sampled_from(_NEARLY)).map(
    lambda parts: f"{parts[0]}.{parts[1]}"
)


@given(st.lists(_WRITTEN, min_size=1, max_size=12), st.sampled_from(_TYPES), st.booleans())
@settings(max_examples=examples(250))
def test_kernels_agree_on_whatever_digits_and_points_spell(texts: list[str], type_: str, optional: bool) -> None:
    """`.5`, `5.`, `-0` or the noise of a double would mean another amount in a big file than in a small one."""
    contract = contract_of(f"columns: {{A: {{type: {type_}, max: 70000, optional: {str(optional).lower()}}}}}")
    cells: list[Cell] = [("n", text) for text in texts]
    assert_equal(*both(contract, [[cell] for cell in [*cells, *([("-", None)] if optional else [])]]))


@given(
    st.lists(_SPELLED, min_size=1, max_size=30), st.sampled_from(_TYPES), st.sampled_from([(".", ","), (",", "."), (".", ""), (".", " ")])
)
@settings(max_examples=examples(200))
def test_kernels_agree_on_spelled_numbers(texts: list[str], type_: str, notation: tuple[str, str]) -> None:
    """`1.234,50` would be read as another number on the fast path."""
    decimal, group = notation
    contract = contract_of(f"columns: {{A: {{type: {type_}, optional: true}}}}\nnumbers: {{decimal: '{decimal}', group: '{group}'}}")
    assert_equal(*both(contract, [[("s", text)] for text in texts]))


def test_numbers_that_do_not_repeat_take_the_fast_path() -> None:
    """The fast path would be there, agree with everything, and never be used."""
    contract = contract_of("columns: {A: {type: integer}, B: {type: money, currency: USD}, C: {type: money, currency: USD}}")
    rows = [[("n", str(1_000_000_000 + number)), ("n", f"{number}.25"), ("s", f"${number},000.5")] for number in range(1, 60)]
    assert taken(contract, rows) == len(rows)
    assert_equal(*both(contract, rows))


def test_noise_in_a_few_numbers_does_not_cost_the_fast_path() -> None:
    """One `21.340000000002` in a column of a million would make the file ten times slower."""
    contract = contract_of("columns: {A: {type: money, currency: USD}}")
    rows: list[list[Cell]] = [[("n", f"{number}.5")] for number in range(50)] + [[("n", "21.340000000002")]]
    assert taken(contract, rows) == len(rows)
    fast, reference = both(contract, rows)
    assert_equal(fast, reference)
    assert str(fast.typed.column("a")[50]) == "21.34"


@pytest.mark.parametrize("odd", [("e", "#N/A"), ("f", None), ("-", None), ("n", "1.999"), ("s", "ten"), ("n", "9999999999")])
def test_one_bad_cell_leaves_its_row_to_the_reference(odd: Cell) -> None:
    """A reject would be loaded with a made-up value, or make four thousand good rows slow."""
    contract = contract_of("columns: {A: {type: integer}}")
    rows: list[list[Cell]] = [*([("n", str(number))] for number in range(40)), [odd]]
    assert taken(contract, rows) == 40
    fast, reference = both(contract, rows)
    assert_equal(fast, reference)
    assert [reject.row for reject in fast.rejects] == [42]
    assert fast.typed.num_rows == 40


def test_noise_in_most_numbers_does_not_cost_the_fast_path_either() -> None:
    """A third of the amounts in real sales records is spelled like this; each would be converted by itself."""
    contract = contract_of("columns: {A: {type: money, currency: USD}, B: {type: integer}}")
    rows: list[list[Cell]] = [[("n", f"{number}.3399999999999"), ("n", f"{number}.0000000001")] for number in range(100, 200)]
    assert taken(contract, rows) == len(rows)
    fast, reference = both(contract, rows)
    assert_equal(fast, reference)
    assert [str(fast.typed.column(name)[7]) for name in ("a", "b")] == ["107.34", "107"]


def test_blanks_in_optional_columns_do_not_cost_the_fast_path() -> None:
    """Hardly a sheet has a remark in every row."""
    contract = contract_of("columns: {A: {type: integer}, B: {type: text, optional: true}, C: {type: decimal, optional: true}}")
    absent: Cell = ("-", None)
    rows: list[list[Cell]] = [
        [("n", str(number)), ("s", "seen") if number % 2 else absent, absent if number % 3 else ("n", f"{number}.25")]
        for number in range(60)
    ]
    assert taken(contract, rows) == len(rows)
    fast, reference = both(contract, rows)
    assert_equal(fast, reference)
    assert fast.nulls == {"a": 0, "b": 30, "c": 40}


def test_rows_that_went_two_ways_come_out_in_the_order_of_the_sheet() -> None:
    """Rows would be numbered by how they were read; a clean row of another kind of cell stands between two usual ones."""
    contract = contract_of("columns: {A: {type: integer}}\nkey: [A]")
    rows: list[list[Cell]] = [[("s" if number == 20 else "n", str(number))] for number in range(40)]
    assert taken(contract, rows) == 39
    fast, reference = both(contract, rows)
    assert_equal(fast, reference)
    assert fast.keys == [str(number) for number in range(40)]
