"""A partition comes to lie in the lake: as it is, then clean; whole, once, held to the warehouse's hash."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.errors import Fault
from shp_core.lake.place import Place
from shp_core.publishing.dialect import hash_text, row_digest, sum_digests
from shp_resources.lake import curated as curating
from shp_resources.lake.archive import TOO_OLD
from shp_resources.lake.curated import Curator, shipment_of
from shp_resources.lake.engine import LocalEngine, MapJob, MapResult
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.manifests import standing
from shp_resources.lake.publish import Published, publish_text
from tests.support.contracts import Cell
from tests.support.lake import artefacts, current, partition, sale, sales
from tests.support.random_contracts import Sheet, sheets

ROWS = [sale(1), sale(2, "us"), sale(3, "a\tb\\N")]


class Lake:
    """A lake in a local folder, and what two steps of a run do to it."""

    def __init__(self, folder: Path) -> None:
        self.place: Place = LocalFolder(folder / "lake")
        self.engine: Any = LocalEngine(self.place)
        self._folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()

    def text(self, rows: list[list[Cell]], fence: tuple[int, int] = (1, 1), contract: Any = None) -> Published:
        """Publish the text rows."""
        made = artefacts(self._folder / "store", contract or sales(), rows)
        return publish_text(self.place, partition(rows, fence), made.header, made.text(), self.scratch)

    def curated(self, rows: list[list[Cell]], fence: tuple[int, int] = (1, 1), contract: Any = None) -> Published:
        """Publish the clean rows."""
        made = artefacts(self._folder / "store", contract or sales(), rows)
        return Curator(self.place, self.engine).publish(partition(rows, fence), contract or sales(), made, self.scratch)

    def both(self, rows: list[list[Cell]], fence: tuple[int, int] = (1, 1), contract: Any = None) -> Published:
        """Publish text rows, then clean rows."""
        self.text(rows, fence, contract)
        return self.curated(rows, fence, contract)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """An empty lake."""
    yield Lake(tmp_path)


FOLDER, CURATED, REJECTED = partition(ROWS).lake, partition(ROWS).curated, partition(ROWS).rejects


def test_every_row_lies_in_the_lake_clean_or_not(lake: Lake) -> None:
    """What does not convert would be lost to whoever works in HDFS."""
    rows = [*ROWS, sale(4, day="never")]
    manifest = lake.text(rows).manifest
    lines = current(lake.place, FOLDER)
    assert lines[0] == "2\tnssn\t1\teu\t3/7/2026\t12.5\t\\N"
    assert lines[2].split("\t")[3] == "a\\tb\\\\N"
    assert len(lines) == manifest.rows == 4
    assert manifest.columns == ("row", "kinds", "Order", "Region", "Day", "Amount", "extra")
    assert manifest.delivery == partition(rows).delivery


def test_the_same_delivery_again_changes_nothing(lake: Lake) -> None:
    """Every re-drive would upload everything anew and leave a directory behind."""
    lake.both(ROWS)
    before = standing(lake.place, CURATED)
    assert not lake.text(ROWS, (1, 2)).changed
    assert not lake.curated(ROWS, (1, 2)).changed
    assert standing(lake.place, CURATED) == before


def test_a_corrected_delivery_takes_the_place_of_the_old_one(lake: Lake) -> None:
    """Readers would see rows of both."""
    lake.both(ROWS)
    mended = [sale(1, "asia")]
    assert lake.both(mended, (2, 1)).changed
    assert current(lake.place, CURATED) == ["1\tASIA\t2026-03-07\t12.50\t2"]
    assert len(current(lake.place, FOLDER)) == 1


def test_an_older_arrival_gives_way(lake: Lake) -> None:
    """A slow run would put yesterday's file over today's."""
    lake.both(ROWS, (5, 1))
    for call in (lake.text, lake.curated):
        with pytest.raises(Fault) as caught:
            call([sale(9)], (4, 9))
        assert caught.value.code is Code.SUPERSEDED
    assert len(current(lake.place, CURATED)) == 3


def test_a_damaged_publication_is_made_again(lake: Lake) -> None:
    """A file that somebody deleted from the lake would stay away because the manifest says that it is there."""
    lake.both(ROWS)
    for folder in (FOLDER, CURATED):
        manifest = standing(lake.place, folder)
        assert manifest is not None
        lake.place.remove(f"{folder}/{manifest.directory}/{manifest.files[0].name}")
    assert lake.both(ROWS, (1, 2)).changed
    assert len(current(lake.place, FOLDER)) == len(current(lake.place, CURATED)) == 3


def test_clean_rows_are_those_of_the_warehouse(lake: Lake, tmp_path: Path) -> None:
    """Two sinks would hold two truths."""
    rows = [sale(1), sale(2, day="13/13/2026"), sale(3), sale(3), sale(4), sale(4, "us"), sale(0)]
    manifest = lake.both(rows).manifest
    made = artefacts(tmp_path / "store", sales(), rows)
    lines = current(lake.place, CURATED)
    assert [line.rpartition("\t")[2] for line in lines] == ["2", "4"]
    digests = [row_digest(line.rpartition("\t")[0]) for line in lines]
    assert manifest.hash == made.summary.hash == hash_text(sum_digests(digests))
    assert (manifest.rows, made.summary.duplicate, made.summary.rejected) == (2, 1, 4)
    assert (manifest.contract_version, manifest.converter_version) == (sales().version, CONVERTER_VERSION)
    assert manifest.made_by == "local process"


def test_rejects_lie_beside_by_code(lake: Lake) -> None:
    """Nobody who works in HDFS would know what was left out, and why."""
    rows = [sale(1), sale(2, day="13/13/2026"), sale(0, day="x")]
    manifest = lake.both(rows).manifest
    assert manifest.rejects == {"below_min": 1, "invalid_date": 2}
    (directory,) = lake.place.entries(REJECTED)
    found = lake.place.read(f"{REJECTED}/{directory.name}/part-00000")
    assert found is not None and [line.split("\t")[:2] for line in found.decode().splitlines()] == [
        ["3", "day:invalid_date"],
        ["4", "order:below_min,day:invalid_date"],
    ]
    assert not any(b"Invalid" in (lake.place.read(f"{CURATED}/{manifest.directory}/{file.name}") or b"") for file in manifest.files)


def test_a_clean_delivery_has_no_second_pass(lake: Lake) -> None:
    """Every clean partition would cost two jobs."""
    lake.both(ROWS)
    assert lake.place.entries(REJECTED) == []


def test_another_contract_makes_the_clean_rows_anew(lake: Lake) -> None:
    """A changed rule would count in the warehouse only."""
    lake.both(ROWS)
    lower = replace(sales(), version="another", columns=tuple(replace(c, transforms=()) for c in sales().columns))
    assert not lake.text(ROWS, (1, 2)).changed
    assert lake.curated(ROWS, (1, 2), lower).changed
    assert current(lake.place, CURATED)[0] == "1\teu\t2026-03-07\t12.50\t2"


def test_clean_rows_wait_for_their_text_rows(lake: Lake) -> None:
    """Clean rows of one delivery would be published beside the name of another."""
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS)
    lake.text([sale(7)])
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS, (2, 1))
    assert caught.value.code is Code.ARTEFACT_DAMAGED and "Materialize lake/sales first" in caught.value.next_step
    assert standing(lake.place, CURATED) is None


class Forging:
    """An engine whose output somebody changed."""

    def __init__(self, inner: LocalEngine, place: Place, change: Any) -> None:
        self._inner, self._place, self._change = inner, place, change

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Run it, then change the part."""
        result = self._inner.run(job, scratch)
        part = f"{result.target}/part-00000"
        (scratch / "forged").write_bytes(self._change(self._place.read(part)))
        self._place.put(scratch / "forged", part)
        return result


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"12.50", b"12.51", 1),
        lambda content: content[: content.rindex(b"\n", 0, -1) + 1],
        lambda content: content + content[: content.index(b"\n") + 1],
        lambda content: b"",
    ],
    ids=["a changed cent", "a lost row", "a row twice", "nothing"],
)
def test_an_output_that_is_not_the_clean_rows_is_never_published(lake: Lake, change: Any) -> None:
    """A job that lost rows would be called a success."""
    lake.both([sale(1)])
    lake.text(ROWS, (2, 1))
    lake.engine = Forging(lake.engine, lake.place, change)
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS, (2, 1))
    assert caught.value.code is Code.SINK_DISAGREES
    assert current(lake.place, CURATED) == ["1\tEU\t2026-03-07\t12.50\t2"]


@pytest.mark.parametrize("at", range(1, 6))
def test_a_failure_between_any_two_steps_leaves_the_old_publication(lake: Lake, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Readers would see half of a partition; or the next attempt would stumble over what the last one left."""
    lake.both([sale(1)])
    calls = 0
    genuine = {name: getattr(lake.place, name) for name in ("put", "move_folder")}

    def failing(name: str) -> Any:
        def call(*words: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                raise Fault(Code.TRANSIENT, "cut", curating.Evidence("lake"))
            return genuine[name](*words)

        return call

    for name in genuine:
        monkeypatch.setattr(lake.place, name, failing(name))
    with pytest.raises(Fault, match="cut"):
        lake.both([*ROWS, sale(0)], (2, 1))
        lake.both(ROWS, (3, 1))
    assert current(lake.place, CURATED) in (["1\tEU\t2026-03-07\t12.50\t2"], _curated(ROWS))
    for name, call in genuine.items():
        monkeypatch.setattr(lake.place, name, call)
    lake.both(ROWS, (4, 1))
    assert current(lake.place, CURATED) == _curated(ROWS)


def _curated(rows: list[list[Cell]]) -> list[str]:
    return ["1\tEU\t2026-03-07\t12.50\t2", "2\tUS\t2026-03-07\t12.50\t3", "3\tA\\tB\\\\N\t2026-03-07\t12.50\t4"]


def test_a_mapper_that_fails_says_why_and_nothing_is_published(lake: Lake) -> None:
    """A person would be told "exit status 1"."""
    manifest = lake.text(ROWS).manifest
    path = f"{FOLDER}/{manifest.directory}/part-00000"
    (lake.scratch / "bad").write_bytes((lake.place.read(path) or b"").replace(b"\t", b"x", 1))
    lake.place.put(lake.scratch / "bad", path)
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS)
    assert caught.value.code is Code.CODE_BUG and "MalformedLine" in caught.value.message
    assert standing(lake.place, CURATED) is None


_OLD = f"""#!{sys.executable}
import runpy, sys
sys.version_info, sys.version = (3, 6, 8), "3.6.8 (default)"
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_an_old_python_says_so_and_a_missing_one_is_named(lake: Lake, tmp_path: Path) -> None:
    """Who must install a Python would read of a syntax error of ours, and the partition would be held as a bug."""
    lake.text(ROWS)
    old = tmp_path / "python36"
    old.write_text(_OLD)
    old.chmod(0o755)
    for python, words in ((old, f"{TOO_OLD} 3.6.8"), (tmp_path / "none", "none cannot be run")):
        lake.engine = LocalEngine(lake.place, python=str(python))
        with pytest.raises(Fault) as caught:
            lake.curated(ROWS)
        assert (caught.value.code, words in caught.value.message) == (Code.SINK_REFUSED, True), caught.value
    assert standing(lake.place, CURATED) is None


def test_a_mapper_that_hangs_is_stopped(lake: Lake) -> None:
    """A run would wait for ever."""
    lake.text(ROWS)
    lake.engine = LocalEngine(lake.place, seconds=0.001)
    with pytest.raises(Fault, match="stopped after"):
        lake.curated(ROWS)


def test_clean_rows_are_made_of_whole_text_rows_only(lake: Lake) -> None:
    """A file that somebody removed from the lake would be called a bug of ours, and nothing would make it again."""
    manifest = lake.text(ROWS).manifest
    lake.place.remove(f"{FOLDER}/{manifest.directory}/part-00000")
    with pytest.raises(Fault) as caught:
        lake.curated(ROWS)
    assert caught.value.code is Code.ARTEFACT_DAMAGED
    with pytest.raises(Fault) as caught:
        lake.place.fetch(f"{FOLDER}/{manifest.directory}/part-00000", lake.scratch / "copy")
    assert caught.value.code is Code.TRANSIENT
    assert lake.both(ROWS, (1, 2)).manifest.rows == 3


@settings(max_examples=12, deadline=None)
@given(sheets(keyed=True, most_rows=8))
def test_whatever_the_sheet_holds_both_sinks_agree(tmp_path_factory: pytest.TempPathFactory, sheet: Sheet) -> None:
    """Some odd cell, somewhere, would make the two sinks differ."""
    if not sheet.rows:
        return
    contract = replace(sheet.contract, max_rejected_share=1.0)
    folder = tmp_path_factory.mktemp("any")
    lake = Lake(folder)
    manifest = lake.both(sheet.rows, contract=contract).manifest
    made = artefacts(folder / "store", contract, sheet.rows)
    assert (manifest.rows, manifest.hash) == (made.summary.clean, made.summary.hash)
    broken = made.summary.read - made.summary.clean - len(shipment_of(contract, made).dropped)
    rejected = sum(len((lake.place.read(f"{REJECTED}/{e.name}/part-00000") or b"").splitlines()) for e in lake.place.entries(REJECTED))
    assert rejected == broken
