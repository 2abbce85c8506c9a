"""Service levels: what counts, what is left of the budget, and what `shp slo` says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.service_levels import Level
from tests.support.commands import COUNTS, Place, counts
from tests.support.postgres import fresh_database, rows

TODAY = datetime.now(UTC).date()
FEED = COUNTS.replace("start: 2026-11-01", f"start: {TODAY - timedelta(days=200)}, due: '00:00'") + "targets: {on_time: 0.5}\n"


@pytest.mark.parametrize(
    ("good", "total", "share", "left", "met"),
    [
        (0, 0, None, 1.0, True),
        (100, 100, 1.0, 1.0, True),
        (95, 100, 0.95, 0.5, True),
        (90, 100, 0.9, 0.0, True),
        (80, 100, 0.8, -1.0, False),
    ],
)
def test_what_is_left_of_the_budget(good: int, total: int, share: float | None, left: float, met: bool) -> None:
    """Nobody could say whether one more late file matters."""
    level = Level(0.9, good, total)
    assert (level.share, level.met) == (share, met)
    assert level.budget_left == pytest.approx(left)


@given(target=st.floats(0.01, 0.99), total=st.integers(1, 1_000), data=st.data())
def test_a_target_is_missed_when_the_budget_is_overdrawn(target: float, total: int, data: st.DataObject) -> None:
    """The two figures would contradict each other."""
    level = Level(target, data.draw(st.integers(0, total)), total)
    assert level.budget_left <= 1.0
    if abs(level.budget_left) > 1e-9:
        assert level.met == (level.budget_left > 0)


@pytest.fixture
def place(postgres_server: str, platform_template: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on which nothing runs, with a feed that is due each midnight."""
    with fresh_database(postgres_server, platform_template) as dsn:
        yield Place.make(tmp_path, dsn, {"counts": FEED})


def day(ago: int) -> str:
    """A partition so many days ago."""
    return (TODAY - timedelta(days=ago)).isoformat()


def note(place: Place, ago: int, state: str, late_by: int | None) -> None:
    """What became of a day: its state, and how many minutes after its due time its file came (None: never)."""
    due = datetime.combine(TODAY - timedelta(days=ago), datetime.min.time(), UTC)
    dsn = place.environ["SHP_PG_DSN"]
    came = due + timedelta(minutes=late_by) if late_by is not None else None
    number = rows(dsn, "select coalesce(max(number), 0) + 1 from shp.arrivals")[0][0] if came else None
    if came:
        rows(
            dsn,
            "insert into shp.arrivals (number, feed, partition, via, at) values (%s, 'counts', %s, 'sensor', %s)",
            number,
            day(ago),
            came,
        )
    insert = "insert into shp.partitions (feed, partition, state, version, arrival, due_at) values ('counts', %s, %s, 1, %s, %s)"
    rows(dsn, insert, day(ago), state, number, due)


def test_each_feed_is_told_with_what_counts(place: Place) -> None:
    """An owner would promise what the feed never kept."""
    assert place.shp("ingest", "counts", counts(place.base / f"counts_{day(100)}.xlsx", ("nut", 1))).code == 0
    rows(place.environ["SHP_PG_DSN"], "delete from shp.partitions")
    note(place, 2, "published", -5)
    note(place, 3, "published", 0)
    note(place, 4, "published", 1)
    note(place, 5, "quarantined", -5)
    note(place, 6, "late", None)
    note(place, 7, "waived", None)
    note(place, 40, "late", None)
    answer = place.shp("slo", "--json")
    (found,) = answer.json["feeds"]
    assert answer.code == 1, "a target is missed"
    assert (found["feed"], found["days"]) == ("counts", 30)
    assert found["on_time"] == {"target": 0.5, "good": 3, "total": 5, "share": 0.6, "budget_left": 0.2, "met": True}
    assert found["success"] == {"target": 0.995, "good": 3, "total": 4, "share": 0.75, "budget_left": -49.0, "met": False}
    said = place.shp("slo", "counts").err
    assert "on time  60.0% of 5 (target 50.0%), 20% of the budget left" in said and "missed" in said


def test_a_feed_without_history_has_missed_nothing(place: Place) -> None:
    """A new feed would be red before its first file."""
    assert place.shp("ingest", "counts", counts(place.base / f"counts_{day(100)}.xlsx", ("nut", 1))).code == 0
    rows(place.environ["SHP_PG_DSN"], "delete from shp.partitions")
    answer = place.shp("slo")
    assert answer.code == 0
    assert "nothing counts yet (target 50.0%)" in answer.err
    assert place.shp("slo", "nothing").code == 2
