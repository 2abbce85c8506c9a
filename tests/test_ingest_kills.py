"""Kill -9 at any side effect of an ingestion, then the same command again: the tables of an undisturbed one.

The ingestion replaces one partition and brings another whose keys overlap it: rows move between the tables, some are
displaced, some rejected. A second connection polls all the while.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import VISITS, Place, visit, visits
from tests.support.kill_points import NEVER, Points
from tests.support.postgres import fresh_database, rows
from tests.support.warehouse import Desk, Poller, target_of
from tests.support.warm import Order, warm

SHARES = {"shp": 5, "dagster": 2}  # side effects to die at, beside those around the warehouse's commits
AROUND = (0, 1, 5, 10)  # before and after the warehouse's commit, after the ledger's confirmation, before the lease is given back
EVERY_FROM = int(os.environ.get("SHP_EVERY_KILL_POINT_FROM", NEVER))  # 1: all of some 550, which takes half an hour
# One answer, whole: which partition holds how many rows of which delivery, and what they add up to.
LOOK = "select _partition, _delivery, count(*), sum(fee) from warehouse.visits group by 1, 2 order by 1, 2"
STATES = """
    select p.partition, p.state, p.delivery, p.code, p.rows::text, s.intended_delivery, n.delivery, n.rows, n.hash
    from shp.partitions p left join shp.sinks s using (feed, partition)
    left join shp.publications n on n.number = s.publication order by 1
"""


@dataclass
class Stage:
    """What all the ingestions start from.

    Args:
        place: folder with feeds.
        postgres: address of the database server.
        template: name of the database before the ingestion.
        store: the artefact store before it.
        files: what is delivered.
    """

    place: Place
    postgres: str
    template: str
    store: Path
    files: list[Path]

    def order(self, dsn: str, home: Path, files: list[Path] | None = None, **points: Any) -> Order:
        """The ingestion, in a home of its own."""
        words = ["ingest", "visits", *map(str, files or self.files), "--home", str(home)]
        return Order(words, self.place.environment(SHP_PG_DSN=dsn), str(self.place.base), points=Points(str(home), **points))

    def home(self, name: str) -> Path:
        """A copy of the home before the ingestion."""
        home = self.place.base / "homes" / name
        shutil.copytree(self.store, home / "store")
        return home


@pytest.fixture(scope="module")
def stage(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two partitions published; then newer and further files, not yet delivered."""
    place = Place.make(tmp_path_factory.mktemp("kills"), feeds={"visits": VISITS})
    drop = place.base / "drop"
    bad = visit(90, day="31.02.2026")
    with fresh_database(postgres_server) as dsn:
        before = [visits(drop / "a.xlsx", range(1, 51)), visits(drop / "b.xlsx", range(41, 71))]
        home = place.base / "homes" / "before"
        made = Stage(place, postgres_server, dsn.rpartition("/")[2], home / "store", [])
        assert warm().run(made.order(dsn, home, files=before)) == 0
        made.files = [visits(drop / "a.xlsx", range(1, 46), visit(46, fee="?")), visits(drop / "c.xlsx", range(31, 81), bad, visit(31))]
        yield made


def contents(dsn: str) -> dict[str, Any]:
    """Everything that the ingestion decides: all rows everywhere, what the ledger says of partitions and sinks."""
    desk = Desk(dsn, target_of(VISITS))
    try:
        return {**desk.contents(), "states": desk.rows(STATES)}
    finally:
        desk.connection.close()


def kept(home: Path) -> set[str]:
    """The artefacts in a store, without what a killed process was making."""
    return {str(path.relative_to(home)) for path in (home / "store").rglob("*") if (home / "store" / "tmp") not in path.parents}


def sampled(log: Path) -> list[tuple[int, str]]:
    """The side effects to die at: evenly over ours and over Dagster's, and all around the commits of the warehouse."""
    points = [(int(number), owner, what) for number, owner, what in (line.split("\t") for line in log.read_text().splitlines())]
    near = {number + step for number, _, what in points for step in AROUND if what == "commit of the warehouse"}
    chosen = near.union(*(evenly([n for n, whose, _ in points if whose == owner], count) for owner, count in SHARES.items()))
    return [(number, what) for number, _, what in points if number >= EVERY_FROM or number in chosen]


def evenly(numbers: list[int], count: int) -> set[int]:
    """So many of these numbers, the first and the last among them."""
    return {numbers[round(place * (len(numbers) - 1) / (count - 1))] for place in range(count)}


def views(dsn: str) -> tuple[Any, ...]:
    """What a reader sees now."""
    return tuple(rows(dsn, LOOK))


def test_kill_9_at_any_point_then_again_gives_the_same_tables(stage: Stage, tmp_path: Path) -> None:
    """A crash at the wrong moment would lose, double or mix up rows for ever."""
    log = tmp_path / "points"
    with fresh_database(stage.postgres, stage.template) as dsn:
        home = stage.home("undisturbed")
        whole = {views(dsn)}
        assert warm().run(stage.order(dsn, home, files=stage.files[:1])) == 0
        whole.add(views(dsn))
        assert warm().run(stage.order(dsn, home)) == 0
        whole.add(views(dsn))
        wanted, artefacts = contents(dsn), kept(home)
    assert len(whole) == 3
    assert [len(wanted[name]) for name in ("loaded", "displaced", "rejects", "publications")] == [80, 45, 2, 3]
    with fresh_database(stage.postgres, stage.template) as dsn:
        assert warm().run(stage.order(dsn, stage.home("counted"), log=str(log))) == 0
        assert contents(dsn) == wanted
    points = sampled(log)
    assert len(points) >= 12 and sum(what == "commit of the warehouse" for _, what in points) == 2
    for number, what in points:
        die_and_repeat(stage, number, what, wanted, artefacts, whole)


def die_and_repeat(stage: Stage, number: int, what: str, wanted: dict[str, Any], artefacts: set[str], whole: set[Any]) -> None:
    """Kill the ingestion before its nth side effect, give the command again, compare."""
    home = stage.home(f"at_{number}")
    with fresh_database(stage.postgres, stage.template) as dsn:
        with Poller(dsn, LOOK).polling() as poller:
            killed = warm().run(stage.order(dsn, home, stop_at=number))
            again = warm().run(stage.order(dsn, home))
        assert (killed, again) == (-9, 0), f"killed at {number}: {what}"
        assert poller.seen <= whole, f"a reader saw half a partition, killed at {number}: {what}"
        assert contents(dsn) == wanted, f"killed at {number}: {what}"
        assert rows(dsn, "select * from shp.leases") == [], f"killed at {number}: {what}"
        assert rows(dsn, "select count(*) from shp.attempts where ended_at is null") == [(0,)], f"killed at {number}: {what}"
    assert kept(home) == artefacts, f"killed at {number}: {what}"


def test_a_killed_worker_costs_one_file_and_says_so(stage: Stage, tmp_path: Path) -> None:
    """A file that kills its reader would take the others of the same command down, or be reported as loaded."""
    log, out = tmp_path / "points", tmp_path / "out"
    with fresh_database(stage.postgres, stage.template) as dsn:
        assert warm().run(stage.order(dsn, stage.home("whole"), log=str(log))) == 0
    first = next(number for number, what in sampled(log) if what == "commit of the warehouse")
    with fresh_database(stage.postgres, stage.template) as dsn:
        order = stage.order(dsn, stage.home("alone"), stop_at=first, alone=True)
        order = replace(order, words=[*order.words, "--json"], out=str(out))
        assert warm().run(order) == 1
        lost, other = json.loads(out.read_text())["files"]
        assert (lost["code"], lost["state"], other["code"], other["state"]) == ("worker_lost", None, None, "published_with_rejects")
        assert warm().run(replace(order, points=Points("/nowhere", NEVER))) == 0
        assert rows(dsn, "select state, code from shp.partitions where partition = 'a'") == [("published_with_rejects", None)]


def test_what_is_compared_can_differ(stage: Stage) -> None:
    """The comparison above would hold for any tables."""
    with fresh_database(stage.postgres, stage.template) as dsn:
        before = contents(dsn)
        assert warm().run(stage.order(dsn, stage.home("other"), files=stage.files[1:])) == 0
        after = contents(dsn)
    assert all(before[name] != after[name] for name in ("loaded", "displaced", "rejects", "publications", "states"))
