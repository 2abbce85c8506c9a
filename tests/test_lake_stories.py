"""Two sinks under trouble: one that is away never stops the other, and what it lacks comes when it is back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shp_core.states import State
from shp_resources.lake.manifests import standing
from shp_resources.ledger import Holder
from tests.support.healing import Ward
from tests.support.lake import current, folder
from tests.support.platforms import FEED, IN_LAKE, NOBODY, ORDERS, order

LAYERS = ("raw", "text", "validated", "quarantine", "warehouse")
ROWS = [order(1), order(2, "xx"), order(3, "de")]


@pytest.fixture
def ward(lake_ward: Ward) -> Ward:
    """Its feed by file declares the lake."""
    return lake_ward


def _curated(ward: Ward, partition: str = "a") -> list[int]:
    """The keys of a partition's clean rows in the lake, as its readers find them; none when nothing is published."""
    place = ward.platform.outside.lake
    if standing(place, folder("curated", partition)) is None:
        return []
    return [int(line.split("\t")[0]) for line in current(place, folder("curated", partition))]


def _sinks(ward: Ward, partition: str = "a") -> dict[str, bool]:
    """By sink, whether it holds what it is to hold."""
    found = ward.platform.outside.ledger.publications.sinks(FEED, partition)
    return {name: sink.agrees for name, sink in found.items()}


def _lake_away(ward: Ward) -> Path:
    """A file lies where the lake's folder should be: every call is refused."""
    root = ward.platform.settings.home / "lake"
    root.write_text("in the way")
    return root


def _asked_for(ward: Ward, sensor: str = "lake") -> int:
    return sum(name == sensor for name, _ in ward.asked)


def test_a_lake_that_is_away_does_not_keep_the_warehouse_waiting(ward: Ward) -> None:
    """Readers of the warehouse would miss what only the lake's disk refuses; and somebody would have to mend the lake's part by hand."""
    platform, root = ward.platform, _lake_away(ward)
    platform.drop("a.xlsx", ROWS)
    platform.drop("b.xlsx", [order(4)])
    ward.look()
    assert (platform.loaded("a"), platform.loaded("b")) == ([1, 3], [4])
    assert platform.state("a") == ("parked", "sink_refused")
    assert platform.record("a").cause == "lake"
    assert _sinks(ward) == {"warehouse": True, "lake": False}
    assert [(incident.cause, incident.severity) for incident in ward.incidents()] == [("lake", "critical")]
    assert ward.breaker("lake").is_open
    asked = _asked_for(ward)
    assert ward.look() == []
    assert _asked_for(ward) == asked, "an open breaker is not met by more runs"
    root.unlink()
    publications = platform.sql("select count(*) from shp.publications where sink = 'warehouse'")
    ward.until(lambda: set(ward.states().values()) == {"published", "published_with_rejects"})
    ward.look("recovery")
    assert [_curated(ward), _curated(ward, "b")] == [[1, 3], [4]]
    assert [incident.closed_at is not None for incident in ward.incidents()] == [True]
    assert platform.sql("select count(*) from shp.publications where sink = 'warehouse'") == publications
    assert platform.record("a").cause is None


def test_a_warehouse_that_is_away_does_not_keep_the_lake_waiting(ward: Ward) -> None:
    """Readers of the lake would miss what only a database lacks."""
    platform = ward.platform
    platform.turn_to(NOBODY)
    platform.drop("a.xlsx", ROWS)
    ward.look()
    assert platform.state("a") == ("parked", "sink_unreachable")
    assert platform.record("a").behind is None
    assert _curated(ward) == [1, 3]
    assert _sinks(ward) == {"warehouse": False, "lake": True}
    asked = _asked_for(ward)
    assert ward.look("lake") == []
    platform.turn_to(None)
    ward.until(lambda: platform.record("a").state.is_published)
    assert platform.loaded("a") == [1, 3]
    assert _asked_for(ward) == asked + 1, "one run more, which compares both"
    known = platform.outside.ledger.lake.get(FEED, "a")
    assert known is not None
    assert known.complete


def test_a_corrected_file_reaches_both_sinks_and_a_displaced_row_does_not_part_them(ward: Ward) -> None:
    """The sinks would say different things of the same file after its second delivery, or when two files share a key."""
    platform = ward.platform
    platform.drop("b.xlsx", [order(1), order(2)])
    ward.look()
    platform.drop("a.xlsx", [order(1), order(9)])
    ward.look()
    assert (platform.loaded("a"), platform.loaded("b")) == ([1, 9], [2])
    assert _curated(ward, "b") == [1, 2], "a displaced row is a clean row of its file"
    platform.drop("b.xlsx", [order(1), order(5)])
    ward.look()
    assert _curated(ward, "b") == [1, 5]
    assert set(ward.states().values()) == {"published"}
    assert all(found.complete for name in "ab" if (found := platform.outside.ledger.lake.get(FEED, name)))


def test_a_tampered_line_is_found_named_and_made_anew(ward: Ward) -> None:
    """The lake would tell its readers something else than the warehouse, and nobody would know which rows."""
    platform = ward.platform
    platform.drop("a.xlsx", ROWS)
    ward.look()
    place = platform.outside.lake
    manifest = standing(place, folder("curated"))
    assert manifest is not None
    part = platform.settings.home / "lake" / folder("curated") / manifest.directory / manifest.files[0].name
    part.write_text(part.read_text().replace("10.50", "99.50", 1))
    result = platform.run("a", ["lake", "curated"])
    check = platform.checks(result)["sinks_agree"]
    assert not check.passed
    assert check.metadata["differing_rows"].value == [2]
    assert platform.state("a") == ("parked", "sinks_differ")
    assert "sheet rows that differ: 2" in str(platform.record("a").message)
    assert platform.mart().success
    assert platform.sql("select to_regclass('mart.amounts')") == [(None,)], "nothing is summed up while the sinks differ"
    ward.until(lambda: platform.record("a").state.is_published)
    assert "99.50" not in "".join(current(place, folder("curated")))
    ward.look("recovery")
    assert [(incident.cause, incident.closed_at is not None) for incident in ward.incidents()] == [("sinks_differ/orders", True)]


def test_what_was_published_before_the_feed_had_a_lake_follows(ward: Ward) -> None:
    """A lake that is added later would lack everything that came before, or all of it would be loaded into tables again."""
    platform = ward.platform
    platform.feed_file(FEED, ORDERS)
    platform.drop("a.xlsx", ROWS)
    ward.look()
    assert platform.state("a") == ("published_with_rejects", None)
    platform.feed_file(FEED, IN_LAKE)
    (result,) = ward.look("lake")
    assert platform.reached(result) == ["lake", "curated"]
    assert platform.state("a") == ("published_with_rejects", None)
    assert _curated(ward) == [1, 3]
    assert platform.sql("select count(*) from shp.publications where sink = 'warehouse'") == [(1,)]
    platform.feed_file(FEED, ORDERS)
    assert ward.look() == []


def test_the_lake_takes_the_text_rows_of_a_refused_delivery(ward: Ward) -> None:
    """Who looks into the lake could not see what was delivered, and the clean rows there would be of bytes that nobody published."""
    platform = ward.platform
    platform.drop("a.xlsx", ROWS)
    ward.look()
    platform.drop("a.xlsx", [order("x"), order("y"), order("z"), order(4)])
    ward.look()
    assert platform.state("a") == ("quarantined", "too_many_rejects")
    assert len(current(platform.outside.lake, folder("lake"))) == 4
    assert _curated(ward) == [1, 3]
    assert _sinks(ward) == {"warehouse": True, "lake": True}
    assert ward.look() == []


def test_what_somebody_removes_from_the_lake_is_seen_and_made_again(ward: Ward) -> None:
    """A folder that is deleted by hand would stay away until the file is delivered again."""
    platform = ward.platform
    platform.drop("a.xlsx", ROWS)
    ward.look()
    ward.look("gaps")
    assert platform.state("a") == ("published_with_rejects", None)
    shutil.rmtree(platform.settings.home / "lake" / folder("curated"))
    ward.look("gaps")
    assert platform.state("a") == ("parked", "sink_gap")
    publications = platform.sql("select count(*) from shp.publications where sink = 'warehouse'")
    ward.until(lambda: platform.record("a").state.is_published)
    assert _curated(ward) == [1, 3]
    assert platform.sql("select count(*) from shp.publications where sink = 'warehouse'") == publications
    ward.look("recovery")
    assert [(incident.cause, incident.closed_at is not None) for incident in ward.incidents()] == [("sink_gap/orders", True)]


def test_superseded_publications_go_a_day_later(ward: Ward) -> None:
    """The lake would grow with every corrected file, or a reader would lose what it reads."""
    platform = ward.platform
    for number in (1, 2):
        platform.drop("a.xlsx", [order(number)])
        ward.look()
    kept = platform.settings.home / "lake" / folder("curated")
    assert len([path for path in kept.iterdir() if path.is_dir()]) == 2
    ward.later(25 * 3600)
    platform.drop("a.xlsx", [order(3)])
    ward.look()
    assert [path.name for path in kept.iterdir() if path.is_dir()] == [standing(platform.outside.lake, folder("curated")).directory]
    assert _curated(ward) == [3]


def test_a_backfill_of_everything_goes_to_the_warehouse_first(ward: Ward) -> None:
    """Who fills partitions again in the UI would wait for the cluster before a table is right."""
    platform = ward.platform
    platform.drop("a.xlsx", ROWS)
    result = platform.run("a", [*LAYERS, "lake", "curated"], tags={"dagster/backfill": "b1"})
    assert result.success
    steps = [str(event.step_key) for event in result.all_events if event.is_step_start]
    assert [step for step in steps if step.startswith(("warehouse", "lake", "curated"))] == [
        "warehouse__orders",
        "lake__orders",
        "curated__orders",
        "curated__orders_sinks_agree",
    ]
    assert platform.state("a") == ("published_with_rejects", None)
    assert sorted(attempt.way for attempt in platform.attempts("a")) == ["elt", "etl"]
    assert _curated(ward) == [1, 3]


def test_an_arrival_does_not_wait_for_a_run_to_the_lake(ward: Ward) -> None:
    """A slow cluster would stand before the warehouse."""
    platform = ward.platform
    platform.drop("a.xlsx", ROWS)
    ward.look("arrivals")
    with platform.outside.ledger.leases.held(FEED, "a/lake", Holder.here("somebody else")):
        platform.drop("a.xlsx", [order(7)])
        ward.look("arrivals")
        assert platform.loaded("a") == [7]
        (result,) = ward.look("lake")
        assert not result.success
    assert platform.state("a") == ("parked", None)
    ward.until(lambda: platform.record("a").state is State.PUBLISHED)
    assert _curated(ward) == [7]


def test_ingest_publishes_to_both_sinks(ward: Ward, tmp_path: Path) -> None:
    """A file that is loaded from cron would never reach the lake."""
    platform = ward.platform
    path = platform.drop("a.xlsx", ROWS)
    first = platform.ingest(path)
    assert (first.state, first.code, first.changed, first.rows["loaded"]) == ("published_with_rejects", None, True, 2)
    assert _curated(ward) == [1, 3]
    again = platform.ingest(path)
    assert (again.state, again.changed) == ("published_with_rejects", False)
    assert len(platform.attempts("a")) == 2
    assert ward.look() == []


def test_ingest_says_parked_where_the_lake_is_not_to_be_had(ward: Ward) -> None:
    """A script would take a file for published that only one of two sinks holds."""
    platform, root = ward.platform, _lake_away(ward)
    path = platform.drop("a.xlsx", ROWS)
    result = platform.ingest(path)
    assert (result.state, result.code, result.published) == ("parked", "sink_refused", False)
    assert result.rows["loaded"] == 2
    assert platform.loaded("a") == [1, 3]
    root.unlink()
    ward.later(3600)
    again = platform.ingest(path)
    assert (again.state, again.code, again.changed) == ("published_with_rejects", None, False)
    assert _curated(ward) == [1, 3]


def test_ingest_of_what_was_published_before_the_feed_had_a_lake(ward: Ward) -> None:
    """The same command given again would say that all is done while the lake lacks the file."""
    platform = ward.platform
    platform.feed_file(FEED, ORDERS)
    path = platform.drop("a.xlsx", ROWS)
    assert platform.ingest(path).state == "published_with_rejects"
    platform.feed_file(FEED, IN_LAKE)
    result = platform.ingest(path)
    assert (result.state, result.changed) == ("published_with_rejects", False)
    assert _curated(ward) == [1, 3]
    assert platform.sql("select count(*) from shp.publications where sink = 'warehouse'") == [(1,)]


def test_a_worker_that_is_killed_while_it_publishes_leaves_no_half_partition(ward: Ward) -> None:
    """Readers of the lake would find some rows of a file, or the file would wait for a hand."""
    platform = ward.platform
    path = platform.drop("a.xlsx", ROWS)
    environ = {**os.environ, "SHP_FEEDS": str(platform.settings.feeds), "SHP_FAULTS": "lake:crash:rate=0.1:seed=30"}
    # This seed kills at the ninth call of the lake: the mapper has written, and nothing is made current yet.
    command = [sys.executable, "-m", "shp_ops.cli.main", "ingest", FEED, str(path), "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=120, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["files"][0]["code"] == "worker_lost"
    assert (platform.loaded("a"), _curated(ward)) == ([1, 3], [])
    assert platform.state("a") == ("parked", None)
    assert [attempt.step for attempt in platform.attempts("a") if attempt.ended_at is None] == ["curated"]
    ward.until(lambda: platform.record("a").state.is_published)
    assert _curated(ward) == [1, 3]
    runs = [(run.way, run.code, run.step) for run in platform.attempts("a")]
    assert runs[:2] == [("etl", None, "warehouse"), ("elt", "worker_lost", "curated")]
    assert runs[-1] == ("elt", None, "sinks_agree")
    assert len(runs) <= 4, runs
