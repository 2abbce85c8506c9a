"""The mapper's fast twin: the same bytes and the same counts as the mapper, whatever the lines; and who runs without it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.lake.arrow_mapper import ArrowMapper
from shp_core.lake.lines import text_lines
from shp_core.lake.mapper import ARROW, CLEAN, REJECTS, STANDARD, MalformedLine, Mapper, mapper_of, run
from shp_core.lake.shipped import Shipment, to_cargo
from shp_resources.lake.archive import ARROW_MODULES, MODULES, write_archive
from shp_resources.lake.engine import LocalEngine, counters_of
from shp_resources.lake.local import LocalFolder
from shp_resources.lake.settings import engine_of
from shp_resources.settings import Settings
from tests.support.contracts import Cell, contract_of, text_batch
from tests.support.lake import sale, sales
from tests.support.random_contracts import Sheet, sheets
from tests.test_contract_python38 import reached
from tests.test_lake_mapper import shipment

GOOD = "{row}\tnssn\t{row}\teu\t3/7/2026\t1.5\t\\N\n"
COLUMNS = (
    "columns: {A: {type: integer, min: 2}, B: {type: text, optional: true}, C: {type: money, scale: 2, currency: USD, optional: true}}"
)


def outcome(mapper: Mapper | ArrowMapper, lines: bytes) -> tuple[bytes, dict[str, int]]:
    """What comes out of a run, and its counters without who ran."""
    out, told = io.BytesIO(), io.StringIO()
    run(mapper, io.BytesIO(lines), out, told)
    counts = counters_of(told.getvalue())
    assert counts.pop(f"by_{mapper.engine}") == 1
    return out.getvalue(), counts


def assert_twins_agree(sent: Shipment, lines: bytes, block_bytes: int = 1 << 21) -> None:
    """Both modes, byte for byte and count for count."""
    for mode in (CLEAN, REJECTS):
        twin = ArrowMapper(sent, mode)
        twin.block_bytes = block_bytes
        assert outcome(twin, lines) == outcome(Mapper(sent, mode), lines)


@settings(max_examples=60)
@given(sheets(keyed=False), st.integers(1, 40), st.sampled_from([64, 4096]))
def test_any_sheet_comes_out_the_same(sheet: Sheet, times: int, block_bytes: int) -> None:
    """A cluster whose nodes have Arrow would hold other rows than one whose nodes have not."""
    assert_twins_agree(shipment(sheet), text_lines(text_batch(sheet.rows * times)), block_bytes)


VALUES = st.sampled_from(["1", "2", "-3", "7.25", "7.2500000001", "x", "", " ", "a\tb", "\\N", "\\", "\r\n", "é𝄞", "\u2028", "0123", "1e3"])
MIXED = st.tuples(st.sampled_from("nnnnssdbe"), VALUES) | st.sampled_from([("-", None), ("f", None)])


@settings(max_examples=100)
@given(st.lists(st.lists(MIXED, min_size=3, max_size=3), min_size=1, max_size=30), st.sets(st.integers(2, 30), max_size=3))
def test_rows_that_need_the_mapper_stand_where_they_stood(rows: list[list[Cell]], dropped: set[int]) -> None:
    """One escaped text or one reject among good rows would come out at another place, twice or not at all."""
    contract = contract_of(COLUMNS)
    assert_twins_agree(Shipment(contract, (0, 1, 2), 3, tuple(sorted(dropped))), text_lines(text_batch(rows)))


@pytest.mark.parametrize(
    "lines",
    [
        GOOD.format(row=2) + "3\tnssn\t1\teu\t3/7/2026\n",
        GOOD.format(row=2) + "3\tnssn\t1\teu\t3/7/2026\t1\t\\N\tmore\n",
        GOOD.format(row=2) + "\n",
        GOOD.format(row=2) + "x\tnssn\t1\teu\t3/7/2026\t1\t\\N\n",
        GOOD.format(row=2) + "3\tnss\t1\teu\t3/7/2026\t1\t\\N\n",
        "\ufeff" + GOOD.format(row=2),
    ],
)
def test_what_nobody_wrote_stops_both(lines: str) -> None:
    """A damaged file of the lake would be loaded as far as it goes, on nodes with Arrow only."""
    for mapper in (Mapper(shipment(Sheet(sales(), []))), ArrowMapper(shipment(Sheet(sales(), [])))):
        with pytest.raises(MalformedLine):
            outcome(mapper, lines.encode())


@pytest.mark.parametrize(
    "lines",
    [
        GOOD.format(row=3) + GOOD.format(row=2),
        GOOD.format(row=3) + GOOD.format(row=2).replace("3/7", "13/13"),
        GOOD.format(row="007") + GOOD.format(row=8).replace("eu", "\\\\"),
        GOOD.format(row=2).replace("eu", "e\ru"),
        GOOD.format(row=2).replace("\\N", '[[9,"s","x"]]').replace("eu", "a\\tb"),
        GOOD.format(row="٣"),
    ],
)
def test_odd_lines_come_out_the_same(lines: str) -> None:
    """What Arrow reads otherwise than Python would be otherwise in HDFS."""
    assert_twins_agree(shipment(Sheet(sales(), [])), lines.encode())


def test_good_rows_need_no_mapper_and_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that are ready earlier would overtake others; or all rows would take the slow way, unseen."""
    monkeypatch.delattr(Mapper, "map")
    twin = ArrowMapper(shipment(Sheet(sales(), [])))
    twin.block_bytes, twin._threads = 200, 3
    lines = "".join(GOOD.format(row=row) for row in range(2, 900)).encode()
    mapped, counts = outcome(twin, lines)
    assert [int(line.rpartition(b"\t")[2]) for line in mapped.splitlines()] == list(range(2, 900))
    assert counts == {"read": 898, "rows": 898}


NO_NUMPY = """
import runpy, sys
del sys.argv[0]
sys.modules["os"]._exit = lambda code: None
runpy.run_path("mapper.zip", run_name="__main__")
assert "pyarrow" in sys.modules and not {"numpy", "pyarrow.compute", "concurrent.futures"} & set(sys.modules), sorted(sys.modules)
"""


def arranged(folder: Path, *flags: str, rows: Sequence[Sequence[Cell]] = (sale(1),)) -> tuple[bytes, dict[str, int]]:
    """What the archive makes of rows when a python is told to use Arrow."""
    write_archive(folder / "mapper.zip", ARROW)
    (folder / "shipment.json").write_text(to_cargo([("lake/a", shipment(Sheet(sales(), [])))]))
    words = [sys.executable, "-I", *flags, "mapper.zip", "shipment.json", CLEAN, ARROW]
    done = subprocess.run(words, cwd=folder, input=text_lines(text_batch(rows)), capture_output=True, check=True)
    return done.stdout, counters_of(done.stderr.decode())


def test_a_node_without_arrow_runs_the_mapper_and_says_so(tmp_path: Path) -> None:
    """One node without the package would fail every job; or nobody would know why jobs are slow there."""
    assert arranged(tmp_path) == (b"1\tEU\t2026-03-07\t12.50\t2\n", {"read": 1, "rows": 1, "by_arrow": 1})
    assert arranged(tmp_path, "-S") == (b"1\tEU\t2026-03-07\t12.50\t2\n", {"read": 1, "rows": 1, "by_standard": 1})


def test_the_twin_needs_no_package_but_arrow(tmp_path: Path) -> None:
    """Arrow takes numpy along wherever it finds it, and writes its documentation: most of a start that each task of a job pays for."""
    rows = [sale(number, amount=f"{number}.3399999999999") for number in range(1, 40)]
    rows[7:10] = [sale(8, amount="x"), sale(9, region="a\tb"), sale(10, day="3/7/2026 12:00")]
    mapped, counts = outcome(Mapper(shipment(Sheet(sales(), []))), text_lines(text_batch(rows)))
    assert counts["rejected"] == 2
    assert arranged(tmp_path, "-c", NO_NUMPY, rows=rows) == (mapped, {**counts, "by_arrow": 1})


def test_the_archive_holds_what_the_twin_needs(tmp_path: Path) -> None:
    """The twin would never run on a node, and every job would say so only in its counters."""
    assert sorted((*MODULES, *ARROW_MODULES)) == reached(("shp_core.lake.arrow_mapper",))


def test_the_twin_is_asked_for_by_naming_a_python(tmp_path: Path) -> None:
    """Nodes without packages would be asked for what they do not have; or the setting would change nothing."""
    sent, place = shipment(Sheet(sales(), [])), LocalFolder(tmp_path)
    assert (mapper_of(sent, CLEAN, STANDARD).engine, mapper_of(sent, CLEAN, ARROW).engine) == (STANDARD, ARROW)
    plain, named = (engine_of(Settings.load(found, home=tmp_path), place) for found in ({}, {"SHP_MAPPER_PYTHON": "/opt/py"}))
    assert isinstance(plain, LocalEngine) and isinstance(named, LocalEngine)
    assert (plain._python, plain._engine, named._python, named._engine) == (sys.executable, STANDARD, "/opt/py", ARROW)
