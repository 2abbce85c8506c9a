"""Generated pages: they say what the code says, and the check notices when they do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shp_core.code_table import TABLE
from shp_core.codes import Scope
from shp_core.healing import breaker
from shp_core.healing.decide import BY_CODE, DEATHS, REDRIVES_A_DAY, Arming, Telling
from shp_core.healing.decide import TABLE as DECISIONS
from shp_core.healing.faults import FaultKind
from shp_core.healing.page import MEANINGS, Numbers, healing_page
from shp_core.states import TRANSITIONS
from shp_ops import pages
from tests.support.holders import REPOSITORY

PAGE = healing_page(Numbers(lease_seconds=31, renew_seconds=11, runs_a_tick=17))


def table(page: str, heading: str) -> dict[str, list[str]]:
    """The first table below a heading: the cells of each row by its first one."""
    lines = page.split(f"## {heading}\n", 1)[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    until = next((place for place, cells in enumerate(rows[2:], 2) if cells[0] in ("fault kind", "from")), len(rows))
    return {cells[0]: cells[1:] for cells in rows[2:until]}


def test_the_committed_pages_are_what_the_code_says() -> None:
    """A reader of docs/ would follow rules that the program left behind."""
    assert pages.stale(REPOSITORY) == [], "run: make docs"


def test_a_page_that_differs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CI would let an outdated page through."""
    assert pages.main([], tmp_path) == 0
    assert pages.main(["--check"], tmp_path) == 0
    (tmp_path / "docs/healing.md").write_text("# by hand\n")
    capsys.readouterr()
    assert pages.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == "docs/healing.md differs; run: make docs\n"
    assert (tmp_path / "docs/healing.md").read_text() == "# by hand\n", "a check writes nothing"


def test_a_missing_page_differs(tmp_path: Path) -> None:
    """A page that nobody committed would not be missed."""
    assert pages.stale(tmp_path) == list(pages.PAGES)


def test_writing_again_writes_nothing(tmp_path: Path) -> None:
    """`make docs` would touch files that are current, and show them as changed."""
    assert pages.write(tmp_path) == list(pages.PAGES)
    assert pages.write(tmp_path) == []


def test_a_word_it_does_not_know_is_refused(tmp_path: Path) -> None:
    """`--chek` in CI would write pages and pass."""
    assert pages.main(["--chek"], tmp_path) == 2
    assert list(tmp_path.iterdir()) == []


def test_it_runs_as_a_module() -> None:
    """`make docs` and CI call it so."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-m", "shp_ops.pages", "--check"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_fault_kind_has_its_line_and_state() -> None:
    """An operator could not look up what a kind of failure leads to."""
    rows = table(PAGE, "By fault kind")
    assert set(rows) == {f"`{kind}`" for kind in FaultKind} == {f"`{kind}`" for kind in MEANINGS}
    for kind in set(FaultKind) - {FaultKind.WORKER_LOST}:
        told = rows[f"`{kind}`"][1]
        special = {f"`{row.state}` after `{code}`" for code, row in BY_CODE.items() if code.info.kind is kind}
        assert told.split("; ")[0] == f"`{DECISIONS[kind].state}`"
        assert set(told.split("; ")[1:]) == {words for words in special if f"`{DECISIONS[kind].state}`" not in words}


def test_the_page_tells_what_the_table_decides() -> None:
    """People would wait for a re-drive that never comes, or for an alert that nobody sends."""
    rows = table(PAGE, "By fault kind")
    for kind, decided in DECISIONS.items():
        _, _, following, told, armed = rows[f"`{kind}`"]
        assert ("re-drives a day" in following) == decided.budgeted
        assert told.startswith("no") == (decided.telling is Telling.NEVER)
        assert (f"({decided.severity})" in told) == (decided.telling is not Telling.NEVER)
        assert ("an edited feed file" in armed) == (Arming.CONTRACT in decided.armed_by)
        assert ("the breaker closing" in armed) == (Arming.BREAKER in decided.armed_by)


def test_every_code_that_holds_a_partition_is_listed_once() -> None:
    """A code seen in `shp partitions` would not be found on the page."""
    listed = [code for cells in table(PAGE, "Codes by fault kind").values() for code in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(listed) == sorted(code for code, info in TABLE.items() if info.scope in (Scope.FILE, Scope.PLATFORM))


def test_every_group_of_moves_is_told_with_its_reason() -> None:
    """The documented life of a partition would lack ways it can go."""
    for moves in TRANSITIONS:
        told = moves.reason in PAGE
        assert told == (moves.old != moves.new or len(moves.old) > 1)


def test_numbers_come_from_where_they_are_decided() -> None:
    """The page would tell a lease of 30 s when the code has another."""
    assert "renews its lease every 11 s" in PAGE
    assert "ends after 31 s" in PAGE
    assert f"When {DEATHS} workers were lost" in PAGE
    assert f"one partition {REDRIVES_A_DAY}" in " ".join(PAGE.split())
    assert f"after {breaker.FAILURES_IN_A_ROW} failures" in " ".join(PAGE.split())
    assert "at most 17 of a feed" in " ".join(PAGE.split())
