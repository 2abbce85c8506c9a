"""The converter's two ways, cell by cell: a batch of one row leaves the kernels nothing to hide behind."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shp_core.contract import column_kernel, convert
from shp_core.contract.convert import Converter
from shp_core.contract.header import map_header
from tests.support.contracts import Cell, contract_of, text_batch
from tests.support.golden import CELLS, COLUMNS, NOTATIONS


@cache
def converter(column: str, notation: str) -> Converter:
    """A converter of one column, described in YAML."""
    contract = contract_of(f"columns: {{A: {column}}}\nnumbers: {{decimal: '{notation[0]}', group: \"{notation[1:]}\"}}")
    return Converter(contract, map_header(["A"], contract))


def outcome(made: convert.ConvertedBatch) -> tuple[object, ...]:
    """All that a converted batch says, comparable."""
    return made.typed.to_pylist(), made.typed.schema, made.keys, made.rejects, made.suspects.to_pylist(), made.nulls


def assert_twins_agree(column: str, notation: str, cell: Cell) -> None:
    """One cell gives the same by either way."""
    made, batch = converter(column, notation), text_batch([[cell]])
    assert outcome(made.convert(batch)) == outcome(made.by_reference(batch)), (column, notation, cell)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("notation", NOTATIONS)
def test_every_cell_of_the_golden_table(column: str, notation: str) -> None:
    """The committed table of conversions holds for the fast way, too."""
    for cell in CELLS:
        assert_twins_agree(column, notation, cell)


_NUMERIC = ["{type: integer}", "{type: bigint}", "{type: decimal}", "{type: decimal, scale: 6, precision: 7}"]
_NUMERIC += ["{type: money, currency: USD}"]
_GROUPED = r"\A-?\$?[0-9]{1,4}([,.' ][0-9]{3}){0,4}([.,][0-9]{0,7})?\Z"
_SPELLED = st.text(alphabet="01239,.-+$€' \u2019\u00a0", max_size=10) | st.from_regex(_GROUPED)


@given(_SPELLED, st.sampled_from("sn"), st.sampled_from(_NUMERIC), st.sampled_from([".,", ",.", ".", ".'", ", "]))
@example("0,123", "s", "{type: integer}", ".,")
@example("-0", "n", "{type: decimal}", ".,")
@settings(max_examples=600)
def test_spelled_numbers(spelled: str, kind: str, column: str, notation: str) -> None:
    """An amount never depends on how many other rows its file has."""
    assert_twins_agree(column, notation, (kind, spelled))


def test_the_kernels_memory_is_bounded() -> None:
    """A file of long different texts does not fill the worker's memory on the fast way either."""
    made = converter("{type: text}", ".,")
    for turn in range(8):
        made.convert(text_batch([[("s", f"{turn}-{index}" + "x" * 30_000)] for index in range(50)]))
    (column,) = made._kernels._columns
    assert 0 < sum(len(text or "") for _, text in column._memo.fields) <= column_kernel._MAX_MEMO_CHARACTERS + 50 * 31_000
    assert 0 < column._known["s"].learnt.texts.nbytes <= column_kernel._MAX_KNOWN_BYTES + 50 * 31_000
