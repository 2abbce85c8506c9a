"""`shp incidents`, `shp quarantine release`, and what `shp status` and `shp ingest` do about breakers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import VISITS, Answer, Place, visit, visits
from tests.support.platforms import NOBODY
from tests.support.postgres import fresh_database, rows
from tests.support.workbooks import written

INCIDENT = {"id", "cause", "severity", "code", "message", "members", "opened_at", "closed_at", "proof", "next"}


@pytest.fixture
def place(postgres_server: str, platform_template: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on which nothing runs."""
    with fresh_database(postgres_server, platform_template) as dsn:
        yield Place.make(tmp_path, dsn, {"visits": VISITS})


def refused(place: Place) -> Path:
    """A file that is ingested and refused."""
    bad = visit(5, day="31.02.2026")
    path = visits(place.base / "drop" / "refused.xlsx", [7], bad, bad)
    assert place.shp("ingest", "visits", path).code == 1
    return path


def test_without_trouble_there_is_no_incident(place: Place) -> None:
    """Whoever is on call would be told of nothing."""
    visits(place.base / "drop" / "good.xlsx")
    assert place.shp("ingest", "visits", place.base / "drop" / "good.xlsx").code == 0
    answer = place.shp("incidents", "--json")
    assert (answer.code, answer.json) == (0, {"incidents": []})
    assert "There was no incident." in place.shp("incidents").err


def test_an_incident_is_told_until_a_mended_file_proves_it_over(place: Place) -> None:
    """An incident would be told for ever, or closed on somebody's word."""
    path = refused(place)
    answer = place.shp("incidents", "--json")
    (told,) = answer.json["incidents"]
    assert answer.code == 1
    assert set(told) == INCIDENT
    assert (told["cause"], told["severity"], told["closed_at"]) == ("too_many_rejects/visits", "warning", None)
    assert told["members"] == [{"feed": "visits", "partition": "refused", "outcome": None}]
    said = place.shp("incidents")
    assert "visits/refused" in said.err
    assert "next: Tell the sender: Too many rows are wrong" in said.err
    visits(path, [7])
    assert place.shp("ingest", "visits", path).code == 0
    over = place.shp("incidents", "--json")
    assert (over.code, over.json["incidents"][0]["closed_at"] is not None) == (0, True)
    assert "read again" in over.json["incidents"][0]["proof"]


def test_release_makes_a_held_partition_due(place: Place) -> None:
    """There would be no way out for what was mended elsewhere."""
    refused(place)
    answer = place.shp("quarantine", "release", "visits", "refused", "--json")
    assert answer.code == 0
    assert (answer.json["partition"], answer.json["state"]) == ("refused", "quarantined")
    (record,) = place.shp("partitions", "visits", "--json").json["partitions"]
    assert record["next_attempt_at"] == answer.json["next_attempt_at"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("visits", "nowhere"), "Nothing is known of visits/nowhere"),
        (("visits", "good"), "is published: nothing holds it"),
        (("vists", "good"), "There is no feed 'vists'"),
    ],
)
def test_what_is_not_held_cannot_be_released(place: Place, words: tuple[str, str], why: str) -> None:
    """A slip in a name would look as if it had worked."""
    good = visits(place.base / "drop" / "good.xlsx")
    assert place.shp("ingest", "visits", good).code == 0
    answer = place.shp("quarantine", "release", *words)
    assert answer.code == 2
    assert why in answer.err


def test_a_renamed_column_is_shown_and_accepted(place: Place) -> None:
    """Whoever is told of a renamed column would have to find out how to write it into a feed file."""
    lines = [("Visit", "Name", "Day", "Fee paid"), *((number, "Person", "20.11.2026", 5) for number in range(1, 13))]
    path = visits(place.base / "drop" / "renamed.xlsx")
    written(path, lines)
    assert place.shp("ingest", "visits", path).code == 1
    (held,) = place.shp("quarantine", "show", "visits", "renamed", "--json").json["partitions"]
    (found,) = held["proposal"]
    assert (found["change"], found["column"], found["found"]) == ("renamed", "Fee", "Fee paid")
    assert held["next"].endswith("shp feeds accept visits renamed")
    assert "shp feeds accept visits renamed takes it up" in place.shp("incidents").err
    file = place.base / "feeds" / "visits.yaml"
    before = file.read_text(encoding="utf-8")
    tried = place.shp("feeds", "accept", "visits", "renamed", "--dry-run", "--json")
    assert (tried.code, tried.json["written"], file.read_text(encoding="utf-8")) == (0, False, before)
    assert '+  Fee:     {type: money, scale: 2, currency: EUR, min: 0, aliases: ["Fee paid"]}' in tried.json["patch"]
    said = place.shp("feeds", "accept", "visits", "renamed")
    assert said.code == 0
    assert "column 'Fee': 'Fee paid' is taken for it, too" in said.err
    assert place.shp("ingest", "visits", path).code == 0
    assert place.shp("feeds", "accept", "visits", "renamed").code == 2, "nothing is left to accept"


def away(place: Place, name: str) -> Answer:
    """A file is ingested while the warehouse is away."""
    return place.shp("ingest", "visits", visits(place.base / "drop" / name, [40]), "--json", SHP_WAREHOUSE_DSN=NOBODY)


def test_status_shows_what_is_not_asked_and_what_is_wrong(place: Place) -> None:
    """Nobody would see why nothing is loaded."""
    assert away(place, "a.xlsx").code == 1
    document = place.shp("status", "--json").json
    (breaker,) = document["breakers"]
    assert (breaker["name"], breaker["phase"], breaker["code"]) == ("warehouse", "open", "sink_unreachable")
    (incident,) = document["incidents"]
    assert (incident["cause"], incident["severity"]) == ("warehouse", "critical")
    said = place.shp("status").err
    assert "warehouse is not used, asked again at" in said
    assert "incident 1 (critical): warehouse holds 1 partitions" in said


def test_status_without_a_ledger_is_still_a_status(tmp_path: Path) -> None:
    """A status that needs what is broken would tell nothing."""
    answer = Place.make(tmp_path, NOBODY, {"visits": VISITS}).shp("status", "--json")
    assert (answer.code, answer.json["breakers"], answer.json["incidents"]) == (1, [], [])


def test_an_ingestion_tries_a_system_that_was_away_with_one_file(place: Place) -> None:
    """Whoever mended the database would be told to wait; or a hundred files would knock at one that is still away."""
    assert away(place, "a.xlsx").code == 1
    still = away(place, "b.xlsx")
    assert still.file("b.xlsx")["code"] == "sink_unreachable", "it was tried again, for a person asked"
    dsn = place.environ["SHP_PG_DSN"]
    assert rows(dsn, "select trips from shp.breakers") == [(2,)]
    assert place.shp("ingest", "visits", place.base / "drop" / "a.xlsx", "--json").code == 0
    answer = place.shp("ingest", "visits", place.base / "drop", "--json")
    assert answer.code == 0
    assert rows(dsn, "select phase from shp.breakers") == [("closed",)]
    assert rows(dsn, "select count(*) from warehouse.visits") == [(1,)]
