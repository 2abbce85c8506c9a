"""A drift taken up in a feed file: the fewest changes, comments and order kept, and the file says what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.contract.compile import compile_contract
from shp_core.drift.diagnose import Change, Drift, Finding, diagnose
from shp_core.drift.patch import CannotPatch, expected, patched, taken_up
from shp_core.feeds.model import Feed
from shp_core.feeds.yamltext import read_yaml
from tests.support.drifts import FILE, HEADER, contract, top


def feed(text: str) -> Feed:
    """The feed that a file's text describes."""
    data, problems = read_yaml(text)
    assert not problems
    return Feed.model_validate(data)


def taken(text: str, *findings: Finding, ignore_new: bool = False) -> str:
    """The text after these findings were taken up; it says what was meant."""
    wanted = taken_up(Drift(findings), ignore_new=ignore_new)
    after = patched(text, wanted)
    data, _ = read_yaml(text)
    assert feed(after) == Feed.model_validate(expected(data, wanted))
    return after


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def alias(column: str, name: str) -> Finding:
    """A renamed column."""
    return Finding(Change.RENAMED, column, name, {"aliases": [name]})


def test_an_alias_in_a_line() -> None:
    """The comment behind a column would be lost, or the whole file written anew."""
    after = taken(FILE, alias("Order ID", "Order No."))
    assert lines_changed(FILE, after) == (
        ["  Order ID: {type: integer, min: 1}   # the shop's own"],
        ['  Order ID: {type: integer, min: 1, aliases: ["Order No."]}   # the shop\'s own'],
    )


def test_one_alias_more_in_a_list_and_in_a_block() -> None:
    """A second renaming would drop the first."""
    assert 'aliases: [Note, "Memo"]' in taken(FILE, alias("Remark", "Memo"))
    gone, came = lines_changed(FILE, taken(FILE, alias("Amount", "Total: paid")))
    assert (gone, came) == ([], ['      - "Total: paid"'])


def test_the_header_and_the_sheet_are_found_elsewhere() -> None:
    """Another row of the header could only be written by hand."""
    moved = Finding(Change.HEADER_MOVED, found=4)
    renamed = Finding(Change.SHEET_RENAMED, found='Orders "2026"')
    assert 'source: {match: "*.xlsx", sheet: "Orders \\"2026\\"", header: 4}' in taken(FILE, moved, renamed)
    without = FILE.replace('source: {match: "*.xlsx", sheet: 1, header: 1}\n', "")
    assert lines_changed(without, taken(without, moved)) == ([], ["source: {header: 4}"])
    block = FILE.replace('source: {match: "*.xlsx", sheet: 1, header: 1}', 'source:\n  match: "*.xlsx"  # all\n')
    assert lines_changed(block, taken(block, moved)) == ([], ["  header: 4"])


def test_new_columns_are_taken_up_or_passed_over() -> None:
    """A new column would stand among the wrong ones, or below a comment about another key."""
    new = Finding(Change.ADDED, "Size: cm", None, {"type": "decimal", "scale": 1, "optional": True})
    gone, came = lines_changed(FILE, taken(FILE, new))
    assert (gone, came) == ([], ['  "Size: cm": {type: decimal, scale: 1, optional: true}'])
    assert '  "Size: cm": {ignore: true}' in taken(FILE, new, ignore_new=True)
    in_a_line = "feed: a\nowner: team:a\ncolumns: {A: {type: text}}\n"
    assert 'columns: {A: {type: text}, "Size: cm": {type: decimal' in taken(in_a_line, new)


def test_a_missing_column_becomes_optional() -> None:
    """A column that is sent no more would hold every file, or its definition would be lost."""
    missing = Finding(Change.MISSING, "Region", None, {"optional": True})
    assert "  Region:   {type: text, max_length: 20, optional: true}" in taken(FILE, missing)
    said = FILE.replace("max_length: 20}", "optional: false}")
    assert "  Region:   {type: text, optional: true}" in taken(said, missing)
    gone, came = lines_changed(FILE, taken(FILE, Finding(Change.MISSING, "Amount", None, {"optional": True})))
    assert (gone, came) == ([], ["    optional: true"])


def test_another_type_keeps_what_the_column_is() -> None:
    """With its new type a column would lose its name in tables, or that it is personal."""
    text = FILE.replace("max_length: 20}", "max_length: 20, name: area, pii: true}")
    after = taken(text, Finding(Change.RETYPED, "Region", "integer", {"type": "integer"}))
    assert "  Region:   {type: integer, name: area, pii: true}" in after
    amount = feed(taken(FILE, Finding(Change.RETYPED, "Amount", "text", {"type": "text"}))).columns["Amount"]
    assert (amount.type, amount.aliases) == ("text", ["Sum paid"])


def test_a_wider_number_keeps_the_rules_of_the_narrower() -> None:
    """Orders below 1 would be loaded from then on, because somebody took up that numbers got longer."""
    after = feed(taken(FILE, Finding(Change.RETYPED, "Order ID", "bigint", {"type": "bigint"}))).columns["Order ID"]
    assert (after.type, after.min) == ("bigint", 1)
    bounded = FILE.replace("Order ID: {type: integer, min: 1}", "Order ID: {type: integer, max: 99, in: [1, 20, 99]}")
    wider = feed(taken(bounded, Finding(Change.RETYPED, "Order ID", "decimal", {"type": "decimal", "scale": 2}))).columns["Order ID"]
    assert (wider.max, wider.in_) == (99, None), "a decimal has no list of values"
    told = feed(taken(FILE, Finding(Change.RETYPED, "Order ID", "text", {"type": "text"}))).columns["Order ID"]
    assert told.min is None


def test_what_nothing_is_proposed_for_is_left() -> None:
    """A guess would be written into the feed file."""
    drift = Drift((Finding(Change.MISSING, "Order ID"), Finding(Change.REORDERED), alias("Region", "Area")))
    assert taken_up(drift) == [alias("Region", "Area")]


@pytest.mark.parametrize(
    "text",
    [
        "feed: a\nowner: team:a\ncolumns:\n  A: &same {type: text}\n  B: *same\n",
        "- no\n- mapping\n",
        "feed: a\nowner: team:a\ncolumns: 3\n",
        "feed: a\nowner: team:a\ncolumns: {B: {}}\n",
    ],
)
def test_a_file_with_no_place_for_the_change_is_left_alone(text: str) -> None:
    """A file that says one thing for two columns would change both, or be broken."""
    with pytest.raises(CannotPatch):
        patched(text, [alias("B", "C")])


def test_line_ends_and_a_last_line_without_one() -> None:
    """A file edited on another system would be torn."""
    block = "feed: a\nowner: team:a\ncolumns:\n  A: {type: text}"
    assert taken(block, Finding(Change.ADDED, "B", None, {"type": "text", "optional": True})).endswith("B: {type: text, optional: true}\n")
    windows = FILE.replace("\n", "\r\n")
    after = patched(windows, [alias("Region", "Area")])
    assert after.replace("\r\n", "\n") == patched(FILE, [alias("Region", "Area")])


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1, max_size=12)


@given(st.permutations(range(5)), st.sets(st.sampled_from(HEADER[1:]), max_size=2), NAMES.filter(lambda name: name not in HEADER))
def test_what_is_accepted_is_no_drift_any_more(order: list[int], shouted: set[str], new: str) -> None:
    """A person would accept, and the partition would be held again for the same."""
    kept = [HEADER[place] for place in order]
    header = [f"{title.upper()} ." if title in shouted else title for title in kept]
    tops = [top([*header, f"Quite new {new}"], (*kept, None))]
    findings = taken_up(diagnose(contract(), tops))
    assert len(findings) == 1 + len(shouted)
    after = patched(FILE, findings)
    assert diagnose(compile_contract(feed(after)), tops).blocking == ()
    for comment in ("# The shops' orders.", "# as the shops call it", "# the shop's own", "# what was paid", "# not money"):
        assert comment in after
