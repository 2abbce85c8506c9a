"""`gaps` in the lake: what was published is compared with what lies there, by few calls, whatever the number of partitions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from shp_assets import lake_gaps
from shp_assets.lake_gaps import Looked, note_lake_gaps
from shp_core.lake.manifest import MANIFEST
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.manifests import standing
from tests.support.healing import Ward
from tests.support.lake import folder
from tests.support.platforms import FEED, order

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def ward(lake_ward: Ward) -> Ward:
    """Four partitions that both sinks hold, their folders changed long ago."""
    for number, name in enumerate(NAMES):
        lake_ward.platform.drop(f"{name}.xlsx", [order(number + 1)])
    lake_ward.until(lambda: set(lake_ward.states().values()) == {"published"} and len(lake_ward.states()) == len(NAMES))
    for path in _root(lake_ward).rglob("partition=*"):
        os.utime(path, (1_000, 1_000))
    return lake_ward


def _root(ward: Ward) -> Path:
    return ward.platform.settings.home / "lake"


def look(ward: Ward, before: Looked) -> Looked:
    """A look without reading rows."""
    outside = ward.platform.outside
    return note_lake_gaps(outside, ward.platform.kits[FEED], outside.ledger.publications.published(FEED), (), before)


def _file(ward: Ward, layer: str, partition: str) -> Path:
    """A data file of a partition."""
    manifest = standing(ward.platform.outside.lake, folder(layer, partition))
    assert manifest is not None
    return _root(ward) / folder(layer, partition) / manifest.directory / manifest.files[0].name


def test_what_lies_there_is_compared_folder_by_folder_manifests_and_lengths(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody deletes or cuts off in the lake would be found a day later, or when it is read."""
    monkeypatch.setattr(lake_gaps, "LENGTHS_A_LOOK", 1)
    reads: list[str] = []
    read = LocalFolder.read
    monkeypatch.setattr(LocalFolder, "read", lambda place, path: (reads.append(path), read(place, path))[1])
    first = look(ward, Looked((), "", 2_000.0))
    assert (first.gaps, len(reads)) == ((), 2), "the two manifests of the one in turn"
    shutil.rmtree(_root(ward) / folder("lake", "d"))
    second = look(ward, Looked((), first.after, first.changed_at))
    assert second.gaps == ("d",), "a folder that is gone is seen in the listing"
    (_root(ward) / folder("curated", "c") / MANIFEST).unlink()
    assert _cut(_file(ward, "lake", "a"))
    third = look(ward, Looked((), second.after, second.changed_at))
    fourth = look(ward, Looked((), third.after, third.changed_at))
    assert sorted([*third.gaps, *fourth.gaps]) == ["a", "c"], "a changed folder at once, a file that was cut off in its turn"
    assert ward.states() == {"a": "parked", "b": "published", "c": "parked", "d": "parked"}


def _cut(path: Path) -> bool:
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    return len(content) > 1
