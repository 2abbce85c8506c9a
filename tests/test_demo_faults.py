"""`shp demo --faults`: a real platform under real faults; what it claims must be true of the tables."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from shp_core.contract.compile import compile_contract
from shp_core.feeds.model import Feed
from shp_core.feeds.yamltext import read_yaml
from shp_ops.demo.rehearsal import Act, Rehearsed
from shp_ops.demo.rehearsal_files import DRIFTED, FEED_FILE, HEADER, Book, drop
from tests.support.commands import Place
from tests.support.contracts import validated
from tests.support.workbooks import read

PROOF = [("rows", Decimal(1), Decimal(1))]


def test_only_what_is_proven_is_called_proven() -> None:
    """The rehearsal would say that everything healed when a row is missing, or an incident is still open."""
    act = Act("a", "b", 1.0)
    assert Rehearsed([act], PROOF).proven
    assert not Rehearsed([act], []).proven
    assert not Rehearsed([act], [("rows", Decimal(1), Decimal(2))]).proven
    assert not Rehearsed([act, Act("a", "b", None)], PROOF).proven


def test_the_books_are_what_the_feed_says(tmp_path: Path) -> None:
    """The proof would compare the tables with something that was never delivered."""
    data, problems = read_yaml(FEED_FILE)
    assert not problems
    contract = compile_contract(Feed.model_validate(data))
    book = Book("a", 3)
    path = drop(tmp_path, book)
    assert [file.name for file in tmp_path.iterdir()] == ["a.xlsx"], "nothing half-written is seen"
    header, lines, _ = read(path)
    assert header == HEADER
    summary, bench = validated(contract, [list(zip(line.kinds, line.texts, strict=True)) for line in lines], HEADER)
    assert (summary.clean, summary.rejected) == (len(book.orders), 0)
    assert sum(row["amount"] for row in bench.clean_rows()) == book.total
    assert read(drop(tmp_path, book, book.content(DRIFTED)))[0] == DRIFTED


@pytest.mark.slow
@pytest.mark.platform
def test_everything_heals_and_the_proof_is_of_the_tables(tmp_path: Path) -> None:
    """What heals in the tests would not heal on a real platform: killed workers, a killed database, a restart in mid-load."""
    place = Place(tmp_path, {})
    done = place.cold("demo", "--faults", "--json")
    assert done.code == 0, done.err[-3000:]
    document = done.json
    assert document["proven"] is True
    assert [act["seconds"] is not None for act in document["acts"]] == [True] * 6
    assert {line["what"] for line in document["proof"]} == {"rows", "distinct orders", "sum of Amount", "partitions", "publications"}
    causes = {incident["cause"] for incident in document["incidents"]}
    assert {"damaged_workbook/orders", "column_missing/orders"} <= causes
    assert all(incident["closed"] for incident in document["incidents"])
    feed = (tmp_path / "var" / "demo-faults" / "feeds" / "orders.yaml").read_text()
    assert 'aliases: ["Country code"]' in feed
    assert "# where it was sent" in feed
