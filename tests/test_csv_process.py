"""CSV files made to hurt, in the limited reading process: at once, in little memory, one code, and the next file is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shp_core.errors import Refusal
from shp_core.limits import GIB, MIB, Limits
from shp_core.reading.textrow import CsvForm, SheetSpec
from shp_resources.reader import WorkbookReader
from tests.support.csvs import csv_file
from tests.support.waiting import worked

LIMITS = Limits(source_bytes=2 * GIB, child_memory_bytes=512 * MIB)
SECONDS = 8.0
"""Two on an idle machine; this one may be busy."""


def answer(path: Path, reader: WorkbookReader, encoding: str = "utf-8") -> str:
    """The code of a refusal, with its limit, or the number of rows."""
    try:
        with reader.open(path, SheetSpec(csv=CsvForm(";", encoding))) as rows:
            count = sum(batch.num_rows for batch in rows)
            assert (rows.reader, rows.stats.rows) == ("csv", count)
            return f"{count} rows"
    except Refusal as refusal:
        limit = refusal.details.get("limit")
        return f"{refusal.code} {limit}" if limit else str(refusal.code)


def _with_hole(path: Path, start: bytes, size: int) -> Path:
    """A file that begins so and goes on with zeros that take no room on the disk."""
    csv_file(path, start)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def line_of_a_gigabyte(path: Path) -> Path:
    """One line of a gigabyte."""
    return _with_hole(path, b"a;b\n" + b"x" * 4 * MIB, GIB)


def quote_over_a_gigabyte(path: Path) -> Path:
    """A quote that is never closed, and a gigabyte behind it."""
    return _with_hole(path, b'a;b\n"' + b"x;y\n" * MIB, GIB)


def zeros_of_a_gigabyte(path: Path) -> Path:
    """A gigabyte of zeros behind the header, as a crashed machine leaves it."""
    return _with_hole(path, b"a;b\n", GIB)


def header_of_delimiters(path: Path) -> Path:
    """A header of a million fields."""
    return csv_file(path, b";" * 1_000_000 + b"x\n")


def million_columns(path: Path) -> Path:
    """A row of half a million fields."""
    return csv_file(path, b"a;b\n" + b"1;" * 500_000)


def blank_lines(path: Path) -> Path:
    """Two million blank lines."""
    return csv_file(path, b"a;b\n1;2\n" + b"\n" * 2_000_000 + b"3;4\n")


def long_texts(path: Path) -> Path:
    """Two hundred texts of 200,000 characters."""
    return csv_file(path, b"a;b\n" + (b"x" * 200_000 + b";y\n") * 200)


def quotes_of_quotes(path: Path) -> Path:
    """A field of a million quotes."""
    return csv_file(path, b'a;b\n"' + b'""' * 300_000 + b'";1\n')


def ragged_rows(path: Path) -> Path:
    """A hundred thousand rows that all are out of step."""
    return csv_file(path, b"a;b;c\n" + b"1;2\n" * 100_000)


HOSTILE: list[tuple[Callable[[Path], Path], str]] = [
    (line_of_a_gigabyte, "limit_reached record_chars"),
    (quote_over_a_gigabyte, "unclosed_quote"),
    (zeros_of_a_gigabyte, "limit_reached record_chars"),
    (header_of_delimiters, "limit_reached columns"),
    (million_columns, "limit_reached columns"),
    (blank_lines, "2 rows"),
    (long_texts, "200 rows"),
    (quotes_of_quotes, "1 rows"),
    (ragged_rows, "100000 rows"),
]
"""Each maker, and the code with which its file is refused (with the limit's name), or the rows that it holds."""


@pytest.mark.parametrize(("make", "expected"), HOSTILE, ids=[make.__name__ for make, _ in HOSTILE])
def test_a_hostile_csv_file_gets_its_answer_at_once(tmp_path: Path, make: Callable[[Path], Path], expected: str) -> None:
    """One file would stop the intake of all others, or take the machine down."""
    reader = WorkbookReader(LIMITS)
    path = make(tmp_path / "hostile.csv")
    before = worked()
    assert answer(path, reader) == expected
    assert worked() - before < SECONDS
    assert answer(csv_file(tmp_path / "good.csv", "a;b\n1;2\n"), reader) == "1 rows"


def test_every_encoding_is_there_in_the_limited_process(tmp_path: Path) -> None:
    """Files in an encoding that is loaded late could not be read: no more files can be opened then."""
    for warm in (False, True):
        reader = WorkbookReader(Limits(), warm=warm)
        for encoding in ("cp1252", "utf-16", "gb18030", "euc-kr", "mac-roman"):
            path = csv_file(tmp_path / "a.csv", "a;b\n1;2\n", encoding)
            assert answer(path, reader, encoding) == "1 rows"


def test_batches_of_a_large_file(tmp_path: Path) -> None:
    """Rows between two batches would be lost, or memory would grow with the file."""
    lines = [f"{number};text {number}" for number in range(10_000)]
    path = csv_file(tmp_path / "a.csv", "\n".join(["Nr;Text", *lines]))
    with WorkbookReader(Limits(batch_rows=999)).open(path, SheetSpec(csv=CsvForm(";"))) as batches:
        found = [row for batch in batches for row in batch.to_pylist()]
        assert batches.header == ("Nr", "Text")
    assert [f"{row['c1']};{row['c2']}" for row in found] == lines
    assert [row["row"] for row in found] == list(range(2, 10_002))
    assert {(row["kinds"], row["extra"]) for row in found} == {("ss", None)}


def test_a_csv_file_that_is_gone_is_no_refusal(tmp_path: Path) -> None:
    """A damaged store would be told to the sender as a bad file."""
    with (
        pytest.raises(Exception, match="cannot be read") as caught,
        WorkbookReader(Limits()).open(tmp_path / "no.csv", SheetSpec(csv=CsvForm())),
    ):
        pass
    assert getattr(caught.value, "code", None) == "artefact_damaged"
