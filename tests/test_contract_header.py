"""The header: which column of the sheet is which, and what is said when they do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.contract.header import Mapping, column_letters, map_header
from shp_core.errors import Refusal
from tests.support.contracts import contract_of

COLUMNS = """
columns:
  "": {ignore: true}
  Order ID: {type: integer}
  Region: {type: text}
  Remark: {type: text, optional: true}
  Internal: {ignore: true}
"""
STRICT = COLUMNS.replace('  "": {ignore: true}\n', "")
LENIENT = STRICT + "rules: {unknown_columns: ignore}"


def refused(header: list[str], described: str = COLUMNS) -> tuple[str, str, dict[str, Any]]:
    """Code, message and details of the refusal of a header."""
    with pytest.raises(Refusal) as caught:
        map_header(header, contract_of(described))
    return str(caught.value.code), caught.value.message, caught.value.details


def test_columns_are_found_by_header_wherever_they_stand() -> None:
    """Rearranged columns, ignored columns and an index column are no problem."""
    found = map_header(["", "Region", "Internal", "Remark", "Order ID"], contract_of(COLUMNS))
    assert found == Mapping(positions=(4, 1, 3), stray=(), width=5, extra_allowed=True)


@pytest.mark.parametrize("title", ["Order  ID", " Order ID ", "Order\nID", "Order\u00a0ID"])
def test_blanks_in_headers_do_not_count(title: str) -> None:
    """A line break or a double blank in a header cell is not drift."""
    assert map_header([title, "Region"], contract_of(COLUMNS)).positions == (0, 1, None)


def test_an_optional_column_may_be_missing() -> None:
    """Optional means that the whole column may be left out."""
    assert map_header(["Order ID", "Region"], contract_of(STRICT)) == Mapping((0, 1, None), (), 2, False)


def test_missing_and_unknown_columns_are_told_together() -> None:
    """A renamed column is seen as one: the old and the new name stand in one message."""
    code, message, details = refused(["Order ID", "Area", "region"])
    assert code == "column_missing"
    assert message == "The header lacks 'Region'; it has 'Area', 'region', which the feed does not know."
    assert details == {"missing": ["Region"], "unknown": ["Area", "region"]}


def test_unknown_columns_alone() -> None:
    """A new column is drift to look at, not something to drop silently."""
    code, message, details = refused(["Order ID", "Region", "Discount"])
    assert (code, message) == ("column_unknown", "The header has 'Discount', which the feed does not know.")
    assert details == {"missing": [], "unknown": ["Discount"]}


def test_unknown_columns_may_be_ignored_but_missing_ones_never() -> None:
    """The lenient policy is about extra columns; a required column is still required."""
    assert map_header(["Order ID", "Region", "Discount", "", "Discount"], contract_of(LENIENT)) == Mapping((0, 1, None), (), 5, True)
    code, _, details = refused(["Order ID", "Discount"], LENIENT)
    assert (code, details) == ("column_missing", {"missing": ["Region"], "unknown": []})


def test_a_column_that_stands_twice() -> None:
    """With two columns of one name nobody chooses silently."""
    code, message, details = refused(["Order ID", "Region", " Region "])
    assert (code, details) == ("column_twice", {"twice": ["Region"]})
    assert "more than one column called 'Region'" in message
    assert refused(["Order ID", "Region", "Region"], LENIENT)[0] == "column_twice"
    assert refused(["Order ID", "Region", "Remark", "Remark"])[0] == "column_twice"


def test_ignored_columns_may_stand_twice() -> None:
    """What is passed over anyway cannot be ambiguous."""
    assert map_header(["", "", "Internal", "Internal", "Order ID", "Region"], contract_of(COLUMNS)).positions == (4, 5, None)


@pytest.mark.parametrize("header", [[], [""], ["", " ", "\n"]])
def test_a_blank_header_row(header: list[str]) -> None:
    """A header in another row is told as such, with the row that was looked at."""
    code, message, _ = refused(header)
    assert (code, message) == ("header_missing", "Row 1 of the sheet is blank; the header was expected there.")


def test_columns_without_a_header_must_hold_no_data() -> None:
    """Unnamed columns are watched unless the feed ignores them."""
    assert map_header(["Order ID", "", "Region", ""], contract_of(STRICT)).stray == (1, 3)
    assert map_header(["Order ID", "", "Region", ""], contract_of(COLUMNS)).stray == ()


def test_messages_stay_readable() -> None:
    """A sheet with thousands of foreign columns gives a message of bounded size."""
    _, message, details = refused(["Order ID", "Region", *(f"{place} {'x' * 500}" for place in range(2_000))])
    assert len(message) < 2_000
    assert message.endswith("and 1980 more, which the feed does not know.")
    assert sum(map(len, details["unknown"])) < 10_000


@pytest.mark.parametrize(("position", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")])
def test_columns_are_named_as_the_sheet_names_them(position: int, letters: str) -> None:
    """A message points at the column that a person sees."""
    assert column_letters(position) == letters


_TITLES = st.lists(st.sampled_from(["Order ID", "Region", "Remark", "Internal", "", "Other", " Region"]), max_size=7)


@given(_TITLES, st.sampled_from([COLUMNS, STRICT, LENIENT]))
def test_a_header_fits_or_is_refused_with_a_code(titles: list[str], described: str) -> None:
    """Whatever the header row holds, the mapping is right or the file is refused; nothing is assigned by position."""
    contract = contract_of(described)
    try:
        found = map_header(titles, contract)
    except Refusal as refusal:
        assert refusal.code in ("header_missing", "column_missing", "column_unknown", "column_twice")
        return
    for column, position in zip(contract.columns, found.positions, strict=True):
        assert (position is None and column.optional) or titles[position or 0].strip() == column.header
    assert found.width == len(titles)
