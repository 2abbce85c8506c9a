"""Two sinks are asked what they hold, not what was written; a difference names the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shp_core.contract.contract import Contract
from shp_resources.lake.agree import Agreement, sinks_agree
from shp_resources.lake.curated import Curator
from shp_resources.lake.engine import LocalEngine
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import publish_text
from shp_resources.warehouse import Publication, Target, Warehouse
from tests.support.contracts import Cell
from tests.support.lake import artefacts, partition, sale, sales
from tests.support.postgres import rows as query


class Sinks:
    """A warehouse and a lake with one feed.

    Args:
        dsn: an empty database.
        folder: an empty folder.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self._folder = dsn, folder
        self.contract: Contract = sales()
        self.target = Target(self.contract, "sales", "first", "")
        self.warehouse = Warehouse(lambda: dsn)
        self.place = LocalFolder(folder / "lake")
        self.scratch = folder / "scratch"
        self.scratch.mkdir()

    def publish(self, rows: list[list[Cell]], key: str = "n1", fence: tuple[int, int] = (1, 1), sinks: str = "both") -> None:
        """Publish a delivery in both sinks, or in one."""
        made = artefacts(self._folder / "store", self.contract, rows)
        where = partition(rows, fence, key)
        if sinks != "lake":
            known = Publication(key, where.delivery, self.contract.version, 1, fence, made.summary.clean, made.summary.hash)
            self.warehouse.publish(self.target, known, made.clean(), made.rejects())
        if sinks != "warehouse":
            publish_text(self.place, where, made.header, made.text(), self.scratch)
            Curator(self.place, LocalEngine(self.place)).publish(where, self.contract, made, self.scratch)

    def ask(self, key: str = "n1") -> Agreement:
        """What both hold."""
        return sinks_agree(self.warehouse, self.target, self.place, partition([], key=key), self.scratch)

    def change(self, text: Any, other: Any, key: str = "n1") -> None:
        """Change the file of clean rows behind the platform's back."""
        folder = partition([], key=key).curated
        manifest = standing(self.place, folder)
        assert manifest is not None
        path = self.place.absolute(f"{folder}/{manifest.directory}/{manifest.files[0].name}")
        path.write_text(path.read_text().replace(text, other))


@pytest.fixture
def sinks(database_dsn: str, tmp_path: Path) -> Sinks:
    """Two empty sinks."""
    return Sinks(database_dsn, tmp_path)


ROWS = [sale(1), sale(2, "a\tb\\N\r\n"), sale(3, day="never"), sale(4), sale(4)]


def test_one_delivery_is_one_truth(sinks: Sinks) -> None:
    """The check would be red although nothing is wrong."""
    sinks.publish(ROWS)
    found = sinks.ask()
    assert found.holds and found.differing == ()
    assert found.warehouse[0] == 3


def test_a_row_that_belongs_to_another_partition_counts(sinks: Sinks) -> None:
    """Every displaced row would make the sinks look different."""
    sinks.publish([sale(1), sale(2)], "n1")
    sinks.publish([sale(2, "us"), sale(3)], "n2", (2, 1))
    assert sinks.warehouse.read_back(sinks.target, "n2").displaced == 1
    assert sinks.ask("n1").holds and sinks.ask("n2").holds


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ('update warehouse.sales set amount = amount + 0.01 where "order" = 2', (3,)),
        ('delete from warehouse.sales where "order" = 1', (2,)),
        ("update warehouse.sales set region = region || ' '", (2, 3, 5)),
    ],
)
def test_a_change_in_the_warehouse_is_seen_and_named(sinks: Sinks, statement: str, rows: tuple[int, ...]) -> None:
    """Somebody's UPDATE would stay unnoticed, or a person would have to compare all rows."""
    sinks.publish(ROWS)
    query(sinks.dsn, statement)
    found = sinks.ask()
    assert not found.holds
    assert found.differing == rows


def test_a_change_in_the_lake_is_seen_and_named(sinks: Sinks) -> None:
    """Somebody's edit of a file would stay unnoticed: the manifest says what was written, not what is there."""
    sinks.publish(ROWS)
    sinks.change("12.50\t2\n", "12.51\t2\n")
    found = sinks.ask()
    assert (found.holds, found.differing) == (False, (2,))


@pytest.mark.parametrize("only", ["warehouse", "lake"])
def test_a_partition_in_one_sink_only_is_no_agreement(sinks: Sinks, only: str) -> None:
    """A sink that was never reached would pass for one that agrees."""
    sinks.publish(ROWS, sinks=only)
    found = sinks.ask()
    assert not found.holds
    assert found.lake is None if only == "warehouse" else found.warehouse[0] == 0


def test_another_delivery_in_one_sink_is_no_agreement(sinks: Sinks) -> None:
    """The warehouse would show today's file and HDFS yesterday's, for ever."""
    sinks.publish(ROWS)
    sinks.publish([sale(1), sale(2, "us")], fence=(2, 1), sinks="warehouse")
    found = sinks.ask()
    assert not found.holds and found.differing == (3, 5)
