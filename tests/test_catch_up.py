"""After a stop, for real: sixty files had been dropped, and one comes just now; then rows are lost, and filled again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shp_resources.processes import wait_until
from tests.support.commands import VISITS, Place, visits
from tests.support.postgres import rows

pytestmark = pytest.mark.platform
NAMES = [f"day_{number:02}" for number in range(60)]
LOST = ["day_03", "day_30", "day_59"]


@dataclass
class Caught:
    """A platform that was started with sixty files in its drop folder."""

    place: Place
    dsn: str

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of a statement."""
        return rows(self.dsn, statement, *values)

    def published(self) -> int:
        """How many partitions are published."""
        return int(str(self.sql("select count(*) from shp.partitions where state = 'published'")[0][0]))


@pytest.fixture(scope="module")
def caught(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caught]:
    """The platform, started after the files were dropped, the oldest an hour ago; their names are not in order of time."""
    place = Place.make(tmp_path_factory.mktemp("catch_up"), feeds={"visits": VISITS})
    for number, name in enumerate(NAMES):
        _drop(place, name, number, minutes=60 + number)
    up = place.cold("up", "--detach", "--json")
    assert up.code == 0, up.err
    yield Caught(place, (place.home / "postgres" / "dsn").read_text())
    place.cold("down")


def _drop(place: Place, name: str, number: int, minutes: float = 0.0) -> Path:
    path = visits(place.home / "landing" / "visits" / f"{name}.xlsx", [number + 1])
    then = time.time() - minutes * 60
    os.utime(path, (then, then))
    return path


def test_history_is_caught_up_oldest_first_and_a_live_file_is_not_kept_waiting(caught: Caught) -> None:
    """After a weekend's stop this morning's file would wait behind all of the weekend's, or Saturday's come after Sunday's."""
    assert wait_until(lambda: caught.published() >= 5, 120, 0.1)
    _drop(caught.place, "live", 500)
    assert wait_until(lambda: caught.published() == len(NAMES) + 1, 240, 0.2), caught.sql(
        "select state, count(*) from shp.partitions group by 1"
    )
    began = [str(name) for (name,) in caught.sql("select partition from shp.attempts order by started_at")]
    history = [name for name in began if name != "live"]
    oldest_first = list(reversed(NAMES))
    assert sorted(history) == NAMES, "each ran once"
    assert max(abs(place - oldest_first.index(name)) for place, name in enumerate(history)) <= 4, "four work at a time"
    seen = "select count(*) from shp.attempts h, shp.attempts l join shp.arrivals a on a.number = l.arrival"
    (before,) = caught.sql(f"{seen} where l.partition = 'live' and h.started_at > a.at and h.started_at < l.started_at")[0]
    assert int(str(before)) <= 8, "runs that were about to start, not fifty"
    assert began.index("live") < len(began) - 10, "history was under way still"
    assert caught.sql("select count(*), sum(visit) from warehouse.visits") == [(61, 501 + 60 * 61 // 2)]


def test_only_what_is_missing_runs_and_the_backfill_is_on_record(caught: Caught) -> None:
    """A lost table's worth of rows would be loaded by hand, or everything be loaded again."""
    caught.sql("delete from warehouse.visits where _partition = any(%s)", LOST)
    answer = caught.place.shp("backfill", "visits", "--json")
    if answer.code == 0:  # the sensor may have been quicker, once a minute
        assert [item["partition"] for item in answer.json["plan"]] in ([], list(reversed(LOST)))
    assert wait_until(lambda: caught.sql("select count(*) from warehouse.visits") == [(61,)], 120, 0.2)
    assert wait_until(lambda: caught.published() == 61, 30, 0.2)
    ran = caught.sql("select partition from shp.attempts where via = 'backfill' order by 1")
    assert [name for (name,) in ran] == LOST
    assert wait_until(lambda: caught.sql("select status from bulk_actions") == [("COMPLETED_SUCCESS",)], 60, 0.5)
    over = "select closed_at is not null from shp.incidents where cause = 'sink_gap/visits'"
    assert wait_until(lambda: caught.sql(over) == [(True,)], 60, 0.5), "closed when the rows were read again"
