"""A sheet that changed its shape: every kind of change is told apart, and nothing is proposed where two things could be meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.drift.diagnose import Change, diagnose
from shp_core.drift.earlier import alike, earlier
from shp_core.drift.names import likeness, nearly_equal
from shp_core.drift.tops import TOP_ROWS, SheetTop, Tops
from shp_core.drift.words import remedy, sentence, told
from tests.support.contracts import contract_of
from tests.support.drifts import FILE, HEADER, contract, top

REQUIRED = HEADER[:4]


def renamed(**names: str) -> list[str]:
    """The header with other names for some columns, blanks written as underscores."""
    return [names.get(title.replace(" ", "_"), title) for title in HEADER]


def changes(*tops: SheetTop, text: str = FILE) -> list[tuple[str, str, Any]]:
    """What is found: change, column, what the sheet has instead."""
    return [(str(one.change), one.column, one.found) for one in diagnose(contract(text), tops).findings]


def test_the_agreed_shape_is_no_drift() -> None:
    """Every file would come with a warning that nobody reads after a week."""
    assert changes(top()) == []


def test_a_column_of_another_name() -> None:
    """Whoever renames a column would stop the feed, with nothing to agree to."""
    assert changes(top(renamed(Region="Sales region"))) == [("renamed", "Region", "Sales region")]
    assert changes(top(renamed(Order_ID="Order No."))) == [("renamed", "Order ID", "Order No.")]
    assert changes(top(renamed(Amount="Amt"))) == [("renamed", "Amount", "Amt")]


def test_a_column_whose_name_says_nothing_is_known_by_its_cells_and_neighbours() -> None:
    """A date column that is called quite otherwise could only be mapped by hand, though it is the only one with dates."""
    header = renamed(Day="Datum", Amount="Betrag")
    assert changes(top(header)) == [("renamed", "Amount", "Betrag"), ("renamed", "Day", "Datum")]


def test_names_alone_deceive() -> None:
    """A column of texts would be taken for the amounts because it is called nearly like them."""
    found = changes(top(renamed(Amount="Amount text"), ("Order ID", "Region", None, "Day", "Remark")))
    assert found == [("missing", "Amount", None), ("added", "Amount text", None)]


def test_two_that_could_be_meant_are_left_to_a_person() -> None:
    """A guess between two columns would load the wrong one for months."""
    others = ("Order ID", "Region", "Amount", "Remark")
    found = changes(top((*others, "Day a", "Day b"), (*others, "Day", "Day")))
    assert found == [("missing", "Day", None), ("added", "Day a", None), ("added", "Day b", None)]
    place = [*renamed(Day="Day a"), "Day b"]
    assert changes(top(place, (*HEADER, "Day"))) == [("renamed", "Day", "Day a"), ("added", "Day b", None)], "its place tells"


SEEN = {"Region": earlier([("s", ("AT", "DE", "FR")[number % 3]) for number in range(60)])}


def test_values_that_were_there_before_tell_which_column_it_is() -> None:
    """A text column of quite another name could only be mapped by hand, though it holds the very regions of last week."""
    header = ("Order ID", "Colour", "Amount", "Day", "Remark", "Gebiet")
    content = ("Order ID", None, "Amount", "Day", "Remark", "Region")
    assert changes(top(header, content)) == [("missing", "Region", None), ("added", "Colour", None), ("added", "Gebiet", None)]
    found = diagnose(contract(), [top(header, content)], SEEN).findings
    assert [(str(one.change), one.column, one.found) for one in found[:2]] == [("renamed", "Region", "Gebiet"), ("added", "Colour", None)]


def test_values_that_were_never_there_speak_against_a_name() -> None:
    """A new column in the old one's place would be loaded as the regions, for months."""
    header = ("Order ID", "Area", "Amount", "Day", "Remark")
    words = ("Order ID", None, "Amount", "Day", "Remark")
    assert [one.change for one in diagnose(contract(), [top(header, words)], SEEN).findings] == [Change.MISSING, Change.ADDED]


def test_codes_that_never_repeat_are_known_by_their_look() -> None:
    """Every delivery brings new numbers, and a column of them would be like none."""
    before = earlier([("s", f"INV-2026-{number:05}") for number in range(50)])
    assert alike(before, [("s", "INV-2027-99999")]) == 0.75
    assert alike(before, [("s", "inv-2026-00001")]) == 1.0
    assert alike(before, [("s", "Vienna")]) == alike(before, []) == 0.0


def test_a_missing_column_a_new_one_and_another_order() -> None:
    """A missing and a new column would be taken for one that was renamed, or a harmless order for harm."""
    assert changes(top(("Order ID", "Region", "Day", "Remark"), ("Order ID", "Region", "Day", "Remark"))) == [("missing", "Amount", None)]
    assert changes(top((*HEADER, "Colour"), (*HEADER, None))) == [("added", "Colour", None)]
    assert changes(top(HEADER[::-1], HEADER[::-1])) == [("reordered", "", None)]
    assert diagnose(contract(), [top(HEADER[::-1], HEADER[::-1])]).blocking == ()


def test_a_new_column_comes_with_its_type() -> None:
    """A person would have to find out what is in a new column, and write it down right."""
    (found,) = diagnose(contract(), [top((*HEADER, "Shipped"), (*HEADER, "Day"))]).findings
    assert found.keys == {"type": "date", "optional": True}


def test_a_column_that_holds_something_else() -> None:
    """Thousands of rejects would be told, and not that the column holds texts now."""
    found = diagnose(contract(), [top(HEADER, ("Order ID", "Region", None, "Day", "Remark"))]).findings
    assert [(one.change, one.column, one.found, one.keys) for one in found] == [(Change.RETYPED, "Amount", "text", {"type": "text"})]


def test_a_header_that_moved_and_a_sheet_of_another_name() -> None:
    """A title above the table would make every column a missing one."""
    assert changes(top(first=4, title="Orders of November")) == [("header_moved", "", 4)]
    named = FILE.replace("sheet: 1", 'sheet: "Orders"')
    other = top(("Topic", "Person"), (None, None), name="Notes")
    assert changes(other, top(name="Orders 2026"), text=named) == [("sheet_renamed", "", "Orders 2026")]
    moved = changes(other, top(name="Orders 2026", first=3, title="x"), text=named)
    assert moved == [("sheet_renamed", "", "Orders 2026"), ("header_moved", "", 3)]


def test_a_moved_header_and_a_renamed_column_together() -> None:
    """Two changes at once would hide each other."""
    found = changes(top(renamed(Region="Sales region"), first=3, title="November"))
    assert found == [("header_moved", "", 3), ("renamed", "Region", "Sales region")]


def test_what_is_not_recognised_is_not_explained() -> None:
    """A file of another feed would be told as a dozen changes to accept."""
    assert changes(top(("Topic", "Person"), (None, None))) == []
    assert changes() == []


def test_a_key_is_never_made_optional() -> None:
    """Rows without a key would overwrite each other."""
    (found,) = diagnose(contract(), [top(HEADER[1:], HEADER[1:])]).findings
    assert (found.change, found.column, found.keys) == (Change.MISSING, "Order ID", None)
    assert "ask the sender" in remedy(found)


def test_an_alias_is_the_column() -> None:
    """What was accepted once would be asked again with the next file."""
    assert changes(top(renamed(Amount="Sum paid", Remark="Note"))) == []


def test_what_is_ignored_on_purpose_is_no_drift() -> None:
    """A feed that says `unknown_columns: ignore` would be held for a new column after all."""
    assert changes(top((*HEADER, "Colour"), (*HEADER, None)), text=f"{FILE}rules: {{unknown_columns: ignore}}\n") == []


def test_every_finding_has_its_words() -> None:
    """A person would be asked to accept something without being told what."""
    tops = [top((*renamed(Region="Sales region"), "Colour"), (*HEADER, None), first=3, title="x")]
    drift = diagnose(contract(), tops)
    assert told(drift) == "the header seems to stand in row 3 now; 'Region' seems to be called 'Sales region' now; 'Colour' is new"
    assert [remedy(one) for one in drift.findings] == [
        "source: header becomes 3",
        "column 'Region': 'Sales region' is taken for it, too",
        "column 'Colour': is taken up as text",
    ]
    assert all(sentence(one) for one in drift.findings)


def test_a_top_is_bounded() -> None:
    """A sheet of a million rows would be held in memory to find a header."""
    tops = Tops()
    for number in range(1, 3 * TOP_ROWS):
        tops.hear("a", number, 1, "s", "x")
    (found, blank) = tops.of(["a", "b"])
    assert (len(found.rows), found.rows[-1].number, blank.rows) == (TOP_ROWS, TOP_ROWS, [])


@pytest.mark.parametrize(
    ("left", "right", "least", "most"),
    [
        ("Order ID", "order_id", 1.0, 1.0),
        ("Order ID", "OrderId", 0.9, 1.0),
        ("Quantity", "Qty", 0.7, 0.9),
        ("Region", "Sales region", 0.5, 0.9),
        ("Region", "Amount", 0.0, 0.45),
        ("", "Amount", 0.0, 0.0),
        ("Ωμέγα", "ωμέγα", 1.0, 1.0),
    ],
)
def test_likeness(left: str, right: str, least: float, most: float) -> None:
    """Names that everybody takes for one would be two, or the other way round."""
    assert least <= likeness(left, right) <= most


headers = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)


@given(headers, headers)
def test_likeness_is_a_share_and_has_no_sides(left: str, right: str) -> None:
    """What is proposed would depend on which name is asked first."""
    assert 0.0 <= likeness(left, right) == likeness(right, left) <= 1.0
    assert likeness(left, left) == 1.0


@given(st.lists(headers, max_size=5, unique=True), st.lists(headers, max_size=5))
def test_nearly_equal_never_uses_a_name_twice(missing: list[str], unknown: list[str]) -> None:
    """Two columns of the contract would be filled from one column of the sheet."""
    found = nearly_equal(missing, unknown)
    assert len(set(found.values())) == len(found)
    assert set(found) <= set(missing)
    assert set(found.values()) <= set(unknown)


@given(st.permutations(range(5)), st.sets(st.sampled_from(REQUIRED)), st.sets(st.sampled_from(HEADER)), st.integers(0, 2))
def test_every_column_is_told_once(order: list[int], gone: set[str], shouted: set[str], new: int) -> None:
    """A change would be told twice, or not at all, when several come together."""
    kept = [HEADER[place] for place in order if HEADER[place] not in gone]
    header = [title.upper() + "!" if title in shouted else title for title in kept] + [f"Wholly other {number}" for number in range(new)]
    found = diagnose(contract(), [top(header, (*kept, *[None] * new))])
    if not found.findings and len(gone) > 2:
        return  # too little is left to know it by
    by_change: dict[Change, set[str]] = {}
    for one in found.findings:
        by_change.setdefault(one.change, set()).add(one.column)
    assert by_change.get(Change.RENAMED, set()) == {title for title in kept if title in shouted}
    assert by_change.get(Change.MISSING, set()) == gone
    assert len(by_change.get(Change.ADDED, ())) == new
    assert (Change.REORDERED in by_change) == (kept != [title for title in HEADER if title in kept])
    assert Change.RETYPED not in by_change


def test_the_policy_map_takes_a_slip_for_the_column() -> None:
    """A feed whose sender cannot spell would be held every week."""
    from shp_core.contract.header import map_header
    from shp_core.errors import Refusal

    lenient = contract_of(f"{FILE}rules: {{unknown_columns: map}}\n")
    assert map_header(["order id", "REGION", "Ammount", "Day"], lenient).positions == (0, 1, 2, 3, None)
    with pytest.raises(Refusal, match="lacks 'Amount'; it has 'Turnover'"):
        map_header(["Order ID", "Region", "Turnover", "Day"], lenient)
    with pytest.raises(Refusal, match="'Region'"):
        map_header(["Order ID", "region", "REGION", "Amount", "Day"], lenient)


def test_an_alias_beside_its_column_is_a_column_twice() -> None:
    """One of two columns would be dropped without a word."""
    from shp_core.contract.header import map_header
    from shp_core.errors import Refusal

    with pytest.raises(Refusal, match="more than one column called 'Amount'"):
        map_header([*HEADER, "Sum paid"], contract())
    assert map_header(["Sum paid", *HEADER[:2], "Day"], contract()).positions == (1, 2, 0, 3, None)
