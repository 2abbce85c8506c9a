"""Many shared strings lie in a file without a name: the same rows, little memory, and nothing left behind."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest

from shp_core.limits import MIB, Limits
from shp_core.reading import child
from shp_core.reading.scan import strings, tables
from shp_core.reading.scan.rooms import Mapped, Memory, moved
from shp_core.reading.scan.tables import open_batches
from shp_core.reading.textrow import SheetSpec
from shp_resources.reader import WorkbookReader
from tests.support.scans import kernels, said
from tests.support.workbooks import header_row, raw

ROWS = 250_000


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[int]:
    """A file without a name."""
    file = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o600)
    yield file
    os.close(file)


def book(path: Path, rows: int, text: str = "text {}") -> Path:
    """A workbook whose every cell is a shared string of its own, every tenth an odd one."""
    lines = "".join(f'<row r="{n + 2}"><c t="s"><v>{n}</v></c></row>' for n in range(rows))
    plain = (f"<si><t>{text.format(n)}</t></si>" if n % 1000 else f"<si><r><t>ö&amp;</t></r><r><t>{n}</t></r></si>" for n in range(rows))
    return raw(path, header_row("a") + lines, strings=list(plain))


def with_scratch(path: Path, file: int) -> tuple[list[dict[str, Any]], str]:
    """The rows that the scan reads with a scratch file, and who read them."""
    with mock.patch.object(tables, "SCAN_FROM_BYTES", 0), open_batches(path, SheetSpec(), Limits(), kernels(), file) as table:
        batches = list(table)
        for batch in batches:
            batch.validate(full=True)
        return pa.Table.from_batches(batches, table.schema).to_pylist(), table.reader


def test_a_room_keeps_its_bytes_when_it_moves_and_grows(scratch: int) -> None:
    """Strings would be lost or mixed up on their way to the disk."""
    memory = Memory(10)
    ctypes.memmove(memory.address, b"0123456789", 10)
    room = moved(memory, scratch, 1 << 29)
    other = Mapped(scratch, 0, 5)
    ctypes.memmove(other.address, b"other", 5)
    room.resize(5 * MIB)
    ctypes.memmove(room.address + 5 * MIB - 3, b"end", 3)
    room.drop()
    assert room.buffer(10).to_pybytes() == b"0123456789"
    assert ctypes.string_at(room.address + 5 * MIB - 3, 3) == b"end"
    assert ctypes.string_at(other.address, 5) == b"other"
    assert os.fstat(scratch).st_blocks * 512 < 6 * MIB


@pytest.mark.parametrize("spill_from", [0, 40_000])
def test_the_same_rows_from_a_file(tmp_path: Path, scratch: int, spill_from: int) -> None:
    """Large workbooks would read differently from small ones."""
    path = book(tmp_path / "w.xlsx", 3_000)
    reference, _ = said(path, scan=False)
    with mock.patch.object(strings, "_SPILL_FROM", spill_from):
        rows, reader = with_scratch(path, scratch)
    assert (rows, reader) == (reference.rows, "scan")
    assert os.fstat(scratch).st_size > 0


def test_few_strings_stay_in_memory(tmp_path: Path, scratch: int) -> None:
    """Every small workbook would cost work on the disk."""
    assert with_scratch(book(tmp_path / "w.xlsx", 500), scratch)[1] == "scan"
    assert os.fstat(scratch).st_size == 0


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path, scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound workbook would be refused because the machine has no room."""
    path = book(tmp_path / "w.xlsx", 3_000)
    monkeypatch.setattr(strings, "_SPILL_FROM", 0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    rows, reader = with_scratch(path, scratch)
    assert (rows, reader) == (said(path, scan=False)[0].rows, "scan")


def test_a_place_without_scratch_files_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workbooks on such a file system could not be read at all; and small ones would have a file open for nothing."""
    path = book(tmp_path / "w.xlsx", 300)
    assert child._scratch(path) is None
    monkeypatch.setattr(child, "_SCRATCH_FROM_BYTES", 0)
    file = child._scratch(path)
    assert file is not None
    os.close(file)
    assert list(tmp_path.iterdir()) == [path]

    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "open", refuse)
    assert child._scratch(path) is None


def anonymous(pid: int) -> int:
    """Memory of a process that is not a file's, in bytes; 0 when it has ended."""
    found = re.search(r"^RssAnon:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def test_memory_does_not_grow_with_the_strings(tmp_path: Path) -> None:
    """A workbook of a million texts would take hundreds of megabytes, for each one that is read at a time."""
    text = "text {} " + "x" * 150
    peaks = []
    for rows in (ROWS // 10, ROWS):
        path = book(tmp_path / "w.xlsx", rows, text)
        with WorkbookReader(Limits()).open(path, SheetSpec()) as batches:
            peaks.append(max(anonymous(batches._child._process.pid) for _ in batches))
            assert (batches.stats.rows, batches.reader) == (rows, "scan")
        assert [path.name for path in tmp_path.iterdir()] == ["w.xlsx"]
    assert peaks[1] - peaks[0] < 40 * MIB  # the rows that are held until their order is certain; the strings alone are 40 MB
    assert peaks[0] > 10 * MIB and peaks[1] < 100 * MIB
