"""The fast reader, held against the reference while it reads: what it gets wrong is refused, never loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shp_core.limits import Limits
from shp_core.reading.container import Container
from shp_core.reading.gate import open_container
from shp_core.reading.package import read_package
from shp_core.reading.scan import sheets
from shp_core.reading.scan.grid import Grid
from shp_core.reading.scan.kernels.layout import BLANK, NOTHING, ROWS
from shp_core.reading.scan.odd_rows import OddRows
from shp_core.reading.scan.sheet import SheetScan
from shp_core.reading.scan.spot_checks import EVERY, Disagreement
from shp_core.reading.scan.tables import open_batches
from shp_core.reading.textrow import SheetSpec
from tests.support.scans import both, kernels, scanned, texts
from tests.support.workbooks import header_row, raw, text_row

ROWS_OF_SHEET = 10_000
BLANK_ROW = '<row r="9"><c t="str"><v><![CDATA[ ]]></v></c></row>'
Tamper = Callable[[Grid], None]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of so many rows that its first batches are given before the last ones are read."""
    rows = "".join(text_row(number, f"text {number}", "beside", None) for number in range(2, ROWS_OF_SHEET + 2))
    return raw(tmp_path_factory.mktemp("spots") / "w.xlsx", header_row("a", "b", "c") + rows)


def a_cut_text(grid: Grid) -> None:
    """The first text loses its last character."""
    source, start, length = grid.text_of(0)
    grid.put(0, "s", source, start, length - 1)


def another_kind(grid: Grid) -> None:
    """A text becomes a number."""
    grid.kinds[0] = ord("n")


def a_lost_cell(grid: Grid) -> None:
    """The second cell is not there."""
    grid.put(1, "-", NOTHING)


def another_row(grid: Grid) -> None:
    """A row stands elsewhere."""
    grid.numbers[0] -= 1


def a_lost_row(grid: Grid) -> None:
    """A row counts as blank."""
    grid.holds[0] = BLANK


def lost_rows(grid: Grid) -> None:
    """All rows of the grid are not there."""
    grid.state[ROWS] = 0


TAMPERS: list[Tamper] = [a_cut_text, another_kind, a_lost_cell, another_row, a_lost_row, lost_rows]


def tampering(monkeypatch: pytest.MonkeyPatch, tamper: Tamper, from_row: int) -> None:
    """Kernels that go wrong in grids that begin with this row or a later one."""
    whole = SheetScan._scan

    def scan(self: SheetScan, window: object, prefixes: bytes) -> int:
        status = whole(self, window, prefixes)  # type: ignore[arg-type]
        if self._grid.filled and self._grid.numbers[0] >= from_row:
            tamper(self._grid)
        return status

    monkeypatch.setattr(SheetScan, "_scan", scan)


def given(path: Path, limits: Limits | None = None) -> tuple[int, Disagreement]:
    """Rows that came before the refusal, and the refusal."""
    count = 0
    with pytest.raises(Disagreement) as caught, open_batches(path, SheetSpec(), limits or Limits(), kernels()) as table:
        for batch in table:
            count += batch.num_rows
    return count, caught.value


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_a_scan_that_reads_otherwise_is_not_believed(path: Path, tamper: Tamper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that was compiled wrong would load wrong rows without a word."""
    tampering(monkeypatch, tamper, 2)
    rows, refusal = given(path)
    assert (rows, refusal.code, refusal.details) == (0, "reader_disagrees", {"row": 2})
    assert "sheet1.xml" in refusal.message and "text" not in refusal.message


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_a_scan_that_goes_wrong_far_down_is_not_taken_over(path: Path, tamper: Tamper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong rows that were given already would count, because the other reader read the rest."""
    tampering(monkeypatch, tamper, 3000)
    rows, refusal = given(path, Limits(disorder_cells=100))
    assert refusal.code == "reader_disagrees"
    assert 2000 < rows < ROWS_OF_SHEET


def look(container: Container) -> sheets.SheetCount | None:
    """What `shp inspect` makes of the first sheet."""
    workbook = read_package(container, Limits())
    return sheets.count_sheet(container, workbook, workbook.sheets[0], Limits(), kernels())


def test_looking_into_a_workbook_tells_it_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`shp inspect` would call a workbook sound that no delivery can be made of."""
    monkeypatch.setattr(sheets, "FROM_BYTES", 0)
    with open_container(path, Limits()) as container:
        count = look(container)
        assert count is not None
        assert (count.rows, count.cells) == (ROWS_OF_SHEET + 1, 2 * ROWS_OF_SHEET + 3)
        tampering(monkeypatch, a_cut_text, 3000)
        with pytest.raises(Disagreement) as caught:
            look(container)
    assert caught.value.code == "reader_disagrees"


def test_few_rows_are_read_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast reader would be as slow as the other one; or nobody would ever look, and it would be fast."""
    asked: list[int] = []
    whole = OddRows.rows
    monkeypatch.setattr(OddRows, "rows", lambda self, markup, last: asked.append(last) or whole(self, markup, last))
    with open_batches(path, SheetSpec(), Limits(batch_rows=200), kernels()) as table:
        assert sum(batch.num_rows for batch in table) == ROWS_OF_SHEET
        assert table.reader == "scan"
    assert asked[0] == 0 and asked == sorted(asked)
    assert ROWS_OF_SHEET / EVERY / 2 <= len(asked) <= ROWS_OF_SHEET / EVERY + 1


@pytest.mark.parametrize("header", [1, 3])
@pytest.mark.parametrize("between", ["", "<row/>", "\n<row r='9'/>\n", "<!-- </row> -->", BLANK_ROW])
def test_what_stands_between_rows_is_no_disagreement(header: int, between: str, tmp_path: Path) -> None:
    """A sound workbook would be refused because of blank rows, comments or titles above its table."""
    titles = "".join(text_row(number, f"title {number}") for number in range(1, header))
    rows = text_row(header, "a", "b") + between + text_row(10, "x", " ") + text_row(11, "y", None, "right") + between.replace("9", "12")
    found = scanned_or_not(raw(tmp_path / "w.xlsx", titles + rows), header)
    assert found == [("ss", ("x", " ")), ("s-", ("y", None))]


def scanned_or_not(path: Path, header: int) -> list[tuple[str, tuple[str | None, ...]]]:
    """Kinds and texts, the same from both readers."""
    return list(texts(both(path, header=header)[0]))


def test_odd_rows_at_the_beginning_are_held_against_themselves(tmp_path: Path) -> None:
    """A workbook whose first rows are rich text would be refused."""
    rich = '<row r="2"><c r="A2" t="inlineStr"><is><r><t>ri</t></r><r><t>ch</t></r></is></c></row>'
    assert list(texts(scanned(raw(tmp_path / "w.xlsx", header_row("a") + rich + text_row(3, "x"))))) == [("s", ("rich",)), ("s", ("x",))]
