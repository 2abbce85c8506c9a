"""Keys inside one delivery: equal rows collapse, different rows with one key are all rejects."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract import keys
from shp_core.contract.cells import CellJudge
from shp_core.contract.numbers import Notation
from shp_core.contract.summary import Summary
from tests.support.contracts import ABSENT, Cell, MemoryBench, contract_of, number, text, validated
from tests.support.random_contracts import Sheet, sheets

CONTRACT = """
columns: {ID: {type: integer}, Name: {type: text}, Note: {type: text, optional: true}}
key: [ID]
rules: {max_rejected_share: 1}
"""


@pytest.fixture(params=["real hashes", "every key collides"])
def hashing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run with Python's hashes, and with hashes that tell nothing apart."""
    if request.param == "every key collides":
        monkeypatch.setattr(keys, "hash", lambda key: 7, raising=False)
    yield


def row(identity: str, name: str, note: str | None = None) -> list[Cell]:
    """A row of the contract above."""
    return [number(identity), text(name), text(note) if note else ABSENT]


def outcome(rows: list[list[Cell]], batch_rows: int = 1000) -> tuple[list[int], list[int], Summary]:
    """Sheet rows that are clean, sheet rows that are rejects, and the numbers."""
    summary, bench = validated(contract_of(CONTRACT), rows, batch_rows=batch_rows)
    return [kept["_row"] for kept in bench.clean_rows()], sorted(bench.why()), summary


@pytest.mark.usefixtures("hashing")
class TestKeys:
    def test_equal_rows_collapse_into_the_first(self) -> None:
        """A line that was pasted twice is one sale, and is counted as a duplicate."""
        clean, rejects, summary = outcome([row("1", "a"), row("2", "b"), row("1", "a"), row("1", "a")])
        assert (clean, rejects) == ([2, 3], [])
        assert (summary.read, summary.clean, summary.rejected, summary.duplicate) == (4, 2, 0, 2)

    def test_different_rows_with_one_key_are_all_rejects(self) -> None:
        """Nobody chooses silently which of two contradicting lines is true."""
        clean, rejects, summary = outcome([row("1", "a"), row("2", "b"), row("1", "c")])
        assert (clean, rejects) == ([3], [2, 4])
        assert summary.failures == {"id:duplicate_key": 2}

    def test_a_duplicate_and_a_conflict_on_one_key(self) -> None:
        """{A, A, B} with one key: one duplicate, two rejects, nothing clean, nothing lost."""
        clean, rejects, summary = outcome([row("1", "a"), row("1", "a"), row("1", "b")])
        assert (clean, rejects) == ([], [2, 4])
        assert (summary.read, summary.clean, summary.rejected, summary.duplicate) == (3, 0, 2, 1)
        assert summary.conserved

    def test_contradicting_rows_are_put_down_a_batch_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file in which all rows have one key would take a gigabyte of the machine's memory for 300,000 of them."""
        sizes: list[int] = []
        whole = MemoryBench.put_rejects
        monkeypatch.setattr(MemoryBench, "put_rejects", lambda bench, rejects: sizes.append(len(rejects)) or whole(bench, rejects))
        summary, bench = validated(contract_of(CONTRACT), [row("1", f"{number}") for number in range(20)], batch_rows=4)
        assert (summary.rejected, sizes) == (20, [4] * 5)
        assert [reject.row for reject in bench.rejects] == list(range(2, 22))

    @pytest.mark.parametrize("batch_rows", [1, 2, 1000])
    def test_keys_are_settled_across_batches(self, batch_rows: int) -> None:
        """It does not matter how far apart two lines stand in a big file."""
        rows = [row("1", "a"), row("2", "b"), row("3", "c"), row("2", "x"), row("1", "a"), row("4", "d")]
        clean, rejects, summary = outcome(rows, batch_rows)
        assert (clean, rejects, summary.duplicate) == ([2, 4, 7], [3, 5], 1)

    def test_equality_is_over_all_columns(self) -> None:
        """Rows that differ in a single optional cell are different rows."""
        assert outcome([row("1", "a"), row("1", "a", "why")])[1] == [2, 3]
        assert outcome([row("1", "a", "why"), row("1", "a", "why")])[2].duplicate == 1

    def test_equality_is_of_values_not_of_spellings(self) -> None:
        """The same order number typed as text and as a number is the same."""
        assert outcome([row("1", "a"), [text("001"), text("a"), text(" ")]])[2].duplicate == 1

    def test_rejected_rows_hold_no_keys(self) -> None:
        """A row that is wrong for another reason does not drag its correct twin down."""
        clean, rejects, summary = outcome([row("1", "a"), [number("1"), ABSENT, ABSENT]])
        assert (clean, rejects, summary.failures) == ([2], [3], {"name:missing_value": 1})

    def test_a_conflict_keeps_the_text_of_its_row(self) -> None:
        """The sender sees both contradicting lines as they were sent."""
        _, bench = validated(contract_of(CONTRACT), [row("1", "a"), row("1", "b", "x")])
        assert sorted((reject.row, reject.kinds, reject.texts) for reject in bench.rejects) == [
            (2, "ns-", ("1", "a", None)),
            (3, "nss", ("1", "b", "x")),
        ]

    def test_keys_of_two_columns(self) -> None:
        """A key is all of its columns, and their boundary counts: (a, bc) is not (ab, c)."""
        contract = contract_of("columns: {A: {type: text}, B: {type: text}, C: {type: integer}}\nkey: [A, B]")
        rows = [[text("a"), text("bc"), number("1")], [text("ab"), text("c"), number("2")], [text("a\t"), text("b"), number("3")]]
        summary, bench = validated(contract, [*rows, [text("ab"), text("c"), number("4")]])
        assert [kept["c"] for kept in bench.clean_rows()] == [1, 3]
        assert summary.failures == {"a+b:duplicate_key": 2}

    @given(sheets(keyed=True), st.integers(1, 6))
    @settings(max_examples=60)
    def test_keys_agree_with_a_plain_grouping(self, sheet: Sheet, batch_rows: int) -> None:
        """The compact index finds exactly what comparing every row with every other would find."""
        summary, bench = validated(sheet.contract, sheet.rows, batch_rows=batch_rows)
        lines = _clean_lines(sheet)
        place = sheet.contract.names.index(sheet.contract.key[0])
        by_key: dict[str, list[list[str]]] = defaultdict(list)
        for line in lines.values():
            by_key[line[place]].append(line)
        distinct = {key: {"\t".join(line) for line in group} for key, group in by_key.items()}
        assert summary.duplicate == sum(len(group) - len(distinct[key]) for key, group in by_key.items())
        assert [kept["_row"] for kept in bench.clean_rows()] == _firsts(
            {row: "\t".join(line) for row, line in lines.items() if len(distinct[line[place]]) == 1}
        )


def _clean_lines(sheet: Sheet) -> dict[int, list[str]]:
    """Dialect fields of the rows that pass the row rules, by sheet row."""
    judges = [CellJudge(column, Notation(".", ",")) for column in sheet.contract.columns]
    judged = {index + 2: [judge.judge(*cell) for judge, cell in zip(judges, cells, strict=True)] for index, cells in enumerate(sheet.rows)}
    return {row: [cell.field or "" for cell in cells] for row, cells in judged.items() if not any(cell.reasons for cell in cells)}


def _firsts(lines: dict[int, str]) -> list[int]:
    seen: dict[str, int] = {}
    for place, line in lines.items():
        seen.setdefault(line, place)
    return sorted(seen.values())


def test_without_a_key_every_row_stays() -> None:
    """Two equal till lines are two sales."""
    contract = contract_of("columns: {ID: {type: integer}, Name: {type: text}}")
    summary, bench = validated(contract, [[number("1"), text("a")]] * 3)
    assert (summary.clean, summary.duplicate) == (3, 0)
    assert [kept["_row"] for kept in bench.clean_rows()] == [2, 3, 4]


def test_a_collision_of_hashes_drops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys with one 64-bit hash stay two keys, and the artefact is not even written anew."""
    monkeypatch.setattr(keys, "hash", lambda key: -1, raising=False)
    summary, bench = validated(contract_of(CONTRACT), [row(str(place), "a") for place in range(50)], batch_rows=7)
    assert (summary.clean, summary.rejected, summary.duplicate) == (50, 0, 0)
    assert bench.clean == bench.kept


def test_a_big_delivery_with_many_collisions_adds_up() -> None:
    """Counts stay exact over thousands of duplicates and conflicts."""
    shuffle = random.Random(5)
    rows = [row(str(shuffle.randrange(400)), shuffle.choice("ab")) for _ in range(2_000)]
    _, _, summary = outcome(rows, batch_rows=97)
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for cells in rows:
        names[cells[0][1] or ""][cells[1][1] or ""] += 1
    assert summary.duplicate == sum(sum(group.values()) - len(group) for group in names.values())
    assert summary.rejected == sum(2 for group in names.values() if len(group) == 2)
    assert summary.clean == sum(1 for group in names.values() if len(group) == 1)
