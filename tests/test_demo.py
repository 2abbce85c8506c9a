"""`shp demo`: what a stranger sees first must be true, end by itself and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from shp_core.errors import UsageError
from shp_core.feeds.load import load_catalogue
from shp_core.states import State
from shp_ops.bundle_files import bundled
from shp_ops.demo.home import claim, demo_settings
from shp_ops.demo.proof import Line
from shp_ops.demo.story import Outcome
from shp_ops.demo.watch import Dropped, Sight
from shp_ops.demo.witness import Reading, read
from shp_resources.embedded import EmbeddedServer
from shp_resources.ledger import PartitionRecord
from shp_resources.processes import wait_until
from shp_resources.settings import Settings
from tests.support.commands import SHP, Answer, Place
from tests.support.holders import REPOSITORY
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE

EXPECTED = json.loads((REPOSITORY / "samples" / "expected.json").read_text())
COUNTS = ("read", "clean", "rejected", "duplicate", "blank")


@dataclass
class Played:
    """The demo, played twice in an empty folder: for a program, then on a terminal."""

    place: Place
    first: Answer
    second: Answer


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """An empty folder, an empty HOME and an empty TMPDIR; a database is configured, which the demo must not touch."""
    base = tmp_path_factory.mktemp("demo")
    for name in ("here", "user", "tmp"):
        (base / name).mkdir()
    elsewhere = {"HOME": str(base / "user"), "TMPDIR": str(base / "tmp"), "SHP_PG_DSN": "postgresql://nobody:x@127.0.0.1:1/none"}
    place = Place(base / "here", elsewhere)
    yield Played(place, place.cold("demo", "--json"), place.on_terminal("demo"))


def home(played: Played) -> Path:
    """Where the demo lives by default."""
    return played.place.base / "var" / "demo"


@pytest.mark.platform
def test_the_first_demo_loads_every_sample_and_proves_it(played: Played) -> None:
    """The first thing a stranger tries would fail."""
    assert played.first.code == 0, played.first.err[-2000:]
    document = played.first.json
    assert (document["proven"], document["loaded_now"], document["marts"]) == (True, 9, {"sales_by_country_month": True})
    assert len(document["proof"]) == 23 and all(line["equal"] for line in document["proof"])
    assert all(file["loaded_now"] and 0 < file["seconds"] < 300 for file in document["files"])


@pytest.mark.platform
@pytest.mark.parametrize("feed", ["sales", "stock"])
def test_the_summary_says_what_is_in_the_samples(played: Played, feed: str) -> None:
    """The numbers shown to a stranger would not be those of the workbooks beside them."""
    shown = {file["file"]: file["rows"] for file in played.first.json["files"] if file["feed"] == feed}
    expected = EXPECTED[feed]["files"]
    assert {name: {count: row[count] for count in COUNTS} for name, row in shown.items()} == {
        name: {count: row[count] for count in COUNTS} for name, row in expected.items()
    }
    together = EXPECTED[feed]["together"]
    loaded = together.get("loaded", {name: row["clean"] for name, row in expected.items()})
    displaced = together.get("displaced", dict.fromkeys(expected, 0))
    assert {name: (row["loaded"], row["displaced"]) for name, row in shown.items()} == {
        name: (loaded[name], displaced[name]) for name in expected
    }


@pytest.mark.platform
def test_the_proof_is_of_the_tables_themselves(played: Played) -> None:
    """It would compare the platform's memory with itself."""
    proof = {(line["feed"], line["what"]): line for line in played.first.json["proof"]}
    with EmbeddedServer(home(played)).held() as dsn:
        sales = rows(dsn, "select count(*), count(distinct order_id), sum(total_revenue) from warehouse.sales_records")[0]
        (stock,) = rows(dsn, "select count(*) from warehouse.stock_levels")[0]
    revenue = sum(Decimal(file["sums"]["Total Revenue"]) for file in EXPECTED["sales"]["files"].values())
    assert sales == (11_973, 11_973, revenue)
    assert proof["sales", "sum of Total Revenue"]["sql"] == proof["sales", "sum of Total Revenue"]["openpyxl"] == str(revenue)
    assert (stock, proof["stock", "rows in stock_levels"]["sql"]) == (96, "96")


@pytest.mark.platform
def test_lines_are_plain_where_there_is_no_terminal(played: Played) -> None:
    """A CI log would be full of escape sequences, or silent."""
    assert "\x1b" not in played.first.err
    lines = played.first.err.splitlines()
    assert "9 workbooks lie in the landing folder." in lines
    assert "sales/sales_records_n1.xlsx: published" in lines
    assert lines.index("stock/stock_levels_2026-11-17.xlsx: published") > lines.index("stock/stock_levels_2026-11-17.xlsx: arrived")


@pytest.mark.platform
def test_the_second_demo_loads_nothing_and_says_so(played: Played) -> None:
    """Trying again would double the data."""
    assert played.second.code == 0
    assert "Nothing was loaded" in played.second.out
    assert "The proof holds" in played.second.out
    with EmbeddedServer(home(played)).held() as dsn:
        assert rows(dsn, "select count(*), max(number) from shp.attempts") == [(18, 2)], "one attempt for each way"
        assert rows(dsn, "select count(*) from warehouse.sales_records") == [(11_973,)]


@pytest.mark.platform
def test_a_terminal_shows_a_bar_for_each_file_and_words_that_fit(played: Played) -> None:
    """The user would see nothing happen, or a table torn by line breaks."""
    last = played.second.out[played.second.out.rindex("\x1b[?25h") :]
    assert played.second.out.count("━") > 9 * 12
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in last.splitlines()]
    assert "sales_records_n6_defects.xlsx" in lines
    assert not any("…" in line for line in lines)
    assert any(line.split()[:2] == ["sales", "rows"] and len(line) <= 80 for line in lines)


@pytest.mark.platform
def test_it_says_how_to_go_on(played: Played) -> None:
    """The user would not know how to see the data or load own files."""
    for words in ("quarantine list --home var/demo", "up --home var/demo", "your own files"):
        assert words in played.second.out


@pytest.mark.platform
def test_nothing_is_left_running_and_nothing_is_written_elsewhere(played: Played) -> None:
    """A stranger's machine would be littered by trying the product."""
    base = played.place.base
    assert played.place.processes() == []
    assert [path.name for path in base.iterdir()] == ["var"] and [path.name for path in (base / "var").iterdir()] == ["demo"]
    assert [str(path) for name in ("user", "tmp") for path in (base.parent / name).rglob("*")] == []


@pytest.mark.platform
def test_ctrl_c_ends_all_of_it(tmp_path: Path) -> None:
    """Whoever loses patience would have five servers running."""
    place = Place(tmp_path)
    process = subprocess.Popen(
        [*SHP, "demo", "--home", "h"], cwd=tmp_path, env=place.environment(), stderr=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("code is ready"):
            break
    assert len(place.processes()) > 2
    os.killpg(process.pid, signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(PATIENCE) == 130
    assert said.splitlines()[-1] == "stopped." and "Traceback" not in said
    assert wait_until(lambda: place.processes() == [], PATIENCE), place.processes()


def test_the_demo_stays_away_from_other_homes(tmp_path: Path) -> None:
    """Sample rows would appear in a real installation's tables."""
    base = Settings.load({}, home=tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "data").touch()
    with pytest.raises(UsageError, match="not the demo's"):
        claim(demo_settings(base, tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["data"]
    fresh = demo_settings(base, tmp_path / "fresh")
    claim(fresh)
    (fresh.home / "more").touch()
    claim(fresh)  # its own home again


def test_the_demo_uses_nothing_that_is_configured(tmp_path: Path) -> None:
    """The demo would write into somebody's production database."""
    configured = Settings.load(
        {
            "SHP_PG_DSN": "postgresql://u:p@h/d",
            "SHP_WAREHOUSE_DSN": "postgresql://u:p@h/e",
            "SHP_FEEDS": "/feeds",
            "SHP_LANDING": "/landing",
        },
        home=tmp_path,
    )
    settings = demo_settings(configured, None)
    assert (settings.pg_dsn, settings.warehouse_dsn) == (None, None)
    assert settings.home == configured.base / "var" / "demo"
    assert settings.feeds == bundled("feeds")
    assert all(settings.home in path.parents for path in (settings.landing, settings.store))


def outcome(tmp_path: Path, by_sql: int = 3, step: str = "published", mart: bool = True) -> Outcome:
    """An end of the demo; by default a good one."""
    now = datetime.now(UTC)
    record = PartitionRecord("sales", "a", State(step), 1, 1, "ab", None, None, {}, {}, "c", 1, None, None, now)
    file = Dropped("sales", tmp_path / "a.xlsx", "a")
    return Outcome({file: Sight(3, step, record)}, frozenset(), {}, [Line("sales", "rows", by_sql, 3)], {"mart": mart})


def test_a_proof_that_does_not_hold_is_no_success(tmp_path: Path) -> None:
    """The demo would end well whatever the tables hold."""
    assert outcome(tmp_path).proven
    assert not outcome(tmp_path, by_sql=4).proven
    assert not outcome(tmp_path, step="quarantined").proven
    assert not outcome(tmp_path, mart=False).proven
    assert not Outcome({}, frozenset(), {}, [], {}).proven


def test_the_witness_reads_workbooks_without_the_platform(tmp_path: Path) -> None:
    """The proof would repeat the platform's own mistakes."""
    feeds = load_catalogue(REPOSITORY / "feeds").feeds
    for feed, name in (("sales", "sales_records_n6_defects.xlsx"), ("stock", "stock_levels_2026-11-18.xlsx")):
        sample = EXPECTED[feed]["files"][name]
        book = tmp_path / name
        shutil.copy(REPOSITORY / "samples" / feed / name, book)
        first = sample["header_row"] + 1
        left_out = {int(row) for row in sample["rejects"]} | set(sample["duplicates"])
        chosen = set(range(first, first + sample["read"] + sample["blank"])) - left_out
        found = Reading()
        read(feeds[feed], book, chosen, found)
        assert (found.rows, found.chosen, len(found.keys)) == (sample["read"], sample["clean"], sample["clean"])
        assert {header: Decimal(total) for header, total in sample["sums"].items()} == found.sums
