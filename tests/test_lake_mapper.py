"""Lines of the lake and the mapper: nothing is lost on the way, and both sinks mean the same."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.convert import Reason
from shp_core.contract.header import map_header
from shp_core.lake import columns
from shp_core.lake import mapper as mapping
from shp_core.lake.lines import text_lines
from shp_core.lake.manifest import DataFile, Manifest
from shp_core.lake.mapper import CLEAN, REJECTS, MalformedLine, Mapper, blocks, run
from shp_core.lake.shipped import Shipment, from_cargo, to_cargo
from shp_core.publishing.dialect import row_digest, unescape
from shp_resources.lake.archive import MODULES, write_archive
from shp_resources.lake.engine import counters_of
from tests.support.contracts import Cell, contract_of, converted, extra_cells, text, text_batch
from tests.support.lake import sale, sales
from tests.support.random_contracts import Sheet, sheets
from tests.test_contract_python38 import reached

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\\N", "\t", "\r\n", "\\", "a\\tb", "\ufeff", "a\b\f\v", "\\b"]
)
CELLS = st.tuples(st.sampled_from("sndbe"), ANY_TEXT) | st.sampled_from([("-", None), ("f", None)])


def shipment(sheet: Sheet) -> Shipment:
    """What a mapper must know of a sheet with the contract's own header."""
    found = map_header([column.header for column in sheet.contract.columns], sheet.contract)
    return Shipment(sheet.contract, found.positions, found.width)


def mapped(sheet: Sheet, mode: str = CLEAN) -> tuple[list[str], dict[str, int]]:
    """The lines that come out of a mapper, and its counters."""
    out, told = io.BytesIO(), io.StringIO()
    run(Mapper(shipment(sheet), mode), io.BytesIO(text_lines(text_batch(sheet.rows))), out, told)
    counts = counters_of(told.getvalue())
    assert counts.pop("by_standard") == 1
    return out.getvalue().decode().split("\n")[:-1], counts


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6))
def test_every_text_comes_back_from_its_line(rows: list[list[Cell]]) -> None:
    """A cell with a line break, a backslash or a tab would move everything behind it into other columns."""
    lines = text_lines(text_batch(rows, first=7)).decode("utf-8").split("\n")
    assert lines.pop() == ""
    fields = [[unescape(field) for field in line.split("\t")] for line in lines]
    expected = [[str(7 + place), "".join(kind for kind, _ in row), *(value for _, value in row), None] for place, row in enumerate(rows)]
    assert fields == expected
    assert "\r" not in "".join(lines)


def test_cells_right_of_the_header_stay() -> None:
    """The lake would hold less than the sheet."""
    found = text_lines(text_batch([[text("a")]], extra={0: extra_cells((3, "s", "far\tright"))})).decode()
    assert "far" in json.loads(str(unescape(found.rstrip("\n").split("\t")[3])))[0][2]


@settings(max_examples=150)
@given(sheets(keyed=False))
def test_the_mapper_means_what_the_warehouse_means(sheet: Sheet) -> None:
    """One delivery would be other rows in HDFS than in PostgreSQL."""
    if not sheet.rows:
        return
    expected = converted(sheet.contract, sheet.rows)
    clean, counts = mapped(sheet)
    assert [int(line.rpartition("\t")[2]) for line in clean] == expected.typed.column("_row").to_pylist()
    assert [row_digest(line.rpartition("\t")[0]) for line in clean] == expected.typed.column("_hash").to_pylist()
    why = {reject.row: [f"{reason.column}:{reason.code}" for reason in reject.reasons] for reject in expected.rejects}
    rejects, _ = mapped(sheet, REJECTS)
    assert {int(row): codes.split(",") for row, codes, *_ in (line.split("\t") for line in rejects)} == why
    assert counts["read"] == len(sheet.rows) and counts.get("rows", 0) == len(clean) and counts.get("rejected", 0) == len(rejects)


@given(st.lists(ANY_TEXT.map(lambda text: text.replace("\0", "")), min_size=1, max_size=5))
def test_a_clean_text_comes_back_from_the_clean_line(texts: list[str]) -> None:
    """A reader of the lake would get another text than the sheet holds."""
    contract = contract_of("columns: {A: {type: text, optional: true}}")
    lines, _ = mapped(Sheet(contract, [[text(value)] for value in texts]))
    assert [unescape(line.split("\t")[0]) for line in lines] == [value if value.strip() else None for value in texts]


def test_a_reject_keeps_its_place_and_its_text() -> None:
    """Nobody could tell the sender which row to mend."""
    rejects, counts = mapped(Sheet(sales(), [sale(1), sale(2, day="13/13/2026"), sale(0, region="a\tb", day="x")]), REJECTS)
    assert rejects == [
        "3\tday:invalid_date\tnssn\t2\teu\t13/13/2026\t12.5\t\\N",
        "4\torder:below_min,day:invalid_date\tnssn\t0\ta\\tb\tx\t12.5\t\\N",
    ]
    assert counts == {"read": 3, "rows": 1, "rejected": 2, "reject.invalid_date": 2, "reject.below_min": 1}


def test_a_ragged_row_is_told_once() -> None:
    """The lake would count a reason for every column of a row, where the warehouse counts one."""
    ragged: list[Cell] = [("r", "1"), ("r", "eu"), ("r", None), ("r", None)]
    rejects, counts = mapped(Sheet(sales(), [sale(1), ragged]), REJECTS)
    assert [line.split("\t")[:3] for line in rejects] == [["3", "*:ragged_row", "rrrr"]]
    assert counts == {"read": 2, "rows": 1, "rejected": 1, "reject.ragged_row": 1}
    assert [reject.reasons for reject in converted(sales(), [sale(1), ragged]).rejects] == [(Reason("*", "ragged_row"),)]


def test_counters_are_told_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hadoop would end a long task that says nothing."""
    monkeypatch.setattr(mapping, "_TOLD_AFTER", 2)
    monkeypatch.setattr(mapping, "blocks", lambda source, size: iter([b"2\tnssn\t1\teu\t3/7/2026\t1\t\\N\n"] * 5))
    told = io.StringIO()
    run(Mapper(shipment(Sheet(sales(), []))), io.BytesIO(), io.BytesIO(), told)
    first, *others = told.getvalue().splitlines()
    assert first == "reporter:counter:shp,by_standard,1"
    assert others == ["reporter:counter:shp,read,2", "reporter:counter:shp,rows,2"] * 2 + [
        "reporter:counter:shp,read,1",
        "reporter:counter:shp,rows,1",
    ]


@settings(max_examples=40)
@given(sheets(keyed=False, odd=False, most_rows=4), st.integers(2, 400))
def test_many_equal_rows_mean_what_one_means(sheet: Sheet, times: int) -> None:
    """What is remembered of one row would be wrong for another."""
    if not sheet.rows:
        return
    expected = converted(sheet.contract, sheet.rows * times)
    clean, _ = mapped(Sheet(sheet.contract, sheet.rows * times))
    assert [row_digest(line.rpartition("\t")[0]) for line in clean] == expected.typed.column("_hash").to_pylist()


def test_rows_that_rules_about_the_file_dropped_are_left_out() -> None:
    """A row with two meanings would be in HDFS and not in the warehouse."""
    found = map_header(["Order", "Region", "Day", "Amount"], sales())
    mapper = Mapper(Shipment(sales(), found.positions, found.width, dropped=(3,)))
    lines, counts = mapper.block(text_lines(text_batch([sale(1), sale(2), sale(3)])).decode())
    assert [line.split("\t")[0] for line in lines.splitlines()] == ["1", "3"]
    assert (counts["rows"], counts["dropped"]) == (2, 1)


def test_other_headers_and_missing_columns_are_found(tmp_path: Path) -> None:
    """Columns in another order would be mixed up; a missing optional one would shift the rest."""
    contract = contract_of("columns: {A: {type: integer}, B: {type: text, optional: true}, C: {type: text}, '': {ignore: true}}")
    found = map_header(["C", "", "A"], contract)
    lines, _ = Mapper(Shipment(contract, found.positions, found.width)).block("2\tsss\tsee\tjunk\t7\t\\N\n")
    assert lines == "7\t\\N\tsee\t2\n"


@pytest.mark.parametrize(
    "line",
    [
        "2\tnssn\t1\teu\t3/7/2026\n",
        "2\tnssn\t1\teu\t3/7/2026\t1\t\\N\tmore\n",
        "\n",
        "x\tnssn\t1\teu\t3/7/2026\t1\t\\N\n",
        "2\tnss\t1\teu\t3/7/2026\t1\t\\N\n",
    ],
)
def test_a_line_that_nobody_wrote_stops_the_mapper(line: str) -> None:
    """A damaged file of the lake would be loaded as far as it goes."""
    found = map_header(["Order", "Region", "Day", "Amount"], sales())
    with pytest.raises(MalformedLine):
        Mapper(Shipment(sales(), found.positions, found.width)).block(line)


def test_lines_out_of_step_do_not_make_up_for_each_other() -> None:
    """A field too many in one line and one too few in the next would move cells from row to row."""
    found = map_header(["Order", "Region", "Day", "Amount"], sales())
    good = "2\tnssn\t1\teu\t3/7/2026\t1\t\\N"
    for first, second in ((good + "\tmore", good.rpartition("\t")[0]), (good.rpartition("\t")[0], good + "\tmore")):
        with pytest.raises(MalformedLine):
            Mapper(Shipment(sales(), found.positions, found.width)).block(f"{first}\n{second}\n{good}\n")


@given(st.lists(st.text(st.sampled_from("aé𝄞\u0085\u2028"), max_size=9), max_size=9), st.integers(1, 8), st.booleans())
def test_blocks_are_whole_lines_however_the_stream_is_cut(lines: list[str], size: int, ended: bool) -> None:
    """A character or a line on the border of two blocks would be broken."""
    whole = "".join(f"{line}\n" for line in lines)
    stream = whole if ended else whole.rstrip("\n") and whole[:-1]
    found = [block.decode() for block in blocks(io.BytesIO(stream.encode()), size)]
    assert "".join(found) == (stream if not stream or stream.endswith("\n") else stream + "\n")
    assert all(block.endswith("\n") for block in found)


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task would be killed on a large partition of different texts."""
    monkeypatch.setattr(columns, "_MEMO_ENTRIES", 10)
    contract = contract_of("columns: {A: {type: integer}}")
    mapper = Mapper(Shipment(contract, (0,), 1))
    for start in range(0, 100, 5):
        mapper.block("".join(f"{row}\tn\t{row}\t\\N\n" for row in range(start, start + 5)))
    assert max(len(memo) for column in mapper._columns for memo in column._memos.values()) <= 15


@given(sheets())
def test_a_contract_comes_back_from_its_journey(sheet: Sheet) -> None:
    """The node would judge by another contract than the platform."""
    sent = Shipment(sheet.contract, (0, None, 2), 3, (5, 7))
    assert Shipment.from_json(sent.to_json()) == sent


def test_a_mapper_finds_what_it_must_know_of_its_file() -> None:
    """One partition's rows would be judged by another one's header."""
    one, two = Shipment(sales(), (0, 1, 2, 3), 4), Shipment(sales(), (3, 2, 1, 0), 4)
    cargo = to_cargo([("lake/a/part-00000", one), ("lake/b/part-00000", two)])
    assert from_cargo(cargo, "hdfs://node:8020/shp/lake/b/part-00000") == two
    assert from_cargo(cargo, "lake/a/part-00000") == one
    assert from_cargo(to_cargo([("lake/a", one)]), "") == one
    for path in ("", "hdfs://node:8020/shp/lake/c/part-00000", "xlake/a/part-00000"):
        with pytest.raises(LookupError):
            from_cargo(cargo, path)


def test_the_archive_holds_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    """A task would die of a missing module, on the cluster only."""
    assert sorted(MODULES) == reached(("shp_core.lake.mapper",))
    write_archive(tmp_path / "mapper.zip")
    write_archive(tmp_path / "again.zip")
    assert (tmp_path / "mapper.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_columns_with_the_same_rules_keep_their_names() -> None:
    """Two dates share what is remembered of them; a reject would name the wrong one."""
    contract = contract_of("columns: {A: {type: date, formats: ['%m/%d/%Y']}, B: {type: date, formats: ['%m/%d/%Y']}}")
    rows: list[list[Cell]] = [[text("3/7/2026"), text("soon")], [text("soon"), text("3/7/2026")], [text("soon"), text("soon")]]
    rejects, _ = mapped(Sheet(contract, rows), REJECTS)
    assert [line.split("\t")[1] for line in rejects] == ["b:invalid_date", "a:invalid_date", "a:invalid_date,b:invalid_date"]


def foreign(archive: Path) -> None:
    """What is compiled in an archive, as if by another release of Python."""
    with zipfile.ZipFile(archive) as made:
        members = {name: made.read(name) for name in made.namelist()}
    with zipfile.ZipFile(archive, "w") as other:
        for name, data in members.items():
            other.writestr(name, b"\0\0\r\n" + data[4:] if name.endswith("c") else data)


@pytest.mark.parametrize("release", [lambda archive: None, foreign], ids=["this", "another"])
def test_the_archive_runs_alone(tmp_path: Path, release: Callable[[Path], None]) -> None:
    """The node has python3 of whatever release and nothing of ours."""
    write_archive(tmp_path / "mapper.zip")
    release(tmp_path / "mapper.zip")
    (tmp_path / "shipment.json").write_text(to_cargo([("lake/a", shipment(Sheet(sales(), [])))]))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "mapper.zip", "shipment.json", CLEAN],
        cwd=tmp_path,
        env={},
        input=text_lines(text_batch([sale(1)])),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"1\tEU\t2026-03-07\t12.50\t2\n"), done.stderr
    assert counters_of(done.stderr.decode()) == {"read": 1, "rows": 1, "by_standard": 1}


def test_a_manifest_comes_back_and_junk_is_told() -> None:
    """A reader would follow half a manifest."""
    made = Manifest(
        "f", "k", "d" * 64, "dir", 2, 9, (DataFile("part-00000", 9, "ab"),), ("row", "kinds"), (3, 1), hash="00", rejects={"a": 1}
    )
    assert Manifest.from_json(made.to_json()) == made
    later = json.dumps({**json.loads(made.to_json()), "of_a_later_version": 1})
    assert Manifest.from_json(later) == made
    for junk in ("", "{}", "[]", "null", '{"fence": 3}', made.to_json()[:-20]):
        with pytest.raises(ValueError):
            Manifest.from_json(junk)
