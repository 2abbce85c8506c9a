"""Clean rows of many partitions by one job: each gets its own rows, and one that fails takes none of the others with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_resources.lake.curated import Curator
from shp_resources.lake.engine import LocalEngine, MapJob, MapResult
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.manifests import is_whole, standing
from shp_resources.lake.publish import publish_text
from shp_resources.lake.together import Delivered, publish_together
from tests.support.contracts import Cell
from tests.support.lake import artefacts, current, partition, sale, sales


class Counting(LocalEngine):
    """Counts its jobs; may spoil a file between two of them."""

    def __init__(self, place: LocalFolder) -> None:
        super().__init__(place)
        self.jobs: list[MapJob] = []

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        self.jobs.append(job)
        return super().run(job, scratch)


@pytest.fixture
def place(tmp_path: Path) -> LocalFolder:
    """An empty lake."""
    return LocalFolder(tmp_path / "lake")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder of the run's own."""
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def delivered(place: LocalFolder, folder: Path, key: str, rows: Sequence[Sequence[Cell]]) -> Delivered:
    """A delivery whose text rows are in the lake."""
    made, mine = artefacts(folder / "store", sales(), rows), partition(rows, key=key)
    publish_text(place, mine, made.header, made.text(), folder / "scratch")
    return Delivered(mine, sales(), made)


def test_each_partition_gets_its_rows_by_one_job(place: LocalFolder, tmp_path: Path, scratch: Path) -> None:
    """A backfill would start a job for each partition, ten seconds each; or rows would land under another key."""
    rows = {f"n{count}": [sale(number) for number in range(1, count + 1)] for count in (3, 1, 2)}
    engine = Counting(place)
    found = publish_together(Curator(place, engine), [delivered(place, tmp_path, key, those) for key, those in rows.items()], scratch)
    assert [one.manifest.partition for one in found] == ["n3", "n1", "n2"]
    assert len(engine.jobs) == 1 and all(one.changed for one in found)
    for key, those in rows.items():
        folder = f"curated/sales/partition={key}"
        assert [line.split("\t")[0] for line in current(place, folder)] == [str(number) for number in range(1, len(those) + 1)]
        manifest = standing(place, folder)
        assert manifest is not None and is_whole(place, folder, manifest)
    assert [entry.name for entry in place.entries("curated")] == ["sales"]


def test_what_stands_is_not_made_again(place: LocalFolder, tmp_path: Path, scratch: Path) -> None:
    """A second backfill would cost as much as the first."""
    first, second = (delivered(place, tmp_path, key, [sale(number)]) for key, number in (("a", 1), ("b", 2)))
    engine = Counting(place)
    curator = Curator(place, engine)
    publish_together(curator, [first], scratch)
    found = publish_together(curator, [first, second], scratch)
    assert [one.changed for one in found] == [False, True]
    assert [len(job.inputs) for job in engine.jobs] == [1, 1]
    assert not any(one.changed for one in publish_together(curator, [first, second], scratch))
    assert len(engine.jobs) == 2


def test_equal_deliveries_and_empty_ones_are_told_apart_by_nothing_and_need_not_be(
    place: LocalFolder, tmp_path: Path, scratch: Path
) -> None:
    """Two partitions with the same rows would be one too few."""
    both = [delivered(place, tmp_path, key, [sale(1)]) for key in ("a", "b")]
    publish_together(Curator(place, LocalEngine(place)), both, scratch)
    assert current(place, "curated/sales/partition=a") == current(place, "curated/sales/partition=b")


def test_rejects_are_kept_with_their_own_partition(place: LocalFolder, tmp_path: Path, scratch: Path) -> None:
    """A sender would be told of rows that are another one's."""
    good, bad = delivered(place, tmp_path, "a", [sale(1)]), delivered(place, tmp_path, "b", [sale(2), sale(3, day="x")])
    found = publish_together(Curator(place, LocalEngine(place)), [good, bad], scratch)
    assert [one.manifest.rejects for one in found] == [{}, {"invalid_date": 1}]
    assert [entry.name for entry in place.entries("rejects/sales")] == ["partition=b"]


def test_a_part_that_is_wrong_holds_nobody_else_up(place: LocalFolder, tmp_path: Path, scratch: Path) -> None:
    """One damaged file in the lake would keep a whole backfill from readers, or be published."""
    good, bad = delivered(place, tmp_path, "a", [sale(1)]), delivered(place, tmp_path, "b", [sale(2)])
    manifest = standing(place, "lake/sales/partition=b")
    assert manifest is not None
    lines = place.absolute(f"lake/sales/partition=b/{manifest.directory}/part-00000")
    lines.write_text(lines.read_text().replace("12.5", "13.5"))
    with pytest.raises(Fault) as caught:
        publish_together(Curator(place, LocalEngine(place)), [good, bad], scratch)
    assert caught.value.code is Code.SINK_DISAGREES and "partition=b" in str(caught.value)
    assert current(place, "curated/sales/partition=a")
    assert standing(place, "curated/sales/partition=b") is None


def test_a_newer_arrival_is_not_overwritten(place: LocalFolder, tmp_path: Path, scratch: Path) -> None:
    """A backfill that took long would undo what came meanwhile."""
    old, new = delivered(place, tmp_path, "a", [sale(1)]), delivered(place, tmp_path, "a", [sale(2)])
    curator = Curator(place, LocalEngine(place))
    publish_together(curator, [replace(new, partition=replace(new.partition, fence=(2, 1)))], scratch)
    with pytest.raises(Fault) as caught:
        publish_together(curator, [old], scratch)
    assert caught.value.code is Code.SUPERSEDED
