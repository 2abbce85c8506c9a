"""The benchmark of the lake: what it computes, and that script and mapper really do the same work."""

from __future__ import annotations

import pytest

from benchmarks import lake
from benchmarks.ingest import WrongResultError, workbooks
from benchmarks.lake_parts import Mapped, deliveries, equal_rows
from benchmarks.make_workbooks import Plan


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Mapped:
    """The rows of two small workbooks."""
    folder = tmp_path_factory.mktemp("lake")
    (folder / "mapped").mkdir()
    return equal_rows(deliveries(workbooks(Plan(rows=60, files=2), folder), folder / "store"), folder / "mapped")


def test_script_and_mapper_give_the_same_lines(mapped: Mapped) -> None:
    """The ratio would compare different work."""
    runs = lake.measure_mapper(mapped, 1)
    assert [(run["what"], run["rows"]) for run in runs] == [("script", 120), ("mapper", 120), ("mapper with Arrow", 120)]
    assert all(run["wall"] > 0 and run["cpu"] > 0 for run in runs)
    lines = (mapped.folder / "mapper.out").read_text().splitlines()
    assert len(lines) == 120 and all(line.count("\t") == 14 for line in lines)


def test_other_lines_give_no_number(mapped: Mapped) -> None:
    """A mapper that leaves something out would look fast."""
    rows = mapped.folder / "rows.csv"
    kept = rows.read_text()
    rows.write_text(kept.replace("Europe", "Europa"))
    try:
        with pytest.raises(WrongResultError):
            lake.measure_mapper(mapped, 1)
    finally:
        rows.write_text(kept)


def test_ratios_are_taken_within_a_round() -> None:
    """A busy moment of the machine would look like a slow mapper."""
    times = {("script", 1): 6.0, ("mapper", 1): 1.0, ("script", 2): 20.0, ("mapper", 2): 4.0, ("publish", 1): 3.0, ("bare write", 1): 2.0}
    runs = [{"what": what, "round": number, "wall": wall, "cpu": wall, "rows": 10, "bytes": 0} for (what, number), wall in times.items()]
    found = lake.ratios(runs)
    assert found["mapper: times as many rows as the script (wall)"] == {"pairs": [6.0, 5.0], "median": 5.5}
    assert found["publish: of the bare write"]["pairs"] == [1.5]
    assert "ELT: of the bare job" not in found
    assert lake.summary(runs)[0]["wall"] == 13.0
