"""`shp feeds new`: a sample becomes a feed file that `feeds check` accepts, and that loads the sample."""

from __future__ import annotations

import csv
import io
import os
import pty
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.proposing.decide import Answers
from shp_ops import propose
from shp_resources.settings import Settings
from tests.support.commands import SHP, Place
from tests.support.csvs import csv_file
from tests.support.holders import REPOSITORY
from tests.support.postgres import fresh_database, rows
from tests.support.waiting import PATIENCE
from tests.support.workbooks import written

SAMPLES = {
    "sales": ["sales_records_n4", "sales_records_n5"],
    "stock": ["stock_levels_2026-11-17", "stock_levels_2026-11-18"],
}
TILLS = "Bon;Filiale;Tag;Betrag\r\n" + "".join(f"{n};Köln {n % 3};{n % 28 + 1:02}.11.2026;{n}.234,50 €\r\n" for n in range(1, 60))


@pytest.fixture(scope="module")
def place(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation without any feed."""
    with fresh_database(postgres_server) as dsn:
        yield Place.make(tmp_path_factory.mktemp("new"), dsn, {})


def loaded(place: Place, table: str) -> int:
    """Rows of a table."""
    ((count,),) = rows(place.environ["SHP_PG_DSN"], f"select count(*) from warehouse.{table}")
    return int(count)


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in SAMPLES.items() for name in names])
def test_a_sample_becomes_a_feed_that_loads_it(place: Place, folder: str, name: str) -> None:
    """The proposal would have to be mended by hand before anything can be loaded."""
    sample, feed = REPOSITORY / "samples" / folder / f"{name}.xlsx", f"f_{name.replace('-', '_')}"
    answer = place.shp("feeds", "new", feed, "--from", sample, "--write", "--json")
    assert answer.code == 0
    told = answer.json
    assert told["trial"]["verdict"] == "ok"
    assert told["trial"]["rows"]["clean"] == told["trial"]["rows"]["read"] > 50
    assert Path(told["path"]).read_text(encoding="utf-8") == told["yaml"]
    checked = place.shp("feeds", "check", "--json")
    assert (checked.code, checked.json["errors"]) == (0, [])
    ingested = place.shp("ingest", feed, sample, "--json")
    assert (ingested.code, ingested.file(sample.name)["state"]) == (0, "published")
    assert loaded(place, feed) == told["trial"]["rows"]["read"]


def test_the_sales_sample_is_understood(place: Place) -> None:
    """Types, the unnamed index column, the key: what the proposal is for."""
    told = place.shp("feeds", "new", "s", "--from", REPOSITORY / "samples/sales/sales_records_n3.xlsx", "--json").json
    columns = {column.pop("header"): column for column in told["columns"]}
    assert columns[""] == {"ignore": True, "remark": "columns without a header"}
    assert columns["Order Date"]["formats"] == ["%m/%d/%Y"]
    assert (columns["Total Revenue"]["type"], columns["Total Revenue"]["currency"]) == ("money", "USD")
    assert (told["key"], told["header"], told["path"]) == (["Order ID"], 1, None)


def test_the_table_of_the_stock_sample_is_found(place: Place) -> None:
    """The sheet of notes before it, the hidden sheet behind it or the title above it would be taken for the table."""
    told = place.shp("feeds", "new", "s", "--from", REPOSITORY / "samples/stock/stock_levels_2026-11-18.xlsx", "--json").json
    assert (told["sheet"], told["header"], told["key"]) == ("Count", 3, ["Warehouse", "SKU"])
    assert 'source: {match: "*.xlsx", sheet: Count, header: 3}' in told["yaml"]
    assert "by: day, start: 2026-11-18" in told["yaml"]


def test_a_csv_file_of_a_german_excel(place: Place, tmp_path: Path) -> None:
    """Delimiter, encoding and decimal comma would have to be found out by trying."""
    sample = csv_file(tmp_path / "kasse.csv", TILLS, "cp1252")
    answer = place.shp("feeds", "new", "tills", "--from", sample, "--write")
    assert answer.code == 0, answer.err
    text = (place.base / "feeds" / "tills.yaml").read_text(encoding="utf-8")
    assert 'source: {format: csv, delimiter: ";", encoding: cp1252, header: 1}' in text
    assert 'numbers: {decimal: ",", group: "."}' in text
    assert place.shp("feeds", "check").code == 0
    assert place.shp("ingest", "tills", sample).code == 0
    dsn = place.environ["SHP_PG_DSN"]
    assert rows(dsn, "select count(*), sum(betrag)::text, min(tag)::text, min(filiale) from warehouse.tills") == [
        (59, str(sum(n * 1000 + 234 for n in range(1, 60)) + 29.5) + "0", "2026-11-01", "Köln 0")
    ]


def test_the_sample_of_the_tills(place: Place) -> None:
    """Rows out of step and decimal commas would make a semicolon look like any character."""
    told = place.shp("feeds", "new", "t", "--from", REPOSITORY / "samples/tills/kasse_2026-11.csv", "--json").json
    columns = {column["header"]: column for column in told["columns"]}
    assert {header: column["type"] for header, column in columns.items()} == {
        "Bon": "integer",
        "Filiale": "text",
        "Tag": "date",
        "Betrag": "money",
        "Notiz": "text",
    }
    assert told["trial"]["failures"] == {"*:ragged_row": 2, "betrag:wrong_currency": 1, "tag:invalid_date": 1}


def test_it_is_printed_and_nothing_is_kept(place: Place, tmp_path: Path) -> None:
    """A look at a proposal would change the installation."""
    before = place.tree()
    answer = place.shp("feeds", "new", "sales", "--from", REPOSITORY / "samples/sales/sales_records_n1.xlsx")
    assert answer.code == 0
    assert answer.out.startswith("# Proposed from 2,000 rows of sales_records_n1.xlsx.")
    assert "tried on the sample: ok, read 2,000, clean 2,000" in answer.err
    assert place.tree() == before
    assert not (place.base / "feeds" / "sales.yaml").exists()


def test_nothing_is_ever_written_over(place: Place, tmp_path: Path) -> None:
    """A feed file that people made would be lost."""
    sample = written(tmp_path / "a.xlsx", [("A", "B"), (1, "x"), (2, "y")])
    out = tmp_path / "feed.yaml"
    assert place.shp("feeds", "new", "things", "--from", sample, "--out", out, "--owner", "a@b.example").code == 0
    assert "owner: a@b.example" in out.read_text(encoding="utf-8")
    out.write_text("mine", encoding="utf-8")
    again = place.shp("feeds", "new", "things", "--from", sample, "--out", out, "--json")
    assert (again.code, again.error["code"], out.read_text(encoding="utf-8")) == (2, "usage", "mine")
    both = place.shp("feeds", "new", "things", "--from", sample, "--out", tmp_path / "b.yaml", "--write", "--json")
    assert (both.code, (tmp_path / "b.yaml").exists()) == (2, False)
    nowhere = place.shp("feeds", "new", "things", "--from", sample, "--out", out / "below.yaml", "--json")
    assert (nowhere.code, nowhere.error["code"]) == (2, "usage")


@pytest.fixture
def open_sample(tmp_path: Path) -> Path:
    """A sample whose dates can be read in two ways."""
    return written(tmp_path / "open.xlsx", [("Id", "Day"), (1, "03/04/2026"), (2, "05/06/2026")])


def test_what_is_open_is_said_where_nobody_can_be_asked(place: Place, open_sample: Path) -> None:
    """A script would get a feed with half of its dates wrong."""
    answer = place.shp("feeds", "new", "days", "--from", open_sample, "--json")
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert "'Day'" in answer.error["message"]
    assert "--dates day-first or month-first" in answer.error["next"]
    for order, form in (("day-first", "%d/%m/%Y"), ("month-first", "%m/%d/%Y")):
        told = place.shp("feeds", "new", "days", "--from", open_sample, "--json", "--dates", order).json
        assert told["columns"][1]["formats"] == [form]


def test_a_person_is_asked(place: Place, open_sample: Path) -> None:
    """People would have to learn an option to answer one question."""
    ours, theirs = pty.openpty()
    command = [*SHP, "feeds", "new", "days", "--from", str(open_sample)]
    process = subprocess.Popen(
        command, cwd=place.base, env=place.environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.write(ours, b"month-first\n")
    out, err = process.communicate(timeout=PATIENCE)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err
    assert "does the day come first, or the month?" in err
    assert 'formats: ["%m/%d/%Y"]' in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["Bad-Name", "--from", "a.xlsx"], "Bad-Name"),
        (["good", "--from", "nowhere.xlsx"], "no file nowhere.xlsx"),
        (["good", "--from", "a.xlsx", "--sheet", "Nope"], "'Nope' is not there"),
        (["good", "--from", "a.xlsx", "--header", "9"], "is no header"),
        (["good", "--from", "a.xlsx", "--owner", "nobody"], "owner"),
        (["good", "--from", "blank.xlsx"], "No visible sheet"),
        (["good", "--from", "broken.xlsx"], "does not begin like a workbook"),
        (["good", "--from", "empty.csv"], "0 bytes"),
    ],
)
def test_what_cannot_be_proposed_is_said(place: Place, words: list[str], says: str) -> None:
    """A slip would end in a traceback, or in a feed file of nothing."""
    written(place.base / "a.xlsx", [("A", "B"), (1, "x")])
    written(place.base / "blank.xlsx", [])
    (place.base / "broken.xlsx").write_text("text")
    csv_file(place.base / "empty.csv", "")
    answer = place.shp("feeds", "new", *words, "--json")
    assert answer.code == 2
    assert says in answer.error["message"]
    assert answer.error["next"]


DAYS = st.dates(date(1990, 1, 1), date(2060, 1, 1))
KINDS = st.sampled_from(["whole", "amount", "day", "text", "blanks", "spelled"])


def values(kind: str, data: st.DataObject, count: int) -> list[object]:
    """The cells of a column of a kind."""
    drawn = {
        "whole": st.integers(-(10**9), 10**9),
        "amount": st.decimals(-(10**6), 10**6, places=2).map(float),
        "day": DAYS,
        "text": st.text("abcXYZ äé-", min_size=1, max_size=9).map(lambda text: "t" + text),
        "blanks": st.none() | st.integers(0, 99),
        "spelled": st.decimals(1000, 10**6, places=2).map(lambda number: f"{number:,}"),
    }[kind]
    return data.draw(st.lists(drawn, min_size=count, max_size=count))


@settings(deadline=None, max_examples=8)
@given(data=st.data(), kinds=st.lists(KINDS, min_size=1, max_size=5), count=st.integers(1, 30), as_csv=st.booleans())
def test_whatever_a_sample_holds_the_proposal_loads_it(
    tmp_path: Path, data: st.DataObject, kinds: list[str], count: int, as_csv: bool
) -> None:
    """Some sample or other would be refused by the feed that was made from it."""
    kinds = kinds * 2 if as_csv else kinds  # a single column of numbers with commas may be two columns
    columns = [values(kind, data, count) for kind in kinds]
    table = [[f"Col {number}" for number in range(len(kinds))], *map(list, zip(*columns, strict=True))]
    table = [[None, "Title"], *table] if data.draw(st.booleans()) and len(kinds) > 3 else table
    sample = _as_csv(tmp_path / "s.csv", table) if as_csv else written(tmp_path / "s.xlsx", table)
    installation = Settings.load({}, home=tmp_path / "home")
    looked = propose.look(installation, sample)
    proposed = propose.propose(installation, looked, "things", "team:things", Answers("day-first", "point"))
    spoken = sum(any(cell is not None for cell in row) for row in zip(*columns, strict=True))
    assert proposed.trial["rows"].get("read", 0) == spoken
    assert proposed.trial["verdict"] == "ok" or {refusal["code"] for refusal in proposed.trial["refusals"]} == {"no_rows"}
    assert proposed.trial["rows"].get("rejected", 0) <= spoken // 20


def _as_csv(path: Path, table: list[list[object]]) -> Path:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";").writerows([["" if cell is None else str(cell) for cell in row] for row in table])
    return csv_file(path, out.getvalue())


def test_days_far_down_are_evidence(tmp_path: Path) -> None:
    """Only the first rows would be looked at, and the order of days guessed from them."""
    first = date(2026, 1, 1)
    lines = [f"{n};{(first + timedelta(days=n % 12)):%d/01/2026}" for n in range(3000)]
    sample = csv_file(tmp_path / "a.csv", "\n".join(["Nr;Day", *lines, "3000;25/01/2026"]))
    looked = propose.look(Settings.load({}, home=tmp_path), sample)
    assert looked.questions(Answers()) == []
