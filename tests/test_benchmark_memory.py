"""The benchmarks `memory` and `again`: whose memory is counted, what is made of it, and what counts as written."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from benchmarks import again, memory, table
from benchmarks.contenders import Contender
from benchmarks.ingest import workbooks
from benchmarks.make_workbooks import Plan
from tests.support.postgres import rows

LOADER = """
import os, subprocess, sys, time
from benchmarks.yardstick import load
hold = f"held = bytearray({40 << 20}); print(1, flush=True); input()"
command = [sys.executable, "-c", hold, "shp_resources.nursery_process"]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
    reader.stdout.readline()
    load(os.environ["BENCH_DSN"], sys.argv[1:])
    time.sleep(1)
    reader.communicate(b"x")
"""
"""Loads workbooks beside a child that is called as what forks readers, and holds 40 MB."""


def test_what_reads_is_weighed_apart_from_what_works(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that grows would hide behind the rest of the tree, or be weighed for a table that is wrong."""
    fake = Contender(
        "fake", "-", table.TABLE, lambda found: [sys.executable, "-c", LOADER, *map(str, found)], lambda dsn, _: {"BENCH_DSN": dsn}
    )
    monkeypatch.setattr(memory, "SHP", fake)
    found = memory.weights((1, 5), 1, tmp_path, postgres_server)
    assert list(found) == [1, 5]
    for weight in found.values():
        assert weight.keys() == {"reading", "work", "all"}
        assert 40 < weight["reading"] < 70
        assert weight["work"] > 10
        assert max(weight.values()) == weight["all"] <= weight["reading"] + weight["work"]


def told(reading: float, whole: float, times: float) -> dict[str, object]:
    """The result of an ingestion that holds so much above idle, and for the longer workbook so many times as much."""

    def weight(factor: float) -> memory.Weight:
        return {"reading": 70 + factor * reading, "work": 200.0, "all": 300 + factor * whole}

    return memory.result({1: weight(0), 100: weight(1), 1000: weight(times)})


def test_the_verdict_is_that_of_both_bounds_and_of_the_growth() -> None:
    """Memory that grows with the file would pass for bounded."""
    good = told(76, 160, 1.25)
    assert good["within"] is True
    assert good["above_idle"] == {"100": {"reading": 76, "work": 0, "all": 160}, "1000": {"reading": 95, "work": 0, "all": 200}}
    assert good["times"] == {"reading": 1.25, "work": 0, "all": 1.25}
    assert [told(*numbers)["within"] for numbers in ((78, 160, 1.25), (76, 161, 1.25), (60, 120, 1.26))] == [False] * 3
    page = memory.markdown(good)
    assert "| 1,000 rows, above idle | 95 | 0 | 200 |" in page and "workbook: reached" in page
    assert "not reached" in memory.markdown(told(78, 160, 1.25))


def test_an_unchanged_file_is_measured_in_a_warm_process(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading would be timed as if nothing had to be done, or rows that are written again would not be noticed."""
    for name in [name for name in os.environ if name.startswith("SHP_")]:
        monkeypatch.delenv(name)
    (path,) = workbooks(Plan(rows=5, files=1), tmp_path)
    found = again.measure(path, 2, tmp_path, database_dsn)
    assert (len(found["again"]), found["rows_written"]) == (2, 0)
    assert min(found["loading"], *found["again"]) > 0
    ((since,),) = rows(database_dsn, "select pg_current_xact_id()::text")
    rows(database_dsn, "update warehouse.sales_records set units_sold = units_sold where _row < 4")
    with closing(psycopg2.connect(database_dsn)) as connection:
        assert again.rows_written(connection, since) == 2, "rows 2 and 3 of the sheet"


def test_an_unchanged_file_may_cost_neither_time_nor_rows(postgres_server: str) -> None:
    """A page would say that the aim is reached when it is not."""

    def outcome(written: int, *seconds: float) -> dict[str, Any]:
        return again.result(5, {"loading": 2.5, "again": list(seconds), "rows_written": written}, postgres_server)

    assert outcome(0, 0.2, 0.3, 9.0)["within"] is True
    assert "| 2.5 | 0.3 | 0 | 3 |" in again.markdown(outcome(0, 0.2, 0.3, 9.0))
    assert [outcome(*numbers)["within"] for numbers in ((1, 0.2), (0, 0.2, 0.31, 0.4))] == [False, False]
