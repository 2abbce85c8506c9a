"""A place of the lake: the same promises by a local folder and by a real HDFS."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.lake.place import Entry, Place, require_path
from shp_resources.hdfs import Cluster, tell_cluster
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.settings import lake_of
from shp_resources.settings import Settings
from tests.support.full_disk import small_disk


@pytest.fixture(params=["local", pytest.param("hdfs", marks=pytest.mark.hadoop)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place."""
    if request.param == "local":
        yield LocalFolder(tmp_path / "lake")
        return
    from dataclasses import replace

    from shp_resources.hdfs.client import Hdfs

    cluster: Cluster = request.getfixturevalue("hadoop").cluster
    yield Hdfs(replace(cluster, root=f"/place/{tmp_path.name}"))


def made(path: Path, content: bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content)
    return path


def names(entries: list[Entry]) -> list[tuple[str, bool, int]]:
    """Entries without their times."""
    return [(entry.name, entry.is_folder, entry.size) for entry in entries]


def test_a_file_comes_back_as_it_was_put(place: Place, tmp_path: Path) -> None:
    """A byte would be lost or changed on the way into the lake."""
    content = bytes(range(256)) * 5000
    place.put(made(tmp_path / "a", content), "lake/f/partition=x/part-00000")
    assert place.read("lake/f/partition=x/part-00000") == content
    assert place.fetch("lake/f/partition=x/part-00000", tmp_path / "back") == sha256(content).hexdigest()
    assert (tmp_path / "back").read_bytes() == content
    assert names(place.entries("lake/f/partition=x")) == [("part-00000", False, len(content))]


def test_an_empty_file_is_a_file(place: Place, tmp_path: Path) -> None:
    """A delivery without rows could not be told from a missing one."""
    place.put(made(tmp_path / "a", b""), "lake/empty")
    assert place.read("lake/empty") == b""


def test_a_file_takes_the_place_of_another_and_nothing_else_stays(place: Place, tmp_path: Path) -> None:
    """A corrected delivery would not replace the old one; or drafts would pile up."""
    for content in (b"old and longer", b"new"):
        place.put(made(tmp_path / "a", content), "lake/f/name")
    assert place.read("lake/f/name") == b"new"
    assert names(place.entries("lake/f")) == [("name", False, 3)]


def test_what_is_not_there_is_not_an_error(place: Place) -> None:
    """The first publication of a partition would fail because there is none before it."""
    assert place.read("lake/none") is None
    assert place.entries("lake/none") == []
    place.remove("lake/none")


def test_a_folder_moves_into_a_free_name_only(place: Place, tmp_path: Path) -> None:
    """A job's output would land inside the publication that is there, and count twice."""
    place.put(made(tmp_path / "a", b"1"), "c/_attempt-1/part-00000")
    place.put(made(tmp_path / "a", b"2"), "c/taken/part-00000")
    with pytest.raises(Fault):
        place.move_folder("c/_attempt-1", "c/taken")
    place.move_folder("c/_attempt-1", "c/deep/free")
    assert place.read("c/deep/free/part-00000") == b"1"
    assert names(place.entries("c/taken")) == [("part-00000", False, 1)]
    assert [entry.name for entry in place.entries("c")] == ["deep", "taken"]


def test_a_folder_goes_with_all_it_holds(place: Place, tmp_path: Path) -> None:
    """A superseded publication would stay for ever."""
    place.put(made(tmp_path / "a", b"1"), "c/old/part-00000")
    place.remove("c/old")
    assert place.entries("c") == []


def test_entries_tell_their_age(place: Place, tmp_path: Path) -> None:
    """What was written a second ago would be swept as a stray of yesterday."""
    source = made(tmp_path / "a", b"1")
    place.put(source, "c/name")
    (entry,) = place.entries("c")
    assert abs(entry.changed_at - source.stat().st_mtime) < 60


@pytest.mark.parametrize("path", ["", "/a", "a//b", "a/../b", "..", "a/", "a b", "a\nb", "a%2e", "a#LATEST", "ä", "a" * 251])
def test_a_name_that_leads_elsewhere_is_refused(place: Place, tmp_path: Path, path: str) -> None:
    """A file name that somebody chose would write outside the lake."""
    for call in (lambda: place.read(path), lambda: place.put(tmp_path, path), lambda: place.remove(path), lambda: place.entries(path)):
        with pytest.raises(ValueError, match="no path of the lake"):
            call()


@given(st.text(max_size=30))
def test_a_path_is_itself_or_refused(path: str) -> None:
    """A path would be silently changed into another partition's."""
    try:
        assert require_path(path) == path
    except ValueError:
        return
    assert ".." not in path.split("/") and not path.startswith("/") and path.isascii()


def test_a_full_disk_is_a_refusal_and_what_was_there_stays(tmp_path: Path) -> None:
    """Readers would find half of a file, and a person would not be told why."""
    with small_disk(tmp_path / "disk", 1 << 20) as folder:
        if folder is None:
            pytest.skip("this process may not mount a small disk")
        place = LocalFolder(folder / "lake")
        place.put(made(tmp_path / "a", b"old"), "f/name")
        with pytest.raises(Fault) as caught:
            place.put(made(tmp_path / "b", b"x" * (3 << 20)), "f/name")
        assert caught.value.code is Code.SINK_REFUSED
        assert place.read("f/name") == b"old"
        assert names(place.entries("f")) == [("name", False, 3)]


def test_the_stand_in_says_what_it_is(tmp_path: Path) -> None:
    """A user would take a folder for HDFS."""
    settings = Settings.load({}, home=tmp_path)
    stand_in = lake_of(settings)
    assert stand_in.stands_in and stand_in.label == f"local folder {tmp_path / 'lake'}"
    tell_cluster(settings, Cluster(("http://127.0.0.1:9",), "me", "/shp", own=True))
    real: Any = lake_of(settings)
    assert not real.stands_in and real.label == "hdfs http://127.0.0.1:9/shp"
