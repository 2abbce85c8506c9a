"""The benchmark `healing`: both ways do the same work, and only one of them asks a breaker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.healing import Pair, installation, markdown, measure, plain_calls, result, worked
from benchmarks.ingest import workbooks
from benchmarks.make_workbooks import Plan
from shp_assets import steps
from shp_resources.ledger.breakers import Breakers
from tests.support.postgres import fresh_database, rows


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine."""
    for name in [name for name in os.environ if name.startswith("SHP_")]:
        monkeypatch.delenv(name)


def test_both_ways_load_the_same_and_the_first_pair_does_not_count(postgres_server: str, tmp_path: Path) -> None:
    """The benchmark would compare work with no work."""
    paths = workbooks(Plan(rows=20, files=3), tmp_path)
    with fresh_database(postgres_server) as on, fresh_database(postgres_server) as off:
        pairs = measure(tmp_path, on, off, paths)
        held = [rows(dsn, "select count(*), sum(total_revenue) from warehouse.sales_records") for dsn in (on, off)]
    assert len(pairs) == 2
    assert held[0] == held[1]
    assert held[0][0][0] == 60
    assert all(min(pair.on, pair.off, pair.wall_on, pair.wall_off) > 0 for pair in pairs)


def test_plain_calls_ask_no_breaker_and_are_undone(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark would measure nothing, or leave a platform without healing behind."""
    asked: list[str] = []
    plain = Breakers.read
    monkeypatch.setattr(Breakers, "read", lambda self, names: asked.extend(names) or plain(self, names))
    outside, kit = installation(tmp_path / "home", database_dsn)
    first, second = workbooks(Plan(rows=5, files=2), tmp_path)
    before = steps.call, steps.watched
    with plain_calls():
        worked(outside, kit, first)
    assert asked == []
    assert (steps.call, steps.watched) == before
    worked(outside, kit, second)
    outside.ledger.close()
    assert "warehouse" in asked


def test_the_ratio_is_taken_within_each_pair(postgres_server: str) -> None:
    """A busy moment of the machine would be told as the price of healing."""
    pairs = [Pair(1.03, 1.0, 2.0, 2.0), Pair(10.3, 10.0, 20.0, 20.0), Pair(5.15, 5.0, 3.0, 3.0)]
    outcome = result(7, pairs, postgres_server)
    assert (outcome["cpu_percent"], outcome["wall_percent"], outcome["rows"]) == (3.0, 0.0, 7)
    assert "| as it is | 5.15 | 3.0 % | 0.0 % |" in markdown(outcome)
