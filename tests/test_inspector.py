"""The process that forks readers: every way in which a look can end, and that the next one is not touched by it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.limits import MIB, Limits
from shp_resources.inspection import Inspector, inspector, process
from shp_resources.processes import wait_until
from tests.support.waiting import PATIENCE
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, text_row

T = TypeVar("T")

GOOD = header_row("a") + text_row(2, "x")
SOUND = [{"name": "Sheet1", "hidden": False, "rows": 2, "cells": 2, "error_cells": 0}]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A sound workbook."""
    return raw(tmp_path / "good.xlsx", GOOD)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook that takes seconds: its comments leave it to the reference."""
    rows = "".join(f"<row><c><!-- --><v>{n}.5</v></c><c><v>{n}.25</v></c></row>" for n in range(350_000))
    return raw(tmp_path_factory.mktemp("slow") / "slow.xlsx", header_row("a", "b") + rows)


def refused(looks: Inspector, path: Path) -> Refusal:
    """How a look is refused; fails if it is not."""
    with pytest.raises(Refusal) as caught:
        looks.look(path)
    return caught.value


def forks(looks: Inspector) -> list[psutil.Process]:
    """The readers at work."""
    assert looks._process is not None
    return psutil.Process(looks._process.pid).children()


@contextmanager
def as_soon_as_it_reads(looks: Inspector, act: Callable[[psutil.Process], T]) -> Iterator[list[T]]:
    """Do something with the one reader of the block as soon as it is at work; what that gave is there after the block."""
    with ThreadPoolExecutor(1) as watcher:
        answer: list[T] = []
        seen = watcher.submit(_the_one_reader, looks)
        seen.add_done_callback(lambda found: answer.append(act(found.result())))
        yield answer
        seen.result()


def _the_one_reader(looks: Inspector) -> psutil.Process:
    found: list[psutil.Process] = []
    wait_until(lambda: bool(found.extend(filter(_has_opened, forks(looks))) or found), PATIENCE, 0.005)
    (reader,) = found
    return reader


def _has_opened(fork: psutil.Process) -> bool:
    """Whether it has the workbook open; before that it may not yet have asked to die with its parent."""
    return bool(fork.open_files())


def test_one_process_serves_many_files(good: Path) -> None:
    """Each file would wait for a Python to start."""
    with Inspector(Limits()) as looks:
        pids = {looks.look(good) and looks._process and looks._process.pid for _ in range(5)}
        assert len(pids) == 1
        assert forks(looks) == []


def test_a_look_at_the_top_reads_no_further(slow: Path, tmp_path: Path) -> None:
    """To name what changed in the header of a large file would take as long as reading it: ten seconds."""
    rows: list[int] = []
    sheets = RawWorkbook([RawSheet(header_row("a") + text_row(2, "x") + text_row(9, "y"), "One"), RawSheet(header_row("b"), "Two")])
    with Inspector(Limits()) as looks:
        (found,) = looks.look(slow, lambda sheet, row, *_: rows.append(row), top=5)
        assert (found["rows"], sorted(set(rows))) == (5, [1, 2, 3, 4, 5])
        told: list[tuple[str, int, str | None]] = []
        looks.look(sheets.write(tmp_path / "two.xlsx"), lambda sheet, row, column, kind, text: told.append((sheet, row, text)), top=2)
        assert told == [("One", 1, "a"), ("One", 2, "x"), ("Two", 1, "b")]


def test_a_refusal_does_not_touch_the_next_file(good: Path, tmp_path: Path) -> None:
    """The answer about a file would depend on the file before it."""
    bad = raw(tmp_path / "bad.xlsx", header_row("a") + '<row r="2"><c t="b"><v>x</v></c></row>')
    with Inspector(Limits()) as looks:
        answers = [(str(refused(looks, bad).code), looks.look(good)) for _ in range(3)]
    assert answers == [("invalid_markup", SOUND)] * 3


def test_memory_is_limited_for_each_file(good: Path, tmp_path: Path) -> None:
    """One file would take the machine's memory, or the one after it would be refused for what the first one used."""
    strings = [f"<si><t>{number:032}{'x' * 2000}</t></si>" for number in range(60_000)]
    hungry = raw(tmp_path / "w.xlsx", GOOD, strings=strings)
    with Inspector(Limits(child_memory_bytes=48 * MIB)) as looks:
        for _ in range(2):
            assert refused(looks, hungry).code == Code.READER_OUT_OF_MEMORY
            assert looks.look(good) == SOUND


def test_processor_time_is_limited_for_each_file(good: Path, slow: Path) -> None:
    """A workbook made to be slow would keep a processor busy for ever."""
    with Inspector(Limits(child_cpu_seconds=1)) as looks:
        refusal = refused(looks, slow)
        assert (refusal.code, refusal.details) == (Code.LIMIT_REACHED, {"limit": "child_cpu_seconds"})
        assert looks.look(good) == SOUND


def test_patience_ends_and_with_it_the_reader(good: Path, slow: Path) -> None:
    """A reader that stands still would hold up all files behind it."""
    with Inspector(Limits()) as looks:
        assert looks.look(good) == SOUND
        looks._limits = Limits(child_wait_seconds=2.0)
        with as_soon_as_it_reads(looks, lambda fork: fork.suspend() or fork.pid) as seen:
            assert refused(looks, slow).details == {"limit": "child_wait_seconds", "value": 2.0}
        wait_until_gone(*seen)
    with Inspector(Limits()) as looks:
        assert looks.look(good) == SOUND


def wait_until_gone(pid: int) -> None:
    """Fails if the process is still there after a while."""
    assert wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, PATIENCE)


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_reader_is_an_ordinary_refusal(good: Path, slow: Path, deadly: signal.Signals) -> None:
    """A reader that dies would take the answer about all other files with it."""
    with Inspector(Limits()) as looks:
        assert looks.look(good) == SOUND
        with as_soon_as_it_reads(looks, lambda fork: fork.send_signal(deadly)):
            refusal = refused(looks, slow)
        assert (refusal.code, refusal.details) == (Code.READER_CRASHED, {"exit_code": -deadly})
        assert looks.look(good) == SOUND


def test_the_process_that_forks_may_die_too(good: Path, slow: Path) -> None:
    """After an accident nothing could be looked at until somebody starts the service anew."""
    with Inspector(Limits()) as looks:
        looks.look(good)
        os.kill(looks._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
        looks._process.wait()  # type: ignore[union-attr]
        assert looks.look(good) == SOUND
        with as_soon_as_it_reads(looks, lambda _: looks._process.kill()):  # type: ignore[union-attr]
            assert refused(looks, slow).code == Code.READER_CRASHED
        assert looks.look(good) == SOUND


def test_readers_do_not_survive_their_parent(good: Path, slow: Path) -> None:
    """After a crash, readers would go on eating memory and time."""
    looks = Inspector(Limits())
    assert looks.look(good) == SOUND
    thread = threading.Thread(target=refused, args=(looks, slow))
    thread.start()
    fork = _the_one_reader(looks)
    looks.interrupt()
    thread.join(PATIENCE)
    wait_until_gone(fork.pid)
    assert not thread.is_alive()
    looks.close()
    assert refused(looks, slow).code == Code.READER_CRASHED


def test_a_copy_that_is_gone_is_no_fault_of_its_sender(tmp_path: Path) -> None:
    """A delivery would be refused because the store lost its bytes."""
    with Inspector(Limits()) as looks, pytest.raises(Fault, match="No such file") as caught:
        looks.look(tmp_path / "gone.xlsx")
    assert caught.value.code == Code.ARTEFACT_DAMAGED


def test_a_long_row_and_a_long_name_come_in_bounded_lines(tmp_path: Path) -> None:
    """A row of thousands of long texts would have to fit into the service's memory."""
    cells = "".join(f'<c t="inlineStr"><is><t>{number:05}{"ü" * 30_000}</t></is></c>' for number in range(40))
    path = RawWorkbook([RawSheet(f'<row r="3">{cells}</row>', name="n" * 1000)]).write(tmp_path / "w.xlsx")
    heard: list[tuple[str, int, int, str, str | None]] = []
    with Inspector(Limits()) as looks:
        (sheet,) = looks.look(path, lambda *cell: heard.append(cell))
    assert [(row, column, kind, (text or "")[:5]) for _, row, column, kind, text in heard] == [
        (3, n + 1, "s", f"{n:05}") for n in range(40)
    ]
    assert {name for name, *_ in heard} == {"n" * process.NAME_CHARS} == {sheet["name"]}


LIAR = """
import json, os, socket, sys
channel = socket.socket(fileno=0)
while True:
    packet, pipes, _, _ = socket.recv_fds(channel, 1 << 16, 1)
    if not packet:
        break
    with os.fdopen(pipes[0], "wb") as out:
        out.write({said!r})
    channel.send({status!r})
"""
WELL = b'{"status": 0}'
SHEET = b'["sheet", {"name": "a", "hidden": false, "rows": 1, "cells": 1, "error_cells": 0}]\n'
LIES = {
    "nothing": (b"", WELL),
    "no json": (b"rows\n", WELL),
    "no end of line": (b'{"ok": true, "sheets": 0}', WELL),
    "half of the sheets": (SHEET + b'{"ok": true, "sheets": 2}\n', WELL),
    "a bad end": (SHEET + b'{"ok": true, "sheets": 1}\n', b'{"status": 3}'),
    "no status": (SHEET + b'{"ok": true, "sheets": 1}\n', b"?"),
    "two verdicts": (b'{"ok": true, "sheets": 0}\n' * 2, WELL),
    "counts that are none": (b'["sheet", {"name": 1}]\n{"ok": true, "sheets": 1}\n', WELL),
    "cells that nobody wants": (b'["rows", "a", 1, [[1, "s", "x"]]]\n{"ok": true, "sheets": 0}\n', WELL),
    "a code that is none": (b'{"refused": {"code": "x", "message": "m", "details": {}}}\n', WELL),
    "a number": (b"7\n", WELL),
    "an endless line": (b"x" * (3 * MIB), WELL),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_reader_that_was_taken_over_is_not_believed(good: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """A file could make the platform fail in a way that nobody handles, or pass as sound."""
    said, status = LIES[lie]
    monkeypatch.setattr(inspector, "_COMMAND", (sys.executable, "-c", LIAR.format(said=said, status=status)))
    with Inspector(Limits(child_wait_seconds=PATIENCE)) as looks:
        assert refused(looks, good).code == Code.READER_CRASHED


@pytest.mark.parametrize("cell", ['[1, "?", "x"]', '["1", "s", "x"]', '[1, "s", 7]', "[1]", "7", '[true, "s", "x"]'])
def test_cells_of_a_reader_that_was_taken_over(good: Path, monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    """A file could write lines of its own into the answer."""
    said = f'["rows", "a", 1, [{cell}]]\n{{"ok": true, "sheets": 0}}\n'.encode()
    monkeypatch.setattr(inspector, "_COMMAND", (sys.executable, "-c", LIAR.format(said=said, status=WELL)))
    with Inspector(Limits(child_wait_seconds=PATIENCE)) as looks, pytest.raises(Refusal) as caught:
        looks.look(good, lambda *_: None)
    assert caught.value.code == Code.READER_CRASHED


def test_a_process_that_cannot_start_is_a_refusal_not_a_hang(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation would keep everybody waiting, without a word."""
    monkeypatch.setattr(sys, "path", [])
    with Inspector(Limits()) as looks:
        assert refused(looks, good).code == Code.READER_CRASHED


def test_nothing_stays_open(good: Path) -> None:
    """After some thousand files the service could open no more."""

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for _ in range(3):
        with Inspector(Limits()) as looks:
            looks.look(good)
            refused(looks, Path("/etc/hostname"))
    assert descriptors() == before


ATTEMPTS = [("socket.socket()", 24), ("open('/etc/hostname')", 24), ("os.pipe()", 24)]


@pytest.mark.parametrize(("attempt", "number"), ATTEMPTS)
def test_a_reader_has_no_descriptor_left(good: Path, attempt: str, number: int, tmp_path: Path) -> None:
    """A workbook that takes over its reader could send what it finds to somebody."""
    program = (
        "import os, socket, sys; from shp_resources.inspection import process\n"
        f"def read(path, limits, cells, tell):\n    workbook = open(path); {attempt}\n"
        "process._read = read; process.main(int(sys.argv[1]))"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspector, "_COMMAND", (sys.executable, "-c", program))
        with Inspector(Limits()) as looks, pytest.raises(Fault) as caught:
            looks.look(good)
    assert os.strerror(number) in caught.value.message
