"""Which files are meant, and how workers share them: nothing is taken twice, forgotten or mixed up, whoever dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shp_core.errors import UsageError
from shp_ops.ingest.files import files_of, plainly, queues
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import Event, Order, take_all
from shp_resources.outside import Outside
from shp_resources.processes import wait_until
from shp_resources.settings import Settings
from tests.support.commands import COUNTS, VISITS
from tests.support.waiting import PATIENCE
from tests.support.warehouse import feed_of

FEED, DAYS = feed_of(VISITS), feed_of(COUNTS)


def taken(
    tmp_path: Path,
    groups: Sequence[Sequence[int]],
    take: Callable[[Path], FileResult],
    workers: int = 2,
    events: list[Event] | None = None,
    count: int | None = None,
) -> list[FileResult]:
    """Take so many files in these queues."""
    paths = [tmp_path / f"{index}.xlsx" for index in range(count if count is not None else sum(map(len, groups)))]
    outside = Outside(Settings.load({}, home=tmp_path / "home"))
    order = Order(paths, groups, outside, lambda outside: take)
    return take_all(order, (events if events is not None else []).append, workers)


def noting(tmp_path: Path, pause: float = 0.0) -> Callable[[Path], FileResult]:
    """Takes a file by noting when, and by whom."""

    def take(path: Path) -> FileResult:
        began = time.monotonic()
        time.sleep(pause)
        with (tmp_path / "log").open("a") as log:
            log.write(f"{path.stem} {began} {time.monotonic()} {os.getpid()}\n")
        return FileResult(path.name, state="published")

    return take


def log_of(tmp_path: Path) -> dict[int, tuple[float, float, str]]:
    """Begin, end and worker of each file."""
    lines = (line.split() for line in (tmp_path / "log").read_text().splitlines())
    return {int(index): (float(began), float(ended), pid) for index, began, ended, pid in lines}


def test_results_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    """Results would be shown beside other files' names."""
    results = taken(tmp_path, [[4], [2], [0, 1], [3]], noting(tmp_path))
    assert [result.path for result in results] == [f"{index}.xlsx" for index in range(5)]
    assert len(log_of(tmp_path)) == 5


def test_files_of_one_partition_are_taken_one_after_the_other(tmp_path: Path) -> None:
    """Two versions of one partition would race, and the older could win."""
    begun, note = tmp_path / "begun", noting(tmp_path)

    def take(path: Path) -> FileResult:
        if path.stem == "3":
            begun.touch()
        waited = path.stem != "0" or wait_until(begun.exists, PATIENCE)
        return replace(note(path), state="published" if waited else None)

    results = taken(tmp_path, [[0, 1, 2], [3]], take)
    log = log_of(tmp_path)
    assert log[0][1] <= log[1][0] and log[1][1] <= log[2][0]
    assert results[0].state == "published" and log[3][2] != log[0][2], "the other queue waited"


def test_a_killed_worker_costs_its_file_and_no_other(tmp_path: Path) -> None:
    """One poisonous file would keep all others of a night's delivery out."""

    def take(path: Path) -> FileResult:
        if path.stem in ("1", "3"):
            os.kill(os.getpid(), signal.SIGKILL)
        return FileResult(path.name, state="published")

    events: list[Event] = []
    results = taken(tmp_path, [[0, 1, 2], [3], [4]], take, 1, events)
    assert [(result.state, result.code) for result in results] == [
        ("published", None), (None, "worker_lost"), ("published", None), (None, "worker_lost"), ("published", None),
    ]  # fmt: skip
    assert results[1].message == "The worker that took it was killed by signal 9."
    assert sorted(event.index for event in events if event.step == "done") == [0, 1, 2, 3, 4]


def test_what_nobody_named_costs_one_file_and_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A bug would lose the rest of the files, or show the user a wall of Python."""

    def take(path: Path) -> FileResult:
        if path.stem == "0":
            raise ZeroDivisionError("nobody named this\nwith a second line")
        return FileResult(path.name, state="published")

    results = taken(tmp_path, [[0, 1]], take)
    assert (results[0].code, results[1].state) == ("code_bug", "published")
    assert results[0].message == "ZeroDivisionError: nobody named this (SHP_DEBUG=1 shows where.)"
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_is_told_to_stop_takes_no_further_file(tmp_path: Path) -> None:
    """Work would go on after Ctrl-C with the next file."""

    def take(path: Path) -> FileResult:
        if path.stem == "0":
            try:  # as Dagster does: the interruption ends the run, not the process
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            except KeyboardInterrupt:
                return FileResult(path.name, state="arrived")
        return noting(tmp_path)(path)

    results = taken(tmp_path, [[0]], take)
    assert results[0].code == "interrupted"
    assert not (tmp_path / "log").exists()


def test_no_worker_is_left(tmp_path: Path) -> None:
    """Every ingestion would leave processes behind."""
    before = set(psutil.Process().children())
    taken(tmp_path, [[index] for index in range(7)], noting(tmp_path), 3)
    assert set(psutil.Process().children()) == before

    class Stop(Exception):
        """What stops the listener."""

    def stop(event: Event) -> None:
        raise Stop

    outside = Outside(Settings.load({}, home=tmp_path / "home"))
    with pytest.raises(Stop):
        take_all(Order([tmp_path / "0.xlsx"], [[0]], outside, lambda outside: noting(tmp_path, 60)), stop)
    assert set(psutil.Process().children()) == before


# which files


def touch(folder: Path, *names: str) -> list[Path]:
    """Empty files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def test_a_folder_stands_for_its_matching_files_in_order(tmp_path: Path) -> None:
    """Lock files and notes would be delivered, or the order would be the disk's."""
    touch(tmp_path, "b.xlsx", "a.XLSX", "~$a.xlsx", ".c.xlsx", "notes.txt")
    assert [path.name for path in files_of(FEED, [tmp_path])] == ["a.XLSX", "b.xlsx"]


def test_a_file_that_is_named_always_counts_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file could not be delivered under an odd name; or it would be taken twice at the same time."""
    (odd, plain) = touch(tmp_path / "in", "odd.dat", "plain.xlsx")
    monkeypatch.chdir(tmp_path)
    assert files_of(FEED, [odd, Path("in"), Path("in/plain.xlsx"), plain, Path("in/../in/odd.dat")]) == [odd, Path("in/plain.xlsx")]


def test_nothing_that_matches_is_a_wrong_call(tmp_path: Path) -> None:
    """A wrong path would look like a day without files."""
    touch(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match=r"\*\.xlsx"):
        files_of(FEED, [tmp_path])


def test_a_link_is_not_followed_and_a_missing_file_is_told_later(tmp_path: Path) -> None:
    """A link would let somebody deliver files that they may not read; a missing file would hide the others."""
    (tmp_path / "link").symlink_to(tmp_path)
    given = [tmp_path / "link", tmp_path / "nowhere.xlsx"]
    assert files_of(FEED, given) == given


def test_files_of_one_period_are_in_one_queue(tmp_path: Path) -> None:
    """Two files for one day would be taken at the same time."""
    names = ["counts_2026-11-17.xlsx", "counts_2026-11-18.xlsx", "counts_2026-11-17 new.xlsx", "nameless.xlsx"]
    assert queues(DAYS, [tmp_path / name for name in names]) == [[0, 2], [1], [3]]
    assert queues(FEED, [tmp_path / "a" / "x.xlsx", tmp_path / "y.xlsx", tmp_path / "b" / "x.xlsx"]) == [[0, 2], [1]]


def test_a_path_is_made_plain_only_where_that_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a link `..` is another folder: somebody else's file would be delivered."""
    touch(tmp_path, "x.xlsx")
    touch(tmp_path / "far" / "in", "y.xlsx")
    touch(tmp_path / "far", "x.xlsx")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "in")
    monkeypatch.chdir(tmp_path)
    assert plainly(Path("far/../x.xlsx")) == tmp_path / "x.xlsx"
    assert plainly(Path("link/y.xlsx")) == tmp_path / "link" / "y.xlsx"
    assert plainly(Path("link/../x.xlsx")) == tmp_path / "link" / ".." / "x.xlsx"
    assert plainly(Path("nowhere/../x.xlsx")).name == "x.xlsx"
