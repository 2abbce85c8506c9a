"""What is read ahead while Dagster is imported: it is used, it is never believed unseen, and it never costs a file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pytest

from shp_core.contract.compile import compile_contract
from shp_ops.ingest import head_start
from shp_ops.ingest.files import queues
from shp_ops.ingest.head_start import Ahead, HeadStart
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.run import ingest
from shp_ops.ingest.workers import Event, Order, take_all
from shp_resources.nursery import Nursery
from shp_resources.outside import Outside
from shp_resources.reader_ends import reader_environment
from shp_resources.settings import Settings
from tests.support.commands import VISITS, visits
from tests.support.platforms import Platform, order
from tests.support.waiting import PATIENCE, until
from tests.support.warehouse import feed_of

FEED = feed_of(VISITS)
CONTRACT = compile_contract(FEED)


@pytest.fixture(autouse=True)
def _all_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read ahead, too, and there is a core for it."""
    monkeypatch.setattr(head_start, "_WORTH_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def outside_at(tmp_path: Path, **environ: str) -> Outside:
    """An installation without databases; nobody asks for one."""
    return Outside(Settings.load(environ, home=tmp_path / "home"))


def read_ahead(outside: Outside, *files: Path) -> list[Event]:
    """Read ahead to the end; what was told meanwhile."""
    with HeadStart(outside.settings, files, queues(FEED, files)) as start:
        start.go(outside, FEED)
        return [event for ahead in start.under_way for event in told(ahead)]


def told(ahead: Ahead) -> list[Event]:
    """All events of a file that is read ahead."""
    events: list[Event] = []
    while ahead.pipe.poll(PATIENCE):
        try:
            events.append(ahead.pipe.recv())
        except EOFError:
            break
    return events


def scraps(outside: Outside) -> list[Path]:
    """What is being made in the store, or was left behind half made."""
    return list((outside.settings.store / "tmp").glob("*"))


def hash_of(path: Path) -> str:
    """What a delivery is called."""
    return sha256(path.read_bytes()).hexdigest()


def test_what_was_read_ahead_lies_where_a_run_looks_for_it(tmp_path: Path) -> None:
    """It would be read a second time, and the head start would be lost."""
    outside, path = outside_at(tmp_path), visits(tmp_path / "a.xlsx", range(1, 50), ("x", "Bob", "01.11.2026", 1))
    before = set(psutil.Process().children(recursive=True))
    events = read_ahead(outside, path)
    made = outside.store.validated(hash_of(path), CONTRACT)
    assert made is not None and (made.summary.read, made.summary.clean, made.summary.rejected) == (50, 49, 1)
    assert [(event.index, event.step, event.rows) for event in events] == [(0, "begun", 0), (0, "validated", 50)]
    assert outside.store.raw(hash_of(path)) is None, "the bytes are the run's to keep: it tells the ledger of them"
    until(lambda: set(psutil.Process().children(recursive=True)) <= before)
    assert scraps(outside) == []


def test_a_file_that_cannot_be_read_is_left_to_the_run(tmp_path: Path) -> None:
    """A refusal would be told by nobody, or by two."""
    outside, path = outside_at(tmp_path), tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert [event.step for event in read_ahead(outside, path)] == ["begun"]
    assert outside.store.validated(hash_of(path), CONTRACT) is None
    assert scraps(outside) == []


def test_bytes_that_were_here_before_are_not_read_ahead(tmp_path: Path) -> None:
    """A file that ends its reader would do so beside others at every try, though its run reads it alone."""
    outside, path = outside_at(tmp_path), visits(tmp_path / "a.xlsx")
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    outside.store.keep_raw(copy, hash_of(path))
    assert [event.step for event in read_ahead(outside, path)] == ["begun"]
    assert outside.store.validated(hash_of(path), CONTRACT) is None


def test_one_core_stays_with_whoever_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small machine the command would begin later, not earlier; faults that are rehearsed would hit nobody."""
    files = [visits(tmp_path / f"{index}.xlsx") for index in range(3)] + [tmp_path / "missing.xlsx"]

    def chosen(cores: int, **environ: str) -> int:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
        settings = outside_at(tmp_path, **environ).settings
        with HeadStart(settings, files, queues(FEED, files)) as start:
            start.go(Outside(settings), FEED)
            return len(start.under_way)

    assert [chosen(cores) for cores in (1, 2, 3, 9)] == [0, 1, 2, 3]
    assert chosen(4, SHP_FAULTS="reader:error") == 0
    monkeypatch.setattr(head_start, "_WORTH_BYTES", 1 << 20)
    assert chosen(4) == 0


def test_an_interrupted_command_leaves_no_reader_and_no_scrap(tmp_path: Path) -> None:
    """After Ctrl-C a file would be read on for nobody, and half of it would lie about."""
    outside, path = outside_at(tmp_path), visits(tmp_path / "a.xlsx", range(1, 20_000))
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(RuntimeError), HeadStart(outside.settings, [path], [[0]]) as start:
        start.go(outside, FEED)
        until(lambda: scraps(outside))
        raise RuntimeError("the command fails for another reason")
    assert start.under_way[0].process.exitcode in (128 + signal.SIGINT, 0), "it tidied up, or had ended"
    until(lambda: set(psutil.Process().children(recursive=True)) <= before)
    assert scraps(outside) == []


def taken(tmp_path: Path, groups: Sequence[Sequence[int]], ahead: Callable[[Any], None], events: list[Event], workers: int) -> list[str]:
    """Take files of which the first is being read ahead by this; returns what happened, in order."""
    happened = get_context("fork").SimpleQueue()

    def read(pipe: Any) -> None:
        ahead(pipe)
        happened.put("ahead ended")

    def take(path: Path) -> FileResult:
        happened.put(path.stem)
        return FileResult(path.name, state="published")

    ours, theirs = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=read, args=(theirs,))
    process.start()
    theirs.close()
    paths = [tmp_path / f"{index}.xlsx" for index in range(sum(map(len, groups)))]
    nursery = Nursery(reader_environment())
    order = Order(paths, groups, outside_at(tmp_path), lambda outside: take, ahead=[Ahead(0, process, ours, nursery)])
    results = take_all(order, events.append, workers)
    process.join()
    assert [result.state for result in results] == ["published"] * len(paths)
    return [happened.get() for _ in iter(lambda: not happened.empty(), False)]


def test_a_file_waits_for_its_head_start_and_comes_next(tmp_path: Path) -> None:
    """Two processes would read the same file at once, or more files at once than there are cores."""
    events: list[Event] = []

    def ahead(pipe: Any) -> None:
        for event in (Event(0, "begun"), Event(0, "validated", 7)):
            pipe.send(event)
        time.sleep(0.2)

    assert taken(tmp_path, [[0, 1], [2], [3]], ahead, events, 1) == ["ahead ended", "0", "1", "2", "3"]
    assert [event.index for event in events if event.step == "begun"] == [0, 1, 2, 3], "each begins once"
    assert [(event.index, event.rows) for event in events if event.step == "validated"] == [(0, 7)]


def test_others_are_taken_meanwhile(tmp_path: Path) -> None:
    """A large file at the head would hold all others up."""

    def ahead(pipe: Any) -> None:
        until((tmp_path / "others are done").exists)

    class Noticing(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            if {2, 3} <= {known.index for known in self if known.step == "done"}:
                (tmp_path / "others are done").touch()

    assert taken(tmp_path, [[0, 1], [2], [3]], ahead, Noticing(), 2) == ["2", "3", "ahead ended", "0", "1"]


def test_a_head_start_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    """A machine short of memory would lose the file, or wait for it for ever."""

    def ahead(pipe: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    assert taken(tmp_path, [[0], [1]], ahead, [], 2) in (["0", "1"], ["1", "0"])


def test_the_run_goes_on_from_there(platform: Platform) -> None:
    """The file would be read twice; or rows that nobody checked would be published."""
    rows = [order(number) for number in range(1, 40)]
    paths = [platform.drop("a.xlsx", rows), platform.drop("b.xlsx", [order(99, day="x"), order(100)])]
    events: list[Event] = []
    feed = platform.kits["orders"].feed
    results = ingest(platform.outside.settings, feed, paths, events.append)
    assert [(result.state, result.rows["loaded"]) for result in results] == [("published", 39), ("published_with_rejects", 1)]
    assert platform.loaded("a") == list(range(1, 40)) and platform.loaded("b") == [100]
    read = [(event.index, event.rows) for event in events if event.step == "validated"]
    assert sorted(read) == [(0, 39), (1, 2)], "each file was read once"
    assert sorted(event.index for event in events if event.step == "begun") == [0, 1]
    outcomes = platform.sql("select outcome from shp.attempts order by partition")
    assert outcomes == [("published",), ("published_with_rejects",)]
