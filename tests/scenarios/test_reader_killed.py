"""The reading process is killed from outside, or by the file itself: once more, and then the file is held."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shp_resources.reader import WorkbookReader
from shp_resources.reader_ends import crashed
from shp_resources.reading_room import ROOM
from shp_resources.rehearsal import parse
from tests.support.healing import Ward
from tests.support.platforms import order


def others_may_read(ward: Ward) -> bool:
    """Whether another file could be read beside the one that is read now."""
    with (ward.platform.settings.home / "run" / "reading" / ROOM).open("rb") as room:
        try:
            fcntl.flock(room, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def dying(ward: Ward, monkeypatch: pytest.MonkeyPatch, times: int) -> list[bool]:
    """Let the reading process die so many times; the list says of each start whether others might read beside it."""
    started: list[bool] = []
    plain = WorkbookReader.open

    @contextmanager
    def opened(self: WorkbookReader, *args: Any) -> Iterator[Any]:
        started.append(others_may_read(ward))
        if len(started) <= times:
            raise crashed("was killed by signal 9")
        with plain(self, *args) as batches:
            yield batches

    monkeypatch.setattr(WorkbookReader, "open", opened)
    return started


def test_a_reader_that_the_machine_killed_is_started_once_more(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was short of memory for a moment would quarantine a good file."""
    started = dying(ward, monkeypatch, 1)
    ward.drop("a")
    ward.look("arrivals")
    assert ward.platform.state("a") == ("arrived", "reader_crashed")
    ward.look("arrivals")
    assert ward.platform.state("a") == ("published", None)
    assert started == [True, False], "the second time alone: what others took may have killed it"
    assert ward.incidents() == []


def test_a_file_that_kills_its_reader_is_held_and_a_corrected_one_is_loaded(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that kills whoever reads it would be read for ever."""
    started = dying(ward, monkeypatch, 2)
    ward.drop("a")
    for _ in range(4):
        ward.look()
    assert ward.platform.state("a") == ("quarantined", "reader_crashed")
    assert started == [True, False]
    (incident,) = ward.incidents()
    assert (incident.cause, len(incident.held)) == ("reader_crashed/orders", 1)
    ward.platform.drop("a.xlsx", [order(1), order(2)])
    ward.until(lambda: ward.states() == {"a": "published"}, seconds=60)
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)


def test_an_ingestion_tries_once_more_by_itself(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ingests a good file would have to give the command again."""
    started = dying(ward, monkeypatch, 1)
    path = ward.platform.drop("a.xlsx", [order(7)])
    assert (ward.platform.ingest(path).state, len(started)) == ("published", 2)
    started = dying(ward, monkeypatch, 9)
    other = ward.platform.drop("b.xlsx", [order(8)])
    result = ward.platform.ingest(other)
    assert (result.state, result.code, len(started)) == ("quarantined", "reader_crashed", 2)


def test_a_worker_without_memory_comes_back(ward: Ward, tmp_path: Path) -> None:
    """A machine that had no memory for a moment would be told as a bug of ours, and the file held for good."""
    ward.platform.change(faults=parse("validated/orders/a:memory:count=1", tmp_path / "faults"))
    ward.drop("a", "b")
    ward.look("arrivals")
    assert (ward.platform.state("a"), ward.states()["b"]) == (("waiting", "transient"), "published")
    ward.until(lambda: ward.states()["a"] == "published", seconds=120)
    assert len(ward.platform.attempts("a")) == 2
