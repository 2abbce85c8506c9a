"""`shp backfill`: the plan with its reasons, and the backfill that a started platform runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.commands import COUNTS, Answer, Place, counts
from tests.support.postgres import fresh_database, rows

DAYS = ("2026-11-16", "2026-11-17", "2026-11-18")
FEED = COUNTS.replace("key: [Item]", "")


@pytest.fixture(scope="module")
def began(postgres_server: str, platform_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation on which nothing runs, with three published days."""
    with fresh_database(postgres_server, platform_template) as dsn:
        place = Place.make(tmp_path_factory.mktemp("backfill"), dsn, {"counts": FEED})
        files = [counts(place.base / "drop" / f"counts_{day}.xlsx", ("pen", number)) for number, day in enumerate(DAYS)]
        assert place.shp("ingest", "counts", *files).code == 0
        yield place


@pytest.fixture
def place(began: Place, postgres_server: str) -> Iterator[Place]:
    """The same; what a test does to its database or its feed concerns no other."""
    (began.base / "feeds" / "counts.yaml").write_text(FEED, encoding="utf-8")
    with began.copied(postgres_server) as place:
        yield place


def backfill(place: Place, *words: str) -> Answer:
    """Run `shp backfill` on the feed."""
    return place.shp("backfill", "counts", *words, "--json")


def sql(place: Place, statement: str) -> list[tuple[object, ...]]:
    """Rows of a statement."""
    return rows(place.environ["SHP_PG_DSN"], statement)


def why(answer: Answer) -> dict[str, str]:
    """The reasons of a plan, by partition, in its order."""
    return {item["partition"]: item["why"] for item in answer.json["plan"]}


def test_without_a_gap_there_is_nothing_to_do(place: Place) -> None:
    """A person would load everything again to be sure."""
    answer = backfill(place)
    assert (answer.code, answer.json["plan"], answer.json["backfill"]) == (0, [], None)
    assert "hold everything" in place.shp("backfill", "counts").err
    assert sql(place, "select count(*) from bulk_actions") == [(0,)]


def test_the_plan_says_what_why_and_how_long_and_changes_nothing(place: Place) -> None:
    """Somebody would start hours of work to find out what it does."""
    sql(place, "delete from warehouse.counts where _partition <> '2026-11-17'")
    before = sql(place, "select partition, version from shp.partitions order by 1")
    answer = backfill(place, "--dry-run")
    assert answer.code == 0
    assert answer.json["feed"] == "counts" and answer.json["seconds"] > 0 and answer.json["backfill"] is None
    assert answer.json["plan"] == [{"partition": day, "sinks": ["warehouse"], "why": "missing"} for day in (DAYS[0], DAYS[2])]
    said = place.shp("backfill", "counts", "--dry-run").err
    assert "2026-11-16: warehouse: the sink holds nothing of it" in said and "2 partitions would run, about" in said
    assert sql(place, "select partition, version from shp.partitions order by 1") == before


def test_partitions_can_be_chosen(place: Place) -> None:
    """A gap of a year would have to be filled in one piece."""
    sql(place, "delete from warehouse.counts")
    assert list(why(backfill(place, "--dry-run", "--from", DAYS[1]))) == [DAYS[1], DAYS[2]]
    assert list(why(backfill(place, "--dry-run", "--to", DAYS[0]))) == [DAYS[0]]
    assert why(backfill(place, "--dry-run", "--from", "2027-01-01")) == {}


def test_what_is_held_is_told_with_its_code_and_what_is_refused_is_left(place: Place) -> None:
    """A person would believe that a backfill mends a file that breaks its contract."""
    sql(place, "update shp.partitions set state = 'exhausted', code = 'transient' where partition = '2026-11-16'")
    sql(place, "update shp.partitions set state = 'quarantined', code = 'too_many_rejects' where partition = '2026-11-17'")
    assert why(backfill(place, "--dry-run")) == {"2026-11-16": "held: transient"}


def test_stale_partitions_are_done_again_only_when_asked(place: Place) -> None:
    """An edited rule would reload years of files, or never reach those that are published."""
    feed = place.base / "feeds" / "counts.yaml"
    feed.write_text(feed.read_text().replace("min: 0", "min: -5"))
    assert why(backfill(place, "--dry-run")) == {}
    assert why(backfill(place, "--dry-run", "--stale")) == dict.fromkeys(DAYS, "stale")


def test_a_backfill_is_put_on_record_once(place: Place) -> None:
    """Pressing return twice would do the work twice."""
    sql(place, "delete from warehouse.counts where _partition = '2026-11-16'")
    answer = backfill(place)
    assert answer.code == 0 and answer.json["backfill"]
    assert sql(place, "select key, status from bulk_actions") == [(answer.json["backfill"], "REQUESTED")]
    assert sql(place, "select state, code from shp.partitions where partition = '2026-11-16'") == [("parked", "sink_gap")]
    again = backfill(place)
    assert again.code == 2
    assert "is under way" in again.error["message"] and "Backfills page" in again.error["next"]


def test_a_feed_that_is_not_there(place: Place) -> None:
    """A slip in the name would look like a feed without a gap."""
    assert place.shp("backfill", "count").code == 2


def test_nothing_is_launched_to_wait_for_where_nobody_would_run_it(place: Place) -> None:
    """The command would wait for ever, with a bar that stands still."""
    sql(place, "delete from warehouse.counts where _partition = '2026-11-16'")
    answer = backfill(place, "--wait")
    assert (answer.code, "shp up" in answer.error["next"]) == (2, True)
    assert sql(place, "select count(*) from bulk_actions") == [(0,)]
