"""What is proposed from a sample: the evidence of every cell, nothing guessed, and a file that is sound as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.proposing.decide import Answers
from shp_core.proposing.forms import DATE_FORMS, NOTATIONS, number_in, split_time
from shp_core.proposing.header import Row, find_header
from shp_core.proposing.text import quoted, scalar, sequence
from tests.support.proposals import Value, column_of, decided, feed_in, file_for, open_questions, sheet_of


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ([1, 2, -3], {"type": "integer"}),
        ([1, 2**31], {"type": "bigint"}),
        ([1, 2**63], {"type": "decimal", "scale": 0, "precision": 22}),
        ([1.5, 8625.389999999999], {"type": "decimal"}),
        ([0.125, 1], {"type": "decimal", "scale": 3}),
        ([0.5], {"type": "decimal", "scale": 1}),
        (["12", "7"], {"type": "integer"}),
        (["1,234.50", "2.25"], {"type": "decimal"}),
        (["00123", "00124"], {"type": "text"}),
        (["+49171", "+49172"], {"type": "text"}),
        (["0", "0.5"], {"type": "decimal", "scale": 1}),
        (["$1,234.50", "$2.00"], {"type": "money", "currency": "USD"}),
        (["1.234,50 €", "2,00 €"], {"type": "money", "currency": "EUR"}),
        (["CHF 5.00", 7], {"type": "money", "currency": "CHF"}),
        (["$5.00", "£5.00"], {"type": "text"}),
        (["12 pcs", "3 pcs"], {"type": "text"}),
        ([True, False], {"type": "boolean"}),
        (["true", "False"], {"type": "boolean"}),
        (["yes", "no"], {"type": "text"}),
        (["a", 1], {"type": "text"}),
        ([("d", "2026-01-02")], {"type": "date"}),
        ([("d", "2026-01-02 10:00:00")], {"type": "timestamp"}),
        ([("d", "2026-01-02 00:00:00")], {"type": "date"}),
        (["2026-01-02", "2026-01-03"], {"type": "date", "formats": ["%Y-%m-%d"]}),
        (["20260102", "20260103"], {"type": "date", "formats": ["%Y%m%d"]}),
        (["20261302", "20260103"], {"type": "integer"}),
        (["13.02.2026", ("d", "2026-01-02")], {"type": "date", "formats": ["%d.%m.%Y"]}),
        (["1/2/2026", "1/31/2026"], {"type": "date", "formats": ["%m/%d/%Y"]}),
        (["1/2/2026", "31/1/2026"], {"type": "date", "formats": ["%d/%m/%Y"]}),
        (["01-02-26", "13-02-26"], {"type": "date", "formats": ["%d-%m-%y"]}),
        (["3 Feb 2026", "4 Jan 2026"], {"type": "date", "formats": ["%d %b %Y"]}),
        (["31.01.2026 10:30", "01.02.2026 9:05"], {"type": "timestamp", "formats": ["%d.%m.%Y %H:%M"]}),
        (["1/31/2026 10:30:05 PM"], {"type": "timestamp", "formats": ["%m/%d/%Y %I:%M:%S %p"]}),
        (["2026-01-31T10:30:00Z"], {"type": "timestamp", "formats": ["%Y-%m-%dT%H:%M:%SZ"]}),
        (["soon", "31.01.2026"], {"type": "text"}),
        (["٣", "٤"], {"type": "text"}),
        ([None, 1], {"type": "integer", "optional": True}),
        (["  ", "x"], {"type": "text", "optional": True}),
        ([None, None], {"type": "text", "optional": True}),
        ([("e", "#N/A"), 1], {"type": "integer"}),
    ],
)
def test_types_follow_from_the_whole_column(values: list[Value], keys: dict[str, object]) -> None:
    """People would have to find out types and forms cell by cell, or sound rows would be rejected."""
    assert column_of(*values) == keys


@pytest.mark.parametrize("values", [["1/2/2026", "3/4/2026"], ["01.02.2026", "12.12.2026"], ["5-5-26"]])
def test_an_order_of_days_without_evidence_is_asked_for(values: list[Value]) -> None:
    """Half of all dates would be wrong, and none of them would look it."""
    assert open_questions(*values) == [("dates", ("A",))]
    formats = [column_of(*values, answers=Answers(dates=order))["formats"][0] for order in ("day-first", "month-first")]
    assert formats[0].startswith("%d") and formats[1].startswith("%m")
    assert open_questions(*values, "13.1.2026" if "." in str(values) else "13/1/2026", answers=Answers("day-first")) == []


def test_evidence_goes_before_an_answer() -> None:
    """An answer about one column would turn the dates of another around."""
    rows: list[list[Value]] = [["A", "B"], ["1/2/2026", "1/2/2026"], ["3/4/2026", "31/1/2026"]]
    columns = decided(rows, Answers(dates="month-first")).columns
    assert [column.keys["formats"] for column in columns] == [["%m/%d/%Y"], ["%d/%m/%Y"]]


def test_a_decimal_sign_without_evidence_is_asked_for() -> None:
    """1.234 would be loaded as a thousand times too much or too little."""
    assert open_questions("1.234", "5.678") == [("numbers", ("A",))]
    assert column_of("1.234", "5.678", answers=Answers(numbers="point")) == {"type": "decimal", "scale": 3}
    assert column_of("1.234", "5.678", answers=Answers(numbers="comma")) == {"type": "integer"}
    assert open_questions("1.234", "5.67") == []


def test_one_column_tells_the_notation_of_all() -> None:
    """A question would be asked that the sheet itself answers."""
    found = decided([["A", "B"], ["1.234", "1,5"], ["5.678", "2,5"]])
    assert found.notation == (",", ".")
    assert [column.keys["type"] for column in found.columns] == ["integer", "decimal"]


def test_numbers_without_signs_need_no_notation() -> None:
    """The file would speak of a notation that no cell has."""
    assert decided([["A"], [1.5], [2]]).notation is None
    assert decided([["A"], ["15"], ["2"]]).notation == (".", ",")


def test_a_slip_among_many_changes_no_type() -> None:
    """One `n.a.` in a thousand amounts would make the column text, and every check on it impossible."""
    many: list[Value] = [*range(200)]
    assert column_of(*many, "n.a.")["type"] == "integer"
    assert column_of(*many[:10], "n.a.")["type"] == "text"
    assert column_of(*many, *["n.a."] * 5)["type"] == "text"
    days: list[Value] = [("d", f"2026-01-{day:02}") for day in range(1, 29)]
    assert column_of(*days, ("d", "2026-02-01 10:00:00")) == {"type": "date"}
    assert column_of(*["$5"] * 30, "€5")["currency"] == "USD"
    (column, _) = decided([["A", "B"], *([value, "x"] for value in [*many, "n.a."])]).columns
    assert column.remark == "does not fit 1 cell of the sample"


def test_keys_are_columns_that_tell_all_rows_apart() -> None:
    """Corrected files could not replace rows, or sound rows would be rejected as twins."""
    rows: list[list[Value]] = [["Order ID", "Region", "Total"], [1, "N", 1.5], [2, "N", 2.5], [3, "S", 3.5]]
    assert decided(rows).keys == [("Order ID",)]
    assert decided([*rows, [3, "S", 4.5]]).keys == []
    pair: list[list[Value]] = [["Warehouse", "SKU", "On"], ["A", "1", 5], ["A", "2", 5], ["B", "1", 5]]
    assert decided(pair).keys == [("Warehouse", "SKU")]
    assert decided([*pair, [None, "2", 5]]).keys == []


def test_a_column_that_happens_to_differ_is_no_key() -> None:
    """A remark would become the key of a table."""
    text = file_for([["Remark", "Count"], ["a", 1], ["b", 1]])
    assert feed_in(text).key == []
    assert "# key: [Remark]" in text
    assert feed_in(file_for([["Remark No", "Count"], ["a", 1], ["b", 1]])).key == ["Remark No"]


def test_headers_are_found_below_titles() -> None:
    """Title rows are common; the feed would look for columns called like the report."""
    rows: list[list[Value]] = [["Stock of November"], [], ["Item", "Count", "Day"], ["pen", 3, "x"], ["ink", 4, "y"]]
    assert sheet_of(rows).header == 3
    assert sheet_of(rows, header=4).headers == {1: "pen", 2: "3", 3: "x"}
    assert find_header([Row(1, {1: ("n", "5"), 2: ("n", "6")}), Row(2, {1: ("s", "A"), 2: ("s", "B")})]) == 2
    assert find_header([Row(7, {1: ("n", "5")})]) == 7
    assert find_header([Row(1, {1: ("s", " ")})]) is None


def test_columns_that_no_feed_can_name() -> None:
    """The proposal would be refused for twin or missing headers, which only the sender can mend."""
    rows: list[list[Value]] = [[None, "A", "B", "B", "數量", "a", "xmin"], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8]]
    feed = feed_in(file_for(rows))
    assert {header: column.ignore for header, column in feed.columns.items()} == {
        "": True,
        "A": False,
        "B": True,
        "數量": False,
        "a": False,
        "xmin": False,
    }
    assert [feed.columns[header].name for header in ("A", "數量", "a", "xmin")] == [None, "column_5", "column_6", "column_7"]


def test_no_value_of_a_cell_stands_in_the_file() -> None:
    """A feed file is shared and committed; personal data of the sample would be, too."""
    text = file_for([["Name", "E-Mail"], ["Ada Secret", "ada@secret.example"], ["Bob Secret", "bob@secret.example"]])
    assert "ecret" not in text
    assert "personal data? then pii: true" in text


@pytest.mark.parametrize(
    "text", ["a", "true", "2024", "a: b", "#", "- x", '"', "\\", "\x00\x85\u2028", "😀", "Größe (cm)", "a, b", "", "~"]
)
def test_every_header_is_spelled_so_that_it_is_read_again(text: str) -> None:
    """A feed file would be broken by a header."""
    from shp_core.feeds.yamltext import read_yaml

    assert read_yaml(f"{{{scalar(text)}: {quoted(text)}}}") == ({text: text}, [])
    assert read_yaml(f"a: {sequence([text])}") == ({"a": [text]}, [])


def test_the_forms_that_are_known() -> None:
    """A proposal would name a form that a feed file cannot hold."""
    from shp_core.contract.dates import form_problem

    assert [form for form in DATE_FORMS if form_problem(form)] == []
    assert split_time("1.2.2026 10:30") == ("1.2.2026", " %H:%M")
    assert split_time("1.2.2026") == ("1.2.2026", "")
    assert [number_in("s", "1'234.5", notation) is not None for notation in NOTATIONS] == [False, False, False, False, True, False]


HEADERS = st.lists(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12), min_size=1, max_size=5)
CELLS = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.sampled_from(["1.234", "1,5", "13.02.2026", "2/13/2026", "2026-01-02", "$5", "5 €", "00123"]),
)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), headers=HEADERS)
def test_whatever_a_sheet_holds_the_proposal_is_sound(data: st.DataObject, headers: list[str]) -> None:
    """`feeds check` would complain about a file that the platform itself wrote."""
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(headers), max_size=len(headers)), max_size=6))
    sheet = sheet_of([headers, *rows], header=1)
    known = [header for header in sheet.headers.values() if header]
    if all(known.count(header) > 1 for header in known):
        return  # the command says that there is no header
    from shp_core.proposing.decide import decide
    from shp_core.proposing.text import Proposal

    decision = decide(sheet, Answers("day-first", "point"))
    feed = feed_in(Proposal("things", "team:things", "a.xlsx", sheet.rows, {"match": "*.xlsx"}, decision).text)
    assert {" ".join(header.split()) for header in headers} - {""} <= set(feed.columns)
