"""Readers make room for one that must be alone, and pass it again when it is done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from shp_resources.reading_room import reading

WAIT = 20.0


def test_who_must_be_alone_waits_for_readers_and_new_ones_wait_for_it(tmp_path: Path) -> None:
    """A file that dies beside a large one would be held although it is good; or wait for ever on a busy platform."""
    told: list[str] = []
    inside, done, alone_asked = Event(), Event(), Event()

    def first() -> None:
        with reading(tmp_path / "locks", alone=False):
            inside.set()
            assert done.wait(WAIT)
            told.append("first ends")

    def alone() -> None:
        alone_asked.set()
        with reading(tmp_path / "locks", alone=True):
            told.append("alone")

    def beside() -> None:
        with reading(tmp_path / "locks", alone=False):
            told.append("beside")

    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(first)]
        assert inside.wait(WAIT)
        threads.submit(beside).result(WAIT)
        running.append(threads.submit(alone))
        assert alone_asked.wait(WAIT)
        done.set()
        for one in running:
            one.result(WAIT)
        threads.submit(beside).result(WAIT)
    assert told == ["beside", "first ends", "alone", "beside"]
