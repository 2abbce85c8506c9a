"""A delivery through the contract: conservation, hash, counts, second witness, rules about the whole."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.summary import CheckName, Summary, delivery_refusals, null_shares, rule_counts, volume_usual
from shp_core.contract.typed import typed_schema
from shp_core.contract.validate import WitnessesDisagreeError, validate
from shp_core.errors import Refusal
from shp_core.publishing.dialect import escape, hash_text, row_digest, sum_digests
from shp_core.reading.textrow import CsvForm, SheetStats
from tests.support.contracts import ABSENT, MemoryBench, MemorySource, contract_of, number, text, text_batch, validated
from tests.support.random_contracts import Sheet, sheets


@given(sheets(), st.integers(1, 7))
@settings(max_examples=120)
def test_no_row_is_lost_or_invented(sheet: Sheet, batch_rows: int) -> None:
    """Read = clean + rejected + duplicate, and the artefacts hold what the numbers say."""
    summary, bench = validated(sheet.contract, sheet.rows, batch_rows=batch_rows)
    assert summary.conserved
    assert summary.read == len(sheet.rows)
    assert summary.clean == len(bench.clean_rows())
    assert summary.rejected == len(bench.rejects) == len(bench.why())
    assert not set(bench.why()) & {row["_row"] for row in bench.clean_rows()}
    assert sum(summary.failures.values()) == sum(len(reject.reasons) for reject in bench.rejects)


@given(sheets(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_hash_is_of_the_clean_rows_and_of_nothing_else(sheet: Sheet, shuffle: random.Random) -> None:
    """Anyone can recompute a partition's hash from its rows, in whatever order they stand."""
    summary, bench = validated(sheet.contract, sheet.rows, batch_rows=3)
    lines = [_line(batch.schema.names, row) for batch in bench.clean for row in batch.to_pylist()]
    shuffle.shuffle(lines)
    assert summary.hash == hash_text(sum_digests(map(row_digest, lines)))
    if not sheet.contract.key:
        mixed = list(sheet.rows)
        shuffle.shuffle(mixed)
        assert validated(sheet.contract, mixed)[0].hash == summary.hash


def _line(names: list[str], row: dict[str, object]) -> str:
    return "\t".join(escape(_words(row[name])) for name in names[1:-1])


def _words(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    spelled = format(value, "f") if hasattr(value, "as_tuple") else str(value)
    return spelled.rstrip("0") if ":" in spelled and "." in spelled else spelled


CONTRACT = """
columns: {ID: {type: integer, min: 1}, Name: {type: text, max_length: 3}, Paid: {type: money, currency: USD, optional: true}}
key: [ID]
rules: {max_rejected_share: 0.5, null_share_below: 0.5, volume_within: 0.2, volume: quarantine}
"""


def summary_of(**numbers: object) -> Summary:
    """A summary with these numbers and zeros elsewhere."""
    zeros = {"read": 10, "clean": 10, "rejected": 0, "duplicate": 0, "blank": 0, "after_end": 0, "hash": "0" * 32}
    return Summary(**{**zeros, **numbers})  # type: ignore[arg-type]


def test_counts_and_failures() -> None:
    """The report of a delivery says how often each rule was broken."""
    rows = [
        [number("1"), text("a"), text("$1.50")],
        [number("0"), text("long"), text("€1")],
        [number("2"), ABSENT, ABSENT],
        [("e", "#REF!"), text("a"), ABSENT],
    ]
    summary, bench = validated(contract_of(CONTRACT), rows, batch_rows=2)
    assert (summary.read, summary.clean, summary.rejected, summary.duplicate) == (4, 1, 3, 0)
    assert summary.failures == {
        "id:below_min": 1,
        "id:error_cell": 1,
        "name:missing_value": 1,
        "name:too_long": 1,
        "paid:wrong_currency": 1,
    }
    assert summary.nulls == {"id": 0, "name": 1, "paid": 2}
    assert bench.why()[3] == ["id:below_min", "name:too_long", "paid:wrong_currency"]
    assert Summary.from_dict(summary.as_dict()) == summary


def test_every_rule_is_reported_zeros_too() -> None:
    """The checks in the UI show that a rule was looked at even when it rejected nothing."""
    contract = contract_of(CONTRACT)
    counts = rule_counts(contract, summary_of(failures={"id:below_min": 3, "id:duplicate_key": 2}))
    assert counts[CheckName.RANGES] == {"id: below_min": 3, "name: too_long": 0}
    assert counts[CheckName.KEY] == {"id: duplicate_key": 2}
    assert counts[CheckName.NULLS] == {"id: missing_value": 0, "name: missing_value": 0}
    assert counts[CheckName.TYPES]["paid: wrong_currency"] == 0
    assert set(counts[CheckName.TYPES].values()) == {0}
    assert {"paid: error_cell", "paid: text_cut_off"} <= counts[CheckName.TYPES].keys()
    assert "*: ragged_row" not in counts[CheckName.TYPES]


def test_a_csv_feed_reports_its_ragged_rows_zero_too() -> None:
    """Whether rows were checked for their length could not be seen before the first one that fails."""
    contract = replace(contract_of(CONTRACT), csv=CsvForm())
    assert rule_counts(contract, summary_of())[CheckName.TYPES]["*: ragged_row"] == 0
    found = rule_counts(contract, summary_of(failures={"*:ragged_row": 2}))
    assert found[CheckName.TYPES]["*: ragged_row"] == 2
    assert sum(sum(table.values()) for table in found.values()) == 2


@given(sheets())
@settings(max_examples=80)
def test_no_failure_is_missing_from_the_report(sheet: Sheet) -> None:
    """Every reject shows up in the counts of exactly one check, under a rule that was foreseen."""
    summary, _ = validated(sheet.contract, sheet.rows)
    foreseen = {label for table in rule_counts(sheet.contract, summary_of()).values() for label in table}
    counts = [item for table in rule_counts(sheet.contract, summary).values() for item in table.items()]
    assert {label for label, _ in counts} == foreseen
    assert sum(count for _, count in counts) == sum(summary.failures.values())


def refusals(summary: Summary, usual: float | None = None, described: str = CONTRACT) -> list[str]:
    """The codes of the rules about whole deliveries that are broken."""
    return [str(refusal.code) for refusal in delivery_refusals(contract_of(described), summary, usual)]


def test_the_share_of_rejects() -> None:
    """A delivery is refused when more rows are wrong than agreed, and not one row earlier."""
    assert refusals(summary_of(clean=5, rejected=5)) == []
    assert refusals(summary_of(clean=4, rejected=6, failures={"id:below_min": 6})) == ["too_many_rejects"]
    (refusal,) = delivery_refusals(contract_of(CONTRACT), summary_of(clean=4, rejected=6, failures={"id:below_min": 6}), None)
    assert refusal.message == "6 of 10 rows are rejected (60.0%); the feed allows 50.0%. Most frequent: id below_min (6)."
    assert refusals(summary_of(clean=9, rejected=1), described="columns: {A: {type: text}}\nrules: {max_rejected_share: 0}") == [
        "too_many_rejects"
    ]


def test_the_share_of_blanks() -> None:
    """A column that suddenly comes half empty refuses the delivery; an optional one may be empty."""
    assert refusals(summary_of(nulls={"id": 0, "name": 4, "paid": 10})) == []
    assert refusals(summary_of(nulls={"id": 0, "name": 5, "paid": 10})) == ["too_many_nulls"]
    assert null_shares(contract_of(CONTRACT), summary_of(nulls={"name": 5})) == {"id": 0.0, "name": 0.5}


def test_the_volume() -> None:
    """A file with half the usual rows is held where the feed says so, and only warned about elsewhere."""
    assert [refusals(summary_of(read=read, clean=read), usual=100) for read in (80, 120)] == [[], []]
    assert [refusals(summary_of(read=read, clean=read), usual=100) for read in (79, 121)] == [["volume_out_of_range"]] * 2
    assert refusals(summary_of(read=7, clean=7), usual=None) == []
    warned = CONTRACT.replace("volume: quarantine", "volume: warn")
    assert refusals(summary_of(read=7, clean=7), 100, warned) == []
    assert not volume_usual(contract_of(warned), summary_of(read=7), 100)


def test_a_delivery_without_rows() -> None:
    """An empty sheet never replaces good data unless the feed allows it."""
    assert refusals(summary_of(read=0, clean=0), described="columns: {A: {type: text}}") == ["no_rows"]
    assert refusals(summary_of(read=0, clean=0), described="columns: {A: {type: text}}\nrules: {allow_empty: true}") == []


def test_an_empty_sheet_goes_through() -> None:
    """No rows give zeros and an empty table with the right columns, not a crash."""
    contract = contract_of(CONTRACT)
    bench = MemoryBench()
    summary = validate(contract, MemorySource(("ID", "Name", "Paid"), [], SheetStats("Sheet1", blank=3, after_end=2)), bench)
    assert (summary.read, summary.clean, summary.blank, summary.after_end, summary.hash) == (0, 0, 3, 2, "0" * 32)
    assert bench.clean == []


def test_the_header_is_judged_before_any_row() -> None:
    """A drifted file is refused at once; nothing of it reaches the artefacts."""
    bench = MemoryBench()
    source = MemorySource(("ID", "Title"), [text_batch([[number("1"), text("a")]])])
    with pytest.raises(Refusal, match="lacks 'Name'; it has 'Title'"):
        validate(contract_of(CONTRACT), source, bench)
    assert bench.text == []


def test_progress_is_told_after_every_batch() -> None:
    """The progress bar moves while a big file is read."""
    seen: list[int] = []
    batches = [text_batch([[number(str(place)), text("a"), ABSENT]], place + 1) for place in (1, 2, 3)]
    validate(contract_of(CONTRACT), MemorySource(("ID", "Name", "Paid"), batches), MemoryBench(), seen.append)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("lie", [set(), {2, 3}, {99}])
def test_witnesses_that_disagree_stop_the_delivery(lie: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in one of the two judges never loads a wrong row: the run fails instead."""
    monkeypatch.setattr("shp_core.contract.witness.broken_rows", lambda schema, batch: lie)
    with pytest.raises(WitnessesDisagreeError, match="differ at sheet rows"):
        validated(contract_of(CONTRACT), [[number("1"), text("a"), ABSENT], [number("0"), text("a"), ABSENT]])


class ForgetfulBench(MemoryBench):
    """Drops what it should keep."""

    def put_clean(self, batches: Iterable[pa.RecordBatch] | None) -> None:
        super().put_clean(None if batches is None else list(batches)[:0])

    def text_rows(self, rows: pa.Array) -> list[pa.RecordBatch]:  # type: ignore[override]
        return []


def test_conservation_is_counted_on_what_is_kept() -> None:
    """A reject that got lost on the way is missing in the sums; the check is not a tautology."""
    rows = [[number("1"), text(name), ABSENT] for name in ("a", "b")]
    source = MemorySource(("ID", "Name", "Paid"), [text_batch(rows)])
    assert not validate(contract_of(CONTRACT), source, ForgetfulBench()).conserved


def test_clean_rows_have_the_contract_s_schema() -> None:
    """What goes to the sinks has the declared types, also after keys were settled."""
    rows = [[number("1"), text(name), ABSENT] for name in ("a", "a", "b")] + [[number("2"), text("c"), ABSENT]]
    _, bench = validated(contract_of(CONTRACT), rows, batch_rows=2)
    assert {batch.schema for batch in bench.clean} == {typed_schema(contract_of(CONTRACT))}
    assert [row["id"] for row in bench.clean_rows()] == [2]
