"""`shp rewind`: an earlier delivery is published again, stays so, and gives way to the next real arrival."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import VISITS, Place, visits
from tests.support.postgres import fresh_database, rows


@pytest.fixture
def place(postgres_server: str, platform_template: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on which nothing runs."""
    with fresh_database(postgres_server, platform_template) as dsn:
        yield Place.make(tmp_path, dsn, {"visits": VISITS})


def loaded(place: Place) -> list[int]:
    """What the table holds."""
    return [visit for (visit,) in rows(place.environ["SHP_PG_DSN"], "select visit from warehouse.visits order by 1")]


def delivered(place: Place, name: str, *numbers: int) -> str:
    """A file is ingested; its delivery."""
    path = visits(place.base / "drop" / name, numbers)
    return str(place.shp("ingest", "visits", path, "--json").file(name)["delivery"])


def test_an_earlier_delivery_comes_back_and_stays(place: Place) -> None:
    """Rows that a wrong file replaced could only be had from a backup, or would be lost again with the next look."""
    first = delivered(place, "a.xlsx", 1, 2)
    between = rows(place.environ["SHP_PG_DSN"], "select clock_timestamp()::text")[0][0]
    second = delivered(place, "a.xlsx", 3)
    assert loaded(place) == [3]
    tried = place.shp("rewind", "visits", "a", "--to", first[:8], "--dry-run", "--json")
    assert (tried.code, tried.json["plan"], loaded(place)) == (0, [{"partition": "a", "from": second, "to": first}], [3])
    done = place.shp("rewind", "visits", "a", "--to", first[:8], "--json")
    assert (done.code, done.json["results"][0]["delivery"], done.json["results"][0]["changed"]) == (0, first, True)
    assert loaded(place) == [1, 2]
    again = place.shp("rewind", "visits", "a", "--to", between)
    assert (again.code, "nothing to publish again" in again.err) == (0, True)
    back = place.shp("rewind", "visits", "a", "--to", second[:8])
    assert (back.code, loaded(place)) == (0, [3]), "undoing it is another rewind"
    events = place.shp("history", "visits", "a", "--json").json["events"]
    assert [event["via"] for event in events if event["what"] == "arrival"] == ["ingest", "ingest", "rewind", "rewind"]
    assert any(f"Rewound to delivery {first[:12]} by" in str(event.get("message")) for event in events)


def test_a_whole_feed_goes_back_to_a_time(place: Place) -> None:
    """After a bad night every partition would have to be found and rewound by hand."""
    delivered(place, "a.xlsx", 1)
    delivered(place, "b.xlsx", 2)
    moment = rows(place.environ["SHP_PG_DSN"], "select clock_timestamp()::text")[0][0]
    delivered(place, "a.xlsx", 11)
    delivered(place, "c.xlsx", 3)
    done = place.shp("rewind", "visits", "--all", "--to", moment, "--json")
    assert done.code == 0
    assert ([step["partition"] for step in done.json["plan"]], done.json["newer"]) == (["a"], ["c"])
    assert loaded(place) == [1, 2, 3]
    assert delivered(place, "a.xlsx", 12)
    assert loaded(place) == [2, 3, 12], "the next real arrival decides"
    dropped = place.shp("rewind", "visits", "--all", "--to", moment, "--drop-newer", "--json")
    assert (dropped.code, dropped.json["newer"], dropped.json["dropped"]) == (0, [], ["c"])
    assert loaded(place) == [1, 2]


REFUSED = {
    ("a", "--to", "ffffffff"): "visits/a has no delivery ffffffff",
    ("a", "--to", "2020-01-01"): "Nothing of visits/a was published",
    ("a", "--to", "20-20-20"): "neither a delivery nor a time",
    ("nowhere", "--to", "ffffffff"): "Nothing is known of visits/nowhere",
    ("--to", "ffffffff"): "Name one PARTITION, or give --all",
    ("--all", "--to", "ffffffff"): "to a time only",
    ("a", "--to", "ffffffff", "--drop-newer"): "Only a whole feed",
}


def test_what_cannot_be_had_is_refused(place: Place) -> None:
    """A slip would publish something else, or seem to have worked."""
    delivered(place, "a.xlsx", 1)
    for words, why in REFUSED.items():
        answer = place.shp("rewind", "visits", *words)
        assert (answer.code, why in answer.err) == (2, True), answer.err


def test_bytes_that_are_gone_are_told_before_anything_changes(place: Place) -> None:
    """A partition would be left held, waiting for bytes that nobody has."""
    first = delivered(place, "a.xlsx", 1)
    delivered(place, "a.xlsx", 2)
    (place.home / "store" / "raw" / first[:2] / first).unlink()
    answer = place.shp("rewind", "visits", "a", "--to", first[:8])
    assert (answer.code, "not kept any more" in answer.err, loaded(place)) == (2, True, [2])
