"""Reading processes forked from a warm one: the same rows, and every way in which either can end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.limits import Limits
from shp_core.reading.textrow import SheetSpec
from shp_resources import nursery as module
from shp_resources.nursery import Fork, Nursery
from shp_resources.processes import wait_until
from shp_resources.reader import TextBatches, WorkbookReader
from shp_resources.reader_ends import reader_environment
from tests.support.scans import kernels
from tests.support.waiting import PATIENCE, until
from tests.support.workbooks import header_row, raw

ROWS = 12_000


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    kernels()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of some batches."""
    cells = '<c r="A{n}"><v>{n}</v></c><c r="B{n}" t="str"><v>text {n}{tail}</v></c>'
    rows = "".join(f'<row r="{n}">{cells.format(n=n, tail="." * 100)}</row>' for n in range(2, ROWS + 2))
    return raw(tmp_path_factory.mktemp("books") / "w.xlsx", header_row("n", "t") + rows)


@pytest.fixture
def reader() -> Iterator[WorkbookReader]:
    """A reader with a warm process."""
    made = WorkbookReader(Limits(batch_rows=50), warm=True)
    yield made
    nursery_of(made).stop()


def nursery_of(reader: WorkbookReader) -> Nursery:
    """Its nursery."""
    assert reader._nursery is not None
    return reader._nursery


def warm_pid(reader: WorkbookReader) -> int:
    """Process number of the warm process."""
    process = nursery_of(reader)._process
    assert process is not None
    return process.pid


def count(reader: WorkbookReader, path: Path) -> int:
    """Rows of a workbook."""
    with reader.open(path, SheetSpec()) as rows:
        return sum(batch.num_rows for batch in rows)


@contextmanager
def reading(reader: WorkbookReader, path: Path) -> Iterator[tuple[TextBatches, Iterator[object]]]:
    """A workbook of which one batch was read, and the iterator over the others."""
    with reader.open(path, SheetSpec()) as rows:
        batches = iter(rows)
        next(batches)
        yield rows, batches


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def soon(condition: Callable[[], bool]) -> bool:
    """Whether something comes true."""
    return wait_until(condition, PATIENCE)


def test_the_same_rows_as_cold(reader: WorkbookReader, book: Path) -> None:
    """A warm process would read otherwise than a new one."""
    with WorkbookReader(Limits(batch_rows=50)).open(book, SheetSpec()) as cold, reader.open(book, SheetSpec()) as warm:
        assert cold.schema == warm.schema
        assert list(cold) == list(warm)
        assert cold.stats == warm.stats


def test_workbooks_share_a_warm_process_and_no_reading_process(reader: WorkbookReader, book: Path) -> None:
    """Each workbook would wait for Python to start; or something would pass from one to the next."""
    pids, parents = [], []
    for _ in range(3):
        with reading(reader, book) as (rows, others):
            pids.append(rows._child._process.pid)
            parents.append(psutil.Process(pids[-1]).ppid())
            assert len(list(others)) > 1
    assert len(set(pids)) == 3
    assert set(parents) == {warm_pid(reader)}
    assert all(is_gone(pid) for pid in pids)


def test_a_refused_workbook_leaves_the_warm_process(reader: WorkbookReader, book: Path, tmp_path: Path) -> None:
    """A folder of broken files would be read ten times slower than one of good ones."""
    broken = tmp_path / "w.xlsx"
    broken.write_bytes(book.read_bytes()[:-100])
    assert count(reader, book) == ROWS
    before = warm_pid(reader)
    for _ in range(3):
        with pytest.raises(Refusal) as caught:
            count(reader, broken)
        assert caught.value.code == Code.DAMAGED_WORKBOOK
    assert count(reader, book) == ROWS
    assert warm_pid(reader) == before


def test_a_copy_that_is_not_there(reader: WorkbookReader, tmp_path: Path) -> None:
    """The warm process would die of it, or the fault would be blamed on the file."""
    with pytest.raises(Fault) as caught:
        count(reader, tmp_path / "gone.xlsx")
    assert caught.value.code == Code.ARTEFACT_DAMAGED


@pytest.mark.parametrize("victim", ["reading", "warm"])
def test_a_process_that_is_killed(reader: WorkbookReader, book: Path, victim: str) -> None:
    """Rows would be cut off without anybody noticing, or no workbook could be read any more."""
    with pytest.raises(Refusal) as caught, reading(reader, book) as (rows, others):
        before = warm_pid(reader)
        os.kill(rows._child._process.pid if victim == "reading" else before, signal.SIGKILL)
        list(others)
    assert caught.value.code == Code.READER_CRASHED
    assert count(reader, book) == ROWS
    assert warm_pid(reader) != before


def test_a_warm_process_that_is_killed_between_workbooks(reader: WorkbookReader, book: Path) -> None:
    """A workbook would be refused because of what happened before it came."""
    assert count(reader, book) == ROWS
    os.kill(warm_pid(reader), signal.SIGKILL)
    assert count(reader, book) == ROWS


def test_limits_hold_in_a_fork(book: Path, tmp_path: Path) -> None:
    """A workbook made to be slow would keep a processor busy, and its successors would inherit what it used up."""
    rows = "<!-- slowly -->" + "".join(f"<row><c><v>{n}.5</v></c><c><v>{n}.25</v></c></row>" for n in range(400_000))
    slow = raw(tmp_path / "w.xlsx", header_row("a", "b") + rows)
    reader = WorkbookReader(Limits(child_cpu_seconds=1), warm=True)
    with pytest.raises(Refusal) as caught:
        count(reader, slow)
    assert caught.value.code == Code.LIMIT_REACHED and "child_cpu_seconds" in caught.value.message
    assert count(reader, book) == ROWS
    nursery_of(reader).stop()


def test_a_fork_that_stands_still(book: Path) -> None:
    """A stopped process would keep its partition waiting for ever, and all that come after it."""
    reader = WorkbookReader(Limits(batch_rows=50), warm=True)
    with pytest.raises(Refusal) as caught, reading(reader, book) as (rows, others):
        os.kill(rows._child._process.pid, signal.SIGSTOP)
        rows._child._patience._left = 1.0
        list(others)
    assert caught.value.code == Code.READER_TIMEOUT
    assert soon(lambda: is_gone(rows._child._process.pid))
    assert count(WorkbookReader(Limits(), warm=True), book) == ROWS


def test_a_workbook_that_is_not_read_to_its_end(reader: WorkbookReader, book: Path) -> None:
    """A process would wait for ever for somebody to take its rows."""
    with reading(reader, book) as (rows, _):
        pid, before = rows._child._process.pid, warm_pid(reader)
    assert soon(lambda: is_gone(pid) and is_gone(before))
    assert count(reader, book) == ROWS


def test_a_second_workbook_at_the_same_time(reader: WorkbookReader, book: Path) -> None:
    """It would wait for the first one, which may wait for it."""
    with reading(reader, book) as (first, firsts), reading(reader, book) as (second, seconds):
        assert isinstance(first._child._process, Fork) and not isinstance(second._child._process, Fork)
        assert len(list(seconds)) == len(list(firsts))


def test_another_thread(reader: WorkbookReader, book: Path) -> None:
    """A warm process ends with the thread that started it, and would take a reading process of another one with it."""
    assert count(reader, book) == ROWS
    kinds: list[type] = []
    ended: list[int] = []

    def read() -> None:
        with reading(reader, book) as (rows, others):
            kinds.append(type(rows._child._process))
            assert len(list(others)) > 1
            ended.append(rows.stats.rows)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert (kinds, ended) == ([module.Started], [ROWS])


def test_a_fork_of_the_parent(reader: WorkbookReader, book: Path) -> None:
    """Two processes would read each other's workbooks."""
    assert count(reader, book) == ROWS
    before = warm_pid(reader)
    pid = os.fork()
    if not pid:
        os._exit(0 if count(reader, book) == ROWS and warm_pid(reader) != before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert count(reader, book) == ROWS
    assert warm_pid(reader) == before


@pytest.mark.parametrize("accident", [False, True])
def test_one_that_was_begun_for_a_worker_is_the_workers(book: Path, accident: bool) -> None:
    """Every worker would start a reading process of its own while the files wait, or leave one behind that nobody uses."""
    begun = Nursery(reader_environment())
    begun.begin()
    assert begun._process is not None
    first = begun._process.pid
    pid = os.fork()
    if not pid:
        os._exit(_as_worker(begun, book, accident))
    begun.hand_over()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert begun._process.wait(60) == (-signal.SIGKILL if accident else 0)
    assert is_gone(first)


def _as_worker(begun: Nursery, book: Path, accident: bool) -> int:
    """Use what was begun; after an accident another one, which ends with this process. Exit status: 0 all is as it should be."""
    begun.take_over()
    reader = WorkbookReader(Limits(batch_rows=50), warm=begun)
    first = warm_pid(reader)
    with contextlib.suppress(Refusal), reading(reader, book) as (rows, others):
        if not isinstance(rows._child._process, Fork):
            return 1
        if accident:
            os.kill(rows._child._process.pid, signal.SIGKILL)
        list(others)
    return 0 if count(reader, book) == ROWS and (warm_pid(reader) != first) is accident else 2


def test_it_imports_the_fast_reader_before_anybody_asks(reader: WorkbookReader) -> None:
    """Each first workbook of `shp ingest` would wait for LLVM, though a core stood idle before it came."""
    nursery_of(reader).begin()
    maps = Path(f"/proc/{warm_pid(reader)}/maps")
    until(lambda: "libllvmlite" in maps.read_text())


def test_it_ends_when_nobody_asks(book: Path, tmp_path: Path) -> None:
    """A platform that has nothing to read would keep the memory for reading."""
    reader = WorkbookReader(Limits(), warm=True)
    reader._nursery = Nursery(reader_environment(), idle_seconds=0.3)
    assert count(reader, book) == ROWS
    pid = warm_pid(reader)
    assert soon(lambda: is_gone(pid))
    assert count(reader, book) == ROWS
    nursery_of(reader).stop()


def test_a_fork_has_nothing_open_but_its_pipes_and_the_workbook(reader: WorkbookReader, book: Path) -> None:
    """A reader that was taken over by a workbook would find the socket to the warm process."""
    with reading(reader, book) as (rows, _):
        folder = Path(f"/proc/{rows._child._process.pid}/fd")
        found = sorted(str(place.readlink()).split(":")[0] for place in folder.iterdir())
        limits = Path(f"/proc/{rows._child._process.pid}/limits").read_text()
    assert found == sorted(["/dev/null", "/dev/null", "pipe", "pipe", str(book)])
    assert len([line for line in limits.splitlines() if line.startswith("Max file size") and " 0 " in line]) == 1


def test_nothing_survives_the_parent(book: Path) -> None:
    """Killed platforms would leave processes behind, each with a workbook open."""
    program = f"""
        import sys, time
        from pathlib import Path
        from shp_core.limits import Limits
        from shp_core.reading.textrow import SheetSpec
        from shp_resources.reader import WorkbookReader
        reader = WorkbookReader(Limits(batch_rows=50), warm=True)
        with reader.open(Path({str(book)!r}), SheetSpec()) as rows:
            next(iter(rows))
            print(rows._child._process.pid, reader._nursery._process.pid, flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2 and not any(is_gone(pid) for pid in pids)
        parent.kill()
    assert soon(lambda: all(is_gone(pid) for pid in pids))


def test_a_warm_process_that_cannot_start(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workbooks could not be read, although a cold process would read them."""
    monkeypatch.setattr(module, "_COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    assert count(WorkbookReader(Limits(), warm=True), book) == ROWS
