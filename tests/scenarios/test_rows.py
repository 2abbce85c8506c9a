"""The rows of the decision table that no other story here plays: a source that goes away, a worker that dies twice, a full disk, a stop.

docs/guarantees.md names the story of every row; `test_every_row_has_its_story` holds it to the table.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from shp_assets import feed_assets
from shp_assets.work import Work
from shp_core.healing.breaker import Phase
from shp_core.healing.decide import REDRIVES_A_DAY, TABLE
from shp_resources.rehearsal import parse
from shp_sensors import requests
from tests.support.healing import Ward
from tests.support.holders import REPOSITORY
from tests.support.platforms import order
from tests.test_sensors_lost_runs import begin, living

SEEN_WITHIN = timedelta(seconds=10)
_STORY = re.compile(r"^\| `(\w+)` \|.*`(tests/[\w/]+\.py)::(\w+)`", re.MULTILINE)


def seen_in_time(ward: Ward, name: str) -> bool:
    """Whether the ledger had the fault of a partition's first run within ten seconds of its beginning."""
    attempt = ward.platform.attempts(name)[0]
    return attempt.ended_at is not None and attempt.ended_at - attempt.started_at < SEEN_WITHIN


def all_over(ward: Ward) -> bool:
    """Whether every incident is closed."""
    return all(incident.closed_at is not None for incident in ward.incidents())


def test_every_row_has_its_story() -> None:
    """A row of the table could be changed, and nobody would see what that does to a real platform."""
    page = (REPOSITORY / "docs" / "guarantees.md").read_text(encoding="utf-8")
    told = {kind: (REPOSITORY / file, test) for kind, file, test in _STORY.findall(page)}
    assert set(told) == {str(kind) for kind in TABLE}
    assert all(f"def {test}(" in file.read_text(encoding="utf-8") for file, test in told.values())


def test_a_source_that_went_away_is_waited_for(ward: Ward) -> None:
    """A file that is taken back before it was copied would be told as a failure, or be forgotten when it comes again."""
    platform = ward.platform
    path = platform.drop("a.xlsx", [order(1)])
    tick = platform.tick("arrivals")
    content = path.read_bytes()
    path.unlink()
    platform.fulfil(tick)
    assert platform.state("a") == ("waiting", "source_missing")
    assert seen_in_time(ward, "a")
    ward.later(24 * 3600)
    assert (ward.look(), ward.incidents()) == ([], []), "nothing to do, and nobody to tell"
    platform.drop_bytes("a.xlsx", content)
    ward.until(lambda: ward.states() == {"a": "published"}, seconds=60)
    assert (platform.loaded("a"), len(platform.attempts("a"))) == ([1], 2)


def test_two_deaths_in_one_step_on_the_same_bytes_hold_the_file_and_other_bytes_free_it(ward: Ward) -> None:
    """A file that kills its worker would kill one every minute; or stay held when a good one took its place."""
    platform = ward.platform
    platform.drop("a.xlsx", [order(1)])
    for expected in ("arrived", "quarantined"):
        (asked,) = platform.tick("arrivals").requests
        run = platform.queue(asked, dg.DagsterRunStatus.STARTED)
        with living() as worker:
            begin(platform, run.run_id, worker, "validated")
        ward.look("lost_runs")
        assert platform.record("a").state == expected
    assert [(one.code, one.verdict) for one in platform.attempts("a")] == [("worker_lost", "at_once"), ("worker_lost", "quarantine")]
    (incident,) = ward.incidents()
    assert (incident.cause, incident.closed_at) == ("worker_lost/orders", None)
    ward.later(24 * 3600)
    assert ward.look("arrivals", "redrives") == []
    platform.drop("a.xlsx", [order(1), order(2)])
    ward.until(lambda: ward.states() == {"a": "published"} and all_over(ward), seconds=60)
    assert platform.loaded("a") == [1, 2]


def test_a_disk_that_is_full_is_told_at_once_probed_and_drained(ward: Ward, tmp_path: Path) -> None:
    """A full disk would be knocked at all night, or nobody would hear of it before the morning."""
    platform = ward.platform
    platform.change(faults=parse("warehouse:full", tmp_path / "faults"))
    ward.drop("a", "b")
    ward.look("arrivals")
    assert {platform.state(name) for name in ("a", "b")} == {("parked", "sink_refused"), ("parked", "breaker_open")}
    assert (seen_in_time(ward, "a"), ward.phase(), ward.slept) == (True, Phase.OPEN, [])
    (incident,) = ward.incidents()
    assert (incident.cause, incident.severity, len(incident.members)) == ("warehouse", "critical", 2)
    ward.later(3600)
    assert ward.look("recovery", "redrives") == [], "the probe finds it full, and no run is spent"
    platform.change(faults=parse("", tmp_path))
    ward.until(lambda: set(ward.states().values()) == {"published"} and all_over(ward), seconds=2 * 3600)
    assert platform.sql('select count(*), count(distinct "order") from warehouse.orders') == [(2, 2)]


def test_what_was_stopped_goes_on_at_once_and_costs_nothing(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart files would wait for a pause to pass, or have used up their budget by being stopped."""
    platform = ward.platform

    def stop(work: Work) -> Any:
        raise DagsterExecutionInterruptedError

    with monkeypatch.context() as stopping:
        stopping.setattr(feed_assets, "validate_delivery", stop)
        monkeypatch.setattr(requests, "_AT_ONCE", 99)  # else the third waits for twenty seconds, by the clock on the wall
        ward.drop("a")
        for stops in range(1, REDRIVES_A_DAY + 2):
            ward.look("arrivals")
            assert (platform.state("a"), len(platform.attempts("a"))) == (("arrived", "interrupted"), stops)
    assert seen_in_time(ward, "a")
    ward.look("arrivals")
    assert (platform.state("a"), ward.incidents()) == (("published", None), [])
