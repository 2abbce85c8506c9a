"""After a stop, for real: files had been dropped, and one comes just now; then rows are lost, and filled again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shp_resources.processes import wait_until
from shp_resources.run_coordinator import WAITING_AT_ONCE
from tests.support.commands import VISITS, Place, visits
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.platform, pytest.mark.timeout(1200)]
FEW, MANY = 60, 500

IN_FRONT = """
    select count(*) from event_logs began join run_tags waits using (run_id), run_tags live, event_logs queued, event_logs launched
    where waits.key = 'shp/history' and began.dagster_event_type = 'PIPELINE_STARTING'
      and live.key = 'dagster/partition' and live.value = 'live' and queued.run_id = live.run_id and launched.run_id = live.run_id
      and queued.dagster_event_type = 'PIPELINE_ENQUEUED' and launched.dagster_event_type = 'PIPELINE_STARTING'
      and began.id > queued.id and began.id < launched.id
"""
"""Runs of history that were launched while the live one stood in the queue."""

WHOLE_WAIT = """
    select count(*) from shp.attempts past, shp.attempts live join shp.arrivals seen on seen.number = live.arrival
    where live.partition = 'live' and past.started_at > seen.at and past.ended_at < live.started_at
"""
"""Runs of history that began and ended between the moment when the live file was seen and its own run."""


@dataclass
class Caught:
    """A platform that was started with so many files in its drop folder."""

    place: Place
    dsn: str
    names: list[str]

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of a statement."""
        return rows(self.dsn, statement, *values)

    def count(self, statement: str, *values: object) -> int:
        """The one number of a statement."""
        return int(str(self.sql(statement, *values)[0][0]))

    def published(self) -> int:
        """How many partitions are published."""
        return self.count("select count(*) from shp.partitions where state = 'published'")


@pytest.fixture(scope="module", params=[FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def caught(request: pytest.FixtureRequest, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caught]:
    """The platform, started after the files were dropped, the oldest an hour ago; their names are not in order of time."""
    place = Place.make(tmp_path_factory.mktemp("catch_up"), feeds={"visits": VISITS})
    names = [f"day_{number:03}" for number in range(request.param)]
    for number, name in enumerate(names):
        _drop(place, name, number, minutes=60 + number)
    up = place.cold("up", "--detach", "--json")
    assert up.code == 0, up.err
    yield Caught(place, (place.home / "postgres" / "dsn").read_text(), names)
    place.cold("down")


def _drop(place: Place, name: str, number: int, minutes: float = 0.0) -> Path:
    path = visits(place.home / "landing" / "visits" / f"{name}.xlsx", [number + 1])
    then = time.time() - minutes * 60
    os.utime(path, (then, then))
    return path


def test_history_is_caught_up_oldest_first_and_a_live_file_waits_for_one_run_at_most(caught: Caught) -> None:
    """After a weekend's stop this morning's file would wait behind all of the weekend's, or Saturday's come after Sunday's."""
    assert wait_until(lambda: caught.published() >= 1, 120, 0.05)
    _drop(caught.place, "live", 999)
    total = len(caught.names) + 1
    assert wait_until(lambda: caught.published() == total, 900, 0.2), caught.sql("select state, count(*) from shp.partitions group by 1")
    began = [str(name) for (name,) in caught.sql("select partition from shp.attempts order by started_at")]
    history = [name for name in began if name != "live"]
    oldest_first = list(reversed(caught.names))
    assert sorted(history) == caught.names, "each ran once"
    assert caught.count("select count(*) from runs") == total, "and nothing else"
    assert max(abs(place - oldest_first.index(name)) for place, name in enumerate(history)) <= WAITING_AT_ONCE
    assert caught.count(IN_FRONT) <= 1, "the one that was being launched"
    assert caught.count(WHOLE_WAIT) <= WAITING_AT_ONCE, "one in each of the places of history"
    assert began.index("live") < len(began) - 1, "history was under way still"
    everything = 1000 + total * (total - 1) // 2
    assert caught.sql("select count(*), sum(visit) from warehouse.visits") == [(total, everything)]


def test_only_what_is_missing_runs_and_the_backfill_is_on_record(caught: Caught) -> None:
    """A lost table's worth of rows would be loaded by hand, or everything be loaded again."""
    total = len(caught.names) + 1
    lost = [caught.names[3], caught.names[10], caught.names[-1]]
    caught.sql("delete from warehouse.visits where _partition = any(%s)", lost)
    answer = caught.place.shp("backfill", "visits", "--wait", "--json")
    if answer.code != 2 and answer.json["plan"]:  # the sensor may have been quicker, once a minute
        assert [item["partition"] for item in answer.json["plan"]] == list(reversed(lost))
        assert (answer.code, answer.json["done"], answer.json["total"], answer.json["status"]) == (0, 3, 3, "COMPLETED_SUCCESS")
        assert "████████████████████ 3 of 3" in answer.err
    assert wait_until(lambda: caught.count("select count(*) from warehouse.visits") == total, 120, 0.1)
    assert wait_until(lambda: caught.published() == total, PATIENCE, 0.1)
    ran = caught.sql("select partition from shp.attempts where via = 'backfill' order by 1")
    assert [name for (name,) in ran] == lost
    assert wait_until(lambda: caught.sql("select status from bulk_actions") == [("COMPLETED_SUCCESS",)], PATIENCE, 0.2)
    over = "select closed_at is not null from shp.incidents where cause = 'sink_gap/visits'"
    assert wait_until(lambda: caught.sql(over) == [(True,)], PATIENCE, 0.2), "closed when the rows were read again"
