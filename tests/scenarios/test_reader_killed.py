"""The reading process is killed from outside, or by the file itself: once more, and then the file is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shp_resources.reader import WorkbookReader
from shp_resources.reader_ends import crashed
from tests.support.healing import Ward
from tests.support.platforms import order


def dying(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Let the reading process die so many times; the list counts how often it was started."""
    started: list[int] = []
    plain = WorkbookReader.open

    @contextmanager
    def opened(self: WorkbookReader, *args: Any) -> Iterator[Any]:
        started.append(1)
        if len(started) <= times:
            raise crashed("was killed by signal 9")
        with plain(self, *args) as batches:
            yield batches

    monkeypatch.setattr(WorkbookReader, "open", opened)
    return started


def test_a_reader_that_the_machine_killed_is_started_once_more(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was short of memory for a moment would quarantine a good file."""
    dying(monkeypatch, 1)
    ward.drop("a")
    ward.look("arrivals")
    assert ward.platform.state("a") == ("arrived", "reader_crashed")
    ward.look("arrivals")
    assert ward.platform.state("a") == ("published", None)
    assert ward.incidents() == []


def test_a_file_that_kills_its_reader_is_held_and_a_corrected_one_is_loaded(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that kills whoever reads it would be read for ever."""
    started = dying(monkeypatch, 2)
    ward.drop("a")
    for _ in range(4):
        ward.look()
    assert ward.platform.state("a") == ("quarantined", "reader_crashed")
    assert len(started) == 2
    (incident,) = ward.incidents()
    assert (incident.cause, len(incident.held)) == ("reader_crashed/orders", 1)
    ward.platform.drop("a.xlsx", [order(1), order(2)])
    ward.until(lambda: ward.states() == {"a": "published"}, seconds=60)
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)


def test_an_ingestion_tries_once_more_by_itself(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ingests a good file would have to give the command again."""
    started = dying(monkeypatch, 1)
    path = ward.platform.drop("a.xlsx", [order(7)])
    assert (ward.platform.ingest(path).state, len(started)) == ("published", 2)
    started = dying(monkeypatch, 9)
    other = ward.platform.drop("b.xlsx", [order(8)])
    result = ward.platform.ingest(other)
    assert (result.state, result.code, len(started)) == ("quarantined", "reader_crashed", 2)
