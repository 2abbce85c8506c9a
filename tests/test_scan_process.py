"""The scan in the reading process: that it reads at all, in the memory it is given, and what stands behind it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from shp_core.errors import Refusal
from shp_core.limits import Limits
from shp_core.reading.scan import library
from shp_core.reading.scan.library import OWN_FOLDER, KernelFailed, Library, file_name, load, load_or_build
from shp_core.reading.textrow import SheetSpec
from shp_resources.reader import WorkbookReader
from tests.support.scans import both, declined, kernels, scanned
from tests.support.workbooks import header_row, raw, read

ROWS = 60_000


def rows_of(count: int, start: int = 2) -> str:
    """Rows of three cells."""
    return "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="s"><v>{n % 5}</v></c><c r="C{n}" t="str"><v>text {n}</v></c></row>'
        for n in range(start, start + count)
    )


STRINGS = [f"<si><t>shared {n}</t></si>" for n in range(5)]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of several windows, as large as the scan is made for."""
    return raw(tmp_path_factory.mktemp("big") / "w.xlsx", header_row("n", "s", "t") + rows_of(ROWS), strings=STRINGS)


def in_process(path: Path, limits: Limits | None = None, kernels: Path | None = None) -> tuple[pa.Table, str | None]:
    """The rows that the reading process gives, and who read them."""
    kernels_folder = kernels
    with WorkbookReader(limits or Limits(), kernels_folder).open(path, SheetSpec()) as rows:
        table = pa.Table.from_batches(list(rows), rows.schema)
    return table, rows.reader


def test_a_big_ordinary_sheet_is_scanned(big: Path) -> None:
    """The fast reader could decline everything, and nobody would notice but by the time it takes."""
    kernels()
    table, reader = in_process(big)
    assert reader == "scan"
    assert table.num_rows == ROWS
    assert table.slice(ROWS - 1).to_pylist() == [
        {"row": ROWS + 1, "kinds": "nss", "c1": f"{ROWS + 1}", "c2": f"shared {(ROWS + 1) % 5}", "c3": f"text {ROWS + 1}", "extra": None}
    ]


def test_a_small_sheet_is_not(tmp_path: Path) -> None:
    """A small workbook would wait for the fast reader's start."""
    assert in_process(raw(tmp_path / "w.xlsx", header_row("n", "s", "t") + rows_of(10), strings=STRINGS))[1] == "reference"


def test_both_readers_agree_in_the_process(big: Path) -> None:
    """The rows of a workbook would depend on its size."""
    fast, _ = in_process(big)
    _, rows, stats = read(big)
    assert fast.num_rows == len(rows) == stats.rows
    assert fast.column("c3").to_pylist() == [row.texts[2] for row in rows]


@pytest.mark.parametrize("at", [0, 1, ROWS // 2, ROWS], ids=["first", "second", "middle", "last"])
def test_where_the_scan_declines_nothing_is_lost_or_doubled(tmp_path: Path, at: int) -> None:
    """Where the reference takes over, rows would be missing or there twice."""
    rows = rows_of(at) + "<!-- what the scan does not know -->" + rows_of(ROWS - at, at + 2)
    path = raw(tmp_path / "w.xlsx", header_row("n", "s", "t") + rows, strings=STRINGS)
    table, reader = in_process(path, Limits(disorder_cells=1000))
    assert reader == "reference"
    assert table.column("row").to_pylist() == list(range(2, ROWS + 2))
    assert table.column("c3").to_pylist() == [f"text {n}" for n in range(2, ROWS + 2)]


def test_odd_rows_everywhere(tmp_path: Path) -> None:
    """A row that the reference reads in the midst of a scan would stand in another one's place."""
    odd = '<row r="{}"><c t="inlineStr"><is><r><t>rich {}</t></r></is></c><c r="G{}"><v>7</v></c></row>'
    rows = "".join(odd.replace("{}", str(n)) if n % 97 == 0 else rows_of(1, n) for n in range(2, 9000))
    found = scanned(raw(tmp_path / "w.xlsx", header_row("n", "s", "t") + rows, strings=STRINGS), Limits(batch_rows=100))
    assert found.rows is not None and [row["row"] for row in found.rows] == list(range(2, 9000))
    assert found.rows[95] == {"row": 97, "kinds": "s--", "c1": "rich 97", "c2": None, "c3": None, "extra": '[[7, "n", "7"]]'}


@pytest.mark.parametrize("disorder_cells", [1000, 10_000_000])
def test_rows_out_of_order_at_the_end(tmp_path: Path, disorder_cells: int) -> None:
    """Rows that were handed on already would be wrong when one far down belongs before them."""
    late = '<row r="2"><c r="A2"><v>1</v></c></row>'
    path = raw(tmp_path / "w.xlsx", header_row("n", "s", "t") + rows_of(20_000, 3) + late, strings=STRINGS)
    found = declined(path, Limits(disorder_cells=disorder_cells))
    if disorder_cells == 1000:
        assert found.code == "limit_reached"
    else:
        assert found.rows is not None and [row["row"] for row in found.rows] == list(range(2, 20_003))


def test_long_texts_are_held_back_within_bounds(tmp_path: Path) -> None:
    """Held back rows would fill the memory, or a late row would be put in a wrong place."""
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="str"><v>{"x" * 30_000}{n}</v></c></row>' for n in range(2, 1300))
    path = raw(tmp_path / "w.xlsx", header_row("a") + rows)
    assert scanned(path).stats is not None
    late = raw(tmp_path / "late.xlsx", header_row("a") + rows + '<row r="1300"/><row r="1299"><c r="B1299"/></row>')
    assert declined(late).code is None


def test_a_row_longer_than_a_window(tmp_path: Path) -> None:
    """A wide row of long texts would be cut in two."""
    cells = "".join(f'<c t="str"><v>{"y" * 30_000}{n}</v></c>' for n in range(200))
    path = raw(tmp_path / "w.xlsx", header_row(*"abc") + f"<row>{cells}</row>")
    assert declined(path).code is None


def test_damage_in_the_sheet_is_noticed_although_it_is_inflated_once(big: Path, tmp_path: Path) -> None:
    """A flipped byte would be read, because nobody verified the checksum before."""
    whole = big.read_bytes()
    at = len(whole) // 2
    for place in (at, at + 7919, len(whole) - 5000):
        damaged = tmp_path / "w.xlsx"
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(Refusal) as caught:
            in_process(damaged)
        found, _ = both(damaged)
        assert found.code == caught.value.code


def test_another_folder_for_the_kernels(tmp_path: Path) -> None:
    """An installation that cannot be written would be slow for ever."""
    kernels()
    own = library.OWN_FOLDER / file_name()
    folder = tmp_path / "cache"
    folder.mkdir()
    shutil.copy(own, folder / file_name())
    assert isinstance(load([tmp_path / "not there", folder]), Library)
    (folder / file_name()).write_bytes(own.read_bytes()[:-1])
    assert load([folder]) is None
    (folder / file_name()).write_bytes(b"{}")
    assert load([folder]) is None


def test_without_a_place_for_kernels_there_are_none(tmp_path: Path) -> None:
    """A reading process would compile for each workbook."""
    file = tmp_path / "file"
    file.touch()
    assert load_or_build([file / "below"]) is None


def test_a_processor_that_counts_from_the_other_end_reads_by_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells would be told from each other by their last letter instead of their first."""
    assert load_or_build([OWN_FOLDER]) is not None
    monkeypatch.setattr(sys, "byteorder", "big")
    assert load_or_build([OWN_FOLDER]) is None


def test_kernels_do_not_read_beyond_their_arrays() -> None:
    """A wrong index in a kernel would read or write the memory of others."""
    import ctypes

    state, sizes = (ctypes.c_int64 * 5)(), (ctypes.c_int64 * 1)()
    few = [ctypes.addressof((ctypes.c_uint8 * 64)()) for _ in range(6)]
    kept = (ctypes.c_int32 * 1)()
    state[0] = -70_000
    with pytest.raises(KernelFailed):
        kernels().fill_rows(1, 1, 1, ctypes.addressof((ctypes.c_int32 * 1)(99)), *few[:2], ctypes.addressof(kept), *few[2:4])
    assert sizes[0] == 0
