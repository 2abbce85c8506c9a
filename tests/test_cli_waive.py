"""`shp waive`, and what `shp partitions` says of what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import COUNTS, Answer, Place, counts
from tests.support.postgres import fresh_database, rows

DUE = COUNTS.replace("start: 2026-11-01", "start: 2026-01-05, due: '07:00'")
DAY = "2026-01-06"


@pytest.fixture(scope="module")
def began(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation on which nothing runs, with one day of a feed that is due each morning."""
    with fresh_database(postgres_server, platform_template) as dsn:
        place = Place.make(tmp_path_factory.mktemp("waive"), dsn, {"counts": DUE})
        assert place.shp("ingest", "counts", counts(place.base / "drop" / "counts_2026-01-05.xlsx", ("nut", 1))).code == 0
        yield place


@pytest.fixture
def place(began: Place, postgres_server: str) -> Iterator[Place]:
    """The same; what a test does to its database concerns no other."""
    with began.copied(postgres_server) as place:
        yield place


def waive(place: Place, *words: str) -> Answer:
    """Run `shp waive` on the feed."""
    return place.shp("waive", "counts", *words, "--json")


def test_a_day_that_will_never_come_is_waived_and_waited_for_again(place: Place) -> None:
    """A holiday that nobody put into the calendar would be late for ever."""
    answer = waive(place, DAY, "--why", "closed")
    assert (answer.code, answer.json) == (
        0,
        {"feed": "counts", "partition": DAY, "state": "waived", "message": "closed", "due_at": "2026-01-06T07:00:00Z"},
    )
    listed = place.shp("partitions", "counts", "--json")
    known = {record["partition"]: record for record in listed.json["partitions"]}
    assert listed.code == 0, "what is waived is not unhealthy"
    assert (known[DAY]["state"], known[DAY]["message"], known[DAY]["due_at"]) == ("waived", "closed", "2026-01-06T07:00:00Z")
    assert "waived: closed" in place.shp("partitions", "counts").err
    assert "closed" in place.shp("history", "counts", DAY).err
    assert waive(place, DAY, "--undo").json["state"] == "expected"
    assert waive(place, DAY, "--undo").code == 2, "once"


def test_a_file_that_comes_all_the_same_is_taken(place: Place) -> None:
    """A waiver that was a mistake would lose a file."""
    assert waive(place, DAY, "--why", "closed").code == 0
    assert place.shp("ingest", "counts", counts(place.base / "drop" / f"counts_{DAY}.xlsx", ("bolt", 1))).code == 0
    assert rows(place.environ["SHP_PG_DSN"], "select count(*) from warehouse.counts where _partition = %s", DAY) == [(1,)]


def test_a_refused_file_that_nobody_will_mend(place: Place) -> None:
    """The report would be incomplete for ever for a file that its sender has given up."""
    bad = counts(place.base / "drop" / f"counts_{DAY}.xlsx", ("bolt", "many"))
    assert place.shp("ingest", "counts", bad).code == 1
    assert place.shp("partitions", "counts").code == 1
    assert waive(place, DAY, "--why", "sender is gone").json["state"] == "waived"
    assert place.shp("partitions", "counts").code == 0
    assert waive(place, DAY, "--undo").json["state"] == "arrived", "its file is there: it runs again"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["2026-01-05", "--why", "x"], "counts/2026-01-05 is published: its rows are there"),
        (["2026-01-04", "--why", "x"], "nobody expects it"),
        (["2999-01-01", "--why", "x"], "nobody expects it"),
        ([DAY], "needs a reason"),
        ([DAY, "--why", " "], "needs a reason"),
        ([DAY, "--why", "x", "--undo"], "taking one back needs none"),
        ([DAY, "--undo"], "is not waived"),
    ],
)
def test_what_cannot_be_waived_is_said(place: Place, words: list[str], said: str) -> None:
    """Rows that stand in the table would be hidden by a word."""
    answer = waive(place, *words)
    assert answer.code == 2
    assert said in answer.error["message"] and answer.error["next"]


def test_a_day_that_lacks_files_is_shown_and_given_up(postgres_server: str, tmp_path: Path) -> None:
    """A feed whose files nobody can name would show nothing of a missing one, and could never be settled."""
    feed = COUNTS.replace("partition: {by: day, start: 2026-11-01}", "partition: {by: file, expects: 2, start: 2020-01-01, due: '00:00'}")
    with fresh_database(postgres_server) as dsn:
        place = Place.make(tmp_path, dsn, {"counts": feed})
        assert place.shp("ingest", "counts", counts(place.base / "drop" / "one.xlsx", ("nut", 1))).code == 0
        shown = place.shp("partitions", "counts", "--json")
        assert shown.code == 1 and [record["state"] for record in shown.json["partitions"]] == ["published"]
        today = next(day for day in shown.json["days"] if day["came"])
        assert (today["state"], today["expected"], today["on_time"], today["came"]) == ("late", 2, 0, 1)
        assert f"{today['day']}: late: 1 of 2 files came, due" in place.shp("partitions", "counts").err
        assert waive(place, today["day"], "--why", "closed").json["state"] == "waived"
        assert f"{today['day']}: waived: 1 of 2 files came: closed" in place.shp("partitions", "counts").err
        assert place.shp("slo", "counts", "--json").json["feeds"][0]["on_time"]["good"] == 0
        assert waive(place, today["day"], "--undo").json["state"] == "late"
        assert waive(place, today["day"], "--undo").code == 2, "once"
        assert waive(place, "2019-12-31", "--why", "closed").code == 2
