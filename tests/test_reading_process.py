"""The reading process: what it hands over, and every way in which it can end."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_core.limits import MIB, Limits
from shp_core.reading.textrow import SheetSpec
from shp_resources import reader
from shp_resources.processes import wait_until
from shp_resources.reader import TextBatches, WorkbookReader
from tests.support.waiting import PATIENCE, until, worked
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, text_row, written

MANY = 20_000
TAIL = "." * 100


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of several batches, and of more than a pipe can hold: its reader waits for somebody to take them."""
    cells = '<c r="A{n}"><v>{n}</v></c><c r="B{n}" t="str"><v>text {n}{tail}</v></c>'
    rows = "".join(f'<row r="{n}">{cells.format(n=n, tail=TAIL)}</row>' for n in range(2, MANY + 2))
    return raw(tmp_path_factory.mktemp("large") / "large.xlsx", header_row("n", "t") + rows)


def consume(path: Path, limits: Limits | None = None, **spec: object) -> tuple[pa.Table, TextBatches]:
    """Everything a table has."""
    with WorkbookReader(limits or Limits()).open(path, SheetSpec(**spec)) as rows:  # type: ignore[arg-type]
        table = pa.Table.from_batches(list(rows), rows.schema)
    return table, rows


def refused(path: Path, limits: Limits | None = None) -> Refusal:
    """How reading is refused; fails if it is not."""
    with pytest.raises(Refusal) as caught:
        consume(path, limits)
    return caught.value


def child_of(rows: TextBatches) -> int:
    """The process that reads."""
    return rows._child._process.pid


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_batches_hold_the_rows_of_the_table(tmp_path: Path) -> None:
    """Everything after the reader would work on other rows than the workbook has."""
    rows = text_row(2, "x", None, "beside") + '<row r="9" hidden="1"><c r="B9" t="e"><v>#N/A</v></c></row>'
    table, batches = consume(raw(tmp_path / "w.xlsx", header_row("a", "ü") + rows))
    assert batches.header == ("a", "ü")
    assert table.schema.names == ["row", "kinds", "c1", "c2", "extra"]
    assert table.schema.types == [pa.int32(), pa.string(), pa.string(), pa.string(), pa.string()]
    assert table.to_pylist() == [
        {"row": 2, "kinds": "s-", "c1": "x", "c2": None, "extra": '[[3, "s", "beside"]]'},
        {"row": 9, "kinds": "-e", "c1": None, "c2": "#N/A", "extra": None},
    ]
    assert json.loads(table.schema.metadata[b"shp.header"]) == ["a", "ü"]
    counted = {name: count for name, count in batches.stats.as_dict().items() if count}
    assert counted == {"sheet": "Sheet1", "rows": 2, "blank": 6, "cells": 3, "extra_cells": 1, "error_cells": 1, "hidden_rows": 1}


def test_a_table_without_rows_has_a_header_and_no_batch(tmp_path: Path) -> None:
    """A workbook with a header alone would look like one that could not be read."""
    table, batches = consume(raw(tmp_path / "w.xlsx", header_row("a")))
    assert (batches.header, table.num_rows, batches.stats.rows) == (("a",), 0, 0)


def test_large_tables_come_in_batches(large: Path) -> None:
    """Memory would grow with the file."""
    with WorkbookReader(Limits()).open(large, SheetSpec()) as rows:
        sizes = [batch.num_rows for batch in rows]
    assert sum(sizes) == MANY == rows.stats.rows
    assert max(sizes) == 4096 and len(sizes) >= 5


def test_batches_are_bounded_by_their_bytes_too(tmp_path: Path) -> None:
    """Rows of long texts, or of thousands of columns, would make a batch as large as the memory."""
    path = raw(tmp_path / "w.xlsx", header_row("a") + "".join(text_row(n, "x" * 1000) for n in range(2, 102)))
    with WorkbookReader(Limits(batch_chars=10_000)).open(path, SheetSpec()) as rows:
        assert max(batch.num_rows for batch in rows) == 10
    assert rows.stats.rows == 100


def test_the_parent_works_while_the_child_reads(large: Path) -> None:
    """Reading and loading would take the sum of their times, and the rows would pile up in between."""
    with WorkbookReader(Limits(batch_rows=100)).open(large, SheetSpec()) as rows:
        first = next(iter(rows))
        assert first.num_rows == 100 and is_running(child_of(rows))


def test_counts_are_not_to_be_had_before_the_end(large: Path) -> None:
    """Somebody would believe the counts of half a table."""
    with WorkbookReader(Limits()).open(large, SheetSpec()) as rows:
        next(iter(rows))
        with pytest.raises(RuntimeError, match="when all batches are read"):
            _ = rows.stats


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", Code.EMPTY_FILE), (b"text", Code.NOT_A_WORKBOOK), (b"PK\x03\x04 and no more", Code.DAMAGED_WORKBOOK)],
)
def test_what_the_gate_refuses_is_a_refusal_here(tmp_path: Path, content: bytes, code: Code) -> None:
    """The sender would be told that a reader crashed, not what to do."""
    path = tmp_path / "w.xlsx"
    path.write_bytes(content)
    assert refused(path).code == code


def test_details_of_a_refusal_arrive(tmp_path: Path) -> None:
    """An operator would not know which limit to raise."""
    refusal = refused(raw(tmp_path / "w.xlsx", header_row("a") + text_row(2, "x")), Limits(part_bytes=100))
    assert (refusal.code, refusal.details) == (Code.LIMIT_REACHED, {"limit": "part_bytes", "value": 100})
    assert "part_bytes = 100" in refusal.message


def test_a_refusal_in_the_last_row_is_still_one(large: Path, tmp_path: Path) -> None:
    """Rows that came before the damage would be taken for the whole table."""
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(2, 9000)) + '<row r="9000"><c t="b"><v>x</v></c></row>'
    came = 0
    with WorkbookReader(Limits()).open(raw(tmp_path / "w.xlsx", header_row("a") + rows), SheetSpec()) as batches:
        with pytest.raises(Refusal) as caught:
            for batch in batches:
                came += batch.num_rows
        assert (came, caught.value.code) == (8192, Code.INVALID_MARKUP)
        with pytest.raises(RuntimeError):
            _ = batches.stats


def test_a_missing_copy_is_no_fault_of_the_sender(tmp_path: Path) -> None:
    """A delivery would be refused because the store lost its bytes."""
    with pytest.raises(Fault, match="No such file") as caught:
        consume(tmp_path / "gone.xlsx")
    assert caught.value.code == Code.ARTEFACT_DAMAGED


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_killed_child_is_an_ordinary_outcome(large: Path, deadly: signal.Signals) -> None:
    """A reader that dies would take the platform with it, or half a table would be loaded."""
    with WorkbookReader(Limits(batch_rows=50)).open(large, SheetSpec()) as rows:
        stream = iter(rows)
        next(stream)
        os.kill(child_of(rows), deadly)
        with pytest.raises(Refusal) as caught:
            for _ in stream:
                pass
    assert caught.value.code == Code.READER_CRASHED
    assert caught.value.details == {"exit_code": -deadly}


def test_a_child_killed_before_its_first_word(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that never starts would hang its parent."""
    monkeypatch.setattr("shp_resources.reader._COMMAND", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"))
    assert refused(large).details == {"exit_code": -9}


LIARS = {
    "nothing": "",
    "garbage": "sys.stdout.buffer.write(b'garbage' * 100)",
    "rows without a verdict": "rows(2)",
    "a verdict without rows": "verdict({'ok': True, 'stats': {'sheet': 's'}, 'batches': 0})",
    "fewer rows than the verdict says": "rows(2); verdict({'ok': True, 'stats': {'sheet': 's'}, 'batches': 3})",
    "half a verdict": "rows(2); os.write(job['verdict'], b'{\"ok\": true')",
    "half a batch": "rows(2, cut=40); verdict({'ok': True, 'stats': {'sheet': 's'}, 'batches': 2})",
    "a verdict and a bad end": "rows(2); verdict({'ok': True, 'stats': {'sheet': 's'}, 'batches': 2}); os._exit(3)",
}
LIAR = """
import io, json, os, sys
import pyarrow as pa
job = json.loads(sys.stdin.buffer.read())

def rows(count, cut=None):
    out, schema = io.BytesIO(), pa.schema([("row", pa.int32())], metadata={{b"shp.header": b"[]"}})
    stream = pa.ipc.new_stream(out, schema)
    for number in range(count):
        stream.write_batch(pa.record_batch([pa.array([number], pa.int32())], schema=schema))
    whole = out.getvalue()  # without the mark of the end, as after a kill between two batches
    sys.stdout.buffer.write(whole[:-cut] if cut else whole)
    sys.stdout.flush()

def verdict(said):
    os.close(1)
    os.write(job["verdict"], json.dumps(said).encode() + b"\\n")

{lie}
"""


@pytest.mark.parametrize("lie", LIARS)
def test_a_stream_that_was_cut_off_never_counts_as_the_end(large: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """The first half of a table would replace the whole of yesterday's."""
    monkeypatch.setattr("shp_resources.reader._COMMAND", (sys.executable, "-c", LIAR.format(lie=LIARS[lie])))
    assert refused(large).code == Code.READER_CRASHED


def test_a_reader_that_needs_too_much_memory(tmp_path: Path) -> None:
    """One workbook would take the machine's memory from everything else on it."""
    strings = [f"<si><t>{number:032}{'x' * 500}</t></si>" for number in range(200_000)]
    path = raw(tmp_path / "w.xlsx", header_row("a") + '<row r="2"><c t="s"><v>0</v></c></row>', strings=strings)
    assert refused(path, Limits(child_memory_bytes=230 * MIB)).code == Code.READER_OUT_OF_MEMORY
    assert consume(path)[0].num_rows == 1


def test_a_reader_that_needs_too_much_processor_time(tmp_path: Path) -> None:
    """A workbook made to be slow would keep a processor busy for ever."""
    rows = "<!-- slowly -->" + "".join(f"<row><c><v>{n}.5</v></c><c><v>{n}.25</v></c></row>" for n in range(600_000))
    path = raw(tmp_path / "w.xlsx", header_row("a", "b") + rows)
    before = worked()
    refusal = refused(path, Limits(child_cpu_seconds=1))
    assert refusal.code == Code.LIMIT_REACHED and "child_cpu_seconds" in refusal.message
    assert worked() - before < 4


def test_a_reader_that_stands_still(large: Path) -> None:
    """A stopped process would keep its partition waiting for ever."""
    with WorkbookReader(Limits(batch_rows=50)).open(large, SheetSpec()) as rows:
        os.kill(child_of(rows), signal.SIGSTOP)
        rows._child._patience._seconds = rows._child._patience._left = 1.0
        with pytest.raises(Refusal) as caught:
            list(rows)
    assert (caught.value.code, caught.value.details) == (Code.READER_TIMEOUT, {"limit": "child_wait_seconds", "value": 1.0})
    assert not is_running(child_of(rows))


def unread(rows: TextBatches) -> int:
    """Bytes that the child has written and nobody has read yet."""
    return int(struct.unpack("i", fcntl.ioctl(rows._child._rows._descriptor, termios.FIONREAD, b"\0" * 4))[0])


def test_a_slow_parent_is_not_held_against_the_child(large: Path) -> None:
    """A file would be refused because the database was slow."""
    with WorkbookReader(Limits(batch_rows=50, child_wait_seconds=PATIENCE)).open(large, SheetSpec()) as rows:
        stream = iter(rows)
        next(stream)
        rows._child._patience._left = 0.5
        until(lambda: unread(rows) > 32_768)  # the next batch is there, whole
        time.sleep(0.7)
        assert next(stream).num_rows == 50


def test_the_child_ends_with_the_context(large: Path) -> None:
    """Readers nobody listens to would pile up."""
    with WorkbookReader(Limits(batch_rows=50)).open(large, SheetSpec()) as rows:
        pid = child_of(rows)
        assert is_running(pid)
    assert not is_running(pid)


def test_the_child_ends_when_its_consumer_fails(large: Path) -> None:
    """An error in a later step would leave a process behind."""
    with pytest.raises(ZeroDivisionError), WorkbookReader(Limits(batch_rows=50)).open(large, SheetSpec()) as rows:
        pid = child_of(rows)
        raise ZeroDivisionError
    assert not is_running(pid)


def test_nothing_stays_open(large: Path, tmp_path: Path) -> None:
    """After some thousand files the service could open no more."""
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"text")

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for _ in range(3):
        consume(large)
        refused(bad)
    assert descriptors() == before


PARENT = """
import sys, time
from pathlib import Path
from shp_core.limits import Limits
from shp_core.reading.textrow import SheetSpec
from shp_resources.reader import WorkbookReader
with WorkbookReader(Limits(batch_rows=50)).open(Path(sys.argv[1]), SheetSpec()) as rows:
    next(iter(rows))
    print(rows._child._process.pid, flush=True)
    time.sleep(60)
"""


def test_the_child_does_not_survive_its_parent(large: Path) -> None:
    """After a crash of the platform, readers would go on eating memory and time."""
    path = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(large)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    assert wait_until(lambda: not is_running(pid), PATIENCE)


@pytest.fixture
def limited() -> Iterator[str]:
    """A program that limits itself like the child, and then tries what `attempt` says."""
    yield textwrap.dedent("""
        import socket, sys, os
        sys.modules["numpy"] = None
        import pyarrow
        from shp_core.reading.bounds import limit
        limit(1 << 30, 60)
        workbook = open({path!r}, "rb")
        try:
            {attempt}
        except OSError as error:
            print(type(error).__name__, error.errno)
        else:
            print("done")
    """)


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("socket.socket()", "OSError 24"),
        ("open('/etc/hostname')", "OSError 24"),
        ("os.pipe()", "OSError 24"),
        ("workbook.read(2)", "done"),
    ],
)
def test_the_child_has_no_descriptor_left(large: Path, limited: str, attempt: str, outcome: str) -> None:
    """A workbook that takes over its reader could send what it finds to somebody."""
    path = os.pathsep.join(filter(None, sys.path))
    program = limited.format(path=str(large), attempt=attempt)
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    assert done.stdout.strip() == outcome, done.stderr


def test_the_child_cannot_write_a_file(tmp_path: Path) -> None:
    """A workbook that takes over its reader could fill the disk or change files."""
    target = tmp_path / "file"
    program = (
        f"import os; file = os.open({str(target)!r}, os.O_CREAT | os.O_WRONLY); from shp_core.reading.bounds import limit; "
        "limit(1 << 30, 60); os.write(file, b'x')"
    )
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, check=False)
    assert done.returncode != 0
    assert target.read_bytes() == b""


def test_it_works_from_any_folder_and_environment(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service started elsewhere, or a file called `json.py` in the folder, would stop all reading."""
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert consume(large)[0].num_rows == MANY


@pytest.mark.parametrize("name", ["a b'\"$(id).xlsx", "new\nline.xlsx", "\u202eright.xlsx", "bad\udcff.xlsx", "x" * 250 + ".xlsx"])
def test_file_names_are_data(tmp_path: Path, name: str) -> None:
    """A file's name could run a command, or stop its own reading."""
    source = written(tmp_path / "w.xlsx", [["a"], ["x"]])
    path = tmp_path / name
    source.rename(path)
    assert consume(path)[0].num_rows == 1


def test_the_same_file_is_read_the_same_twice(large: Path) -> None:
    """Two runs over the same bytes would publish different rows."""
    assert consume(large)[0] == consume(large)[0]


def test_hidden_sheets_are_named(tmp_path: Path) -> None:
    """Nobody would see that a feed reads a sheet which people do not see."""
    sheets = [RawSheet(header_row("a"), "Front"), RawSheet(header_row("b") + text_row(2, "x"), "Behind", state="hidden")]
    _, rows = consume(RawWorkbook(sheets).write(tmp_path / "w.xlsx"), sheet="Behind")
    assert (rows.header, rows.stats.sheet, rows.stats.hidden) == (("b",), "Behind", True)


def test_limits_are_not_shared(large: Path) -> None:
    """One feed's limit would hold for all."""
    tight = replace(Limits(), table_cells=10)
    assert refused(large, tight).details["limit"] == "table_cells"
    assert consume(large)[0].num_rows == MANY


def test_two_readers_do_not_disturb_each_other(large: Path, tmp_path: Path) -> None:
    """Partitions that are read side by side would get each other's rows."""
    other = raw(tmp_path / "w.xlsx", header_row("b") + "".join(text_row(n, f"other {n}") for n in range(2, 5000)))
    readers = WorkbookReader(Limits(batch_rows=100))
    with readers.open(large, SheetSpec()) as left, readers.open(other, SheetSpec()) as right:
        pairs = list(zip(left, right, strict=False))
    assert (left.header, right.header) == (("n", "t"), ("b",))
    assert all(first.num_columns == 5 and second.column("c1")[0].as_py().startswith("other") for first, second in pairs)
    assert len(pairs) == 50


def test_leaving_early_is_no_error_and_no_end(large: Path) -> None:
    """A preview of the first rows would have to read the whole file, or would be taken for all of it."""
    with WorkbookReader(Limits(batch_rows=10)).open(large, SheetSpec()) as rows:
        for batch in rows:
            assert batch.column("c2").to_pylist()[0] == "text 2" + TAIL
            break
        with pytest.raises(RuntimeError):
            _ = rows.stats


def test_a_reader_works_in_a_thread(large: Path) -> None:
    """A service that works with threads could not read."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(consume(large)[0].num_rows))
    thread.start()
    thread.join(PATIENCE)
    assert found == [MANY]


@pytest.mark.parametrize("spec", [{"sheet": 2}, {"sheet": "None"}, {"header": 10**6}, {"sheet": 1, "header": 0}])
def test_a_table_that_is_not_there_is_drift(large: Path, spec: dict[str, object]) -> None:
    """A renamed sheet would look like a damaged file, and its sender would send it again and again."""
    codes = set()
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            consume(large, **spec)
        codes.add(caught.value.code)
    assert codes in ({Code.SHEET_MISSING}, {Code.HEADER_MISSING})


def test_a_list_of_very_many_sheets_does_not_block(tmp_path: Path) -> None:
    """A refusal longer than a pipe holds would stop parent and child for ever."""
    sheets = [RawSheet("", f"{number:04}" + "ü" * 27) for number in range(3000)]
    refusal = refused(RawWorkbook(sheets, stored=True).write(tmp_path / "w.xlsx"))
    assert refusal.code == Code.HEADER_MISSING
    with pytest.raises(Refusal) as caught:
        consume(tmp_path / "w.xlsx", sheet="other")
    assert (caught.value.code, caught.value.details) == (Code.SHEET_MISSING, {"sheets": 3000})
    assert len(caught.value.message) < 10_000


def test_a_wide_header_arrives_whole(tmp_path: Path) -> None:
    """The widest legal table would be cut off between the processes."""
    texts = [f"column {number} {'x' * 200}" for number in range(5000)]
    row = "".join(f'<c t="str"><v>{text}</v></c>' for text in texts)
    table, rows = consume(raw(tmp_path / "w.xlsx", f'<row r="1">{row}</row><row><c><v>1</v></c></row>'))
    assert rows.header == tuple(texts)
    assert (table.num_rows, table.num_columns) == (1, 5003)


def test_relative_import_paths_are_understood(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform started with a relative path to its own modules could read no workbook."""
    package = Path(reader.__file__).parent.parent
    monkeypatch.chdir(package.parent)
    monkeypatch.setattr(sys, "path", [package.name, *(place for place in sys.path if place != str(package))])
    assert consume(large)[0].num_rows == MANY


def test_a_reader_that_cannot_start_is_a_crash_not_a_hang(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation would keep every partition waiting, without a word."""
    monkeypatch.setattr(sys, "path", [])
    refusal = refused(large)
    assert refusal.code == Code.READER_CRASHED
    assert refusal.details["exit_code"] == 1


NONSENSE = [
    "not json",
    "[]",
    '{"ok": false}',
    '{"refused": {"code": "no_such_code", "message": "m", "details": {}}}',
    '{"refused": "no"}',
    '{"crashed": "Error: of some kind"}',
    '{"ok": true, "batches": 0, "stats": {"sheet": "s", "unheard_of": 1}}',
]


@pytest.mark.parametrize("said", NONSENSE)
def test_a_verdict_that_makes_no_sense_is_a_crash(large: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """A child that was taken over could make its parent fail in a way that nobody handles."""
    lie = f"rows(0); os.close(1); os.write(job['verdict'], {said.encode()!r} + b'\\n')"
    monkeypatch.setattr("shp_resources.reader._COMMAND", (sys.executable, "-c", LIAR.format(lie=lie)))
    assert refused(large).code == Code.READER_CRASHED
