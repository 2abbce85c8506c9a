"""Whose turn it is, and when a run that ended without doing its work is asked for again."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_sensors import requests
from shp_sensors.requests import Ended, in_turn

SUCCESS, FAILURE, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


def record(at: float, status: dg.DagsterRunStatus = FAILURE, *, ended: bool = True) -> dg.RunRecord:
    """A run that ended then; one that never began has no end, only a last change."""
    run = dg.DagsterRun(job_name="j", status=status)
    changed = datetime.fromtimestamp(at, UTC)
    return cast(dg.RunRecord, SimpleNamespace(end_time=at if ended else None, update_timestamp=changed, dagster_run=run))


def asked(feed: str, count: int) -> list[dg.RunRequest]:
    """Requests of a feed, in its order."""
    return [dg.RunRequest(run_key=f"{feed}:{number}") for number in range(count)]


def keys(feeds: list[list[dg.RunRequest]], limit: int) -> list[str]:
    """The run keys of a turn."""
    return [str(request.run_key) for request in in_turn([iter(requests) for requests in feeds], limit)]


def test_feeds_take_turns() -> None:
    """A feed with a thousand files would keep all others waiting."""
    assert keys([asked("a", 5), asked("b", 1), asked("c", 2)], 6) == ["a:0", "b:0", "c:0", "a:1", "c:1", "a:2"]


@given(st.lists(st.integers(0, 6), max_size=5), st.integers(0, 12))
def test_nobody_is_left_out_and_nobody_comes_twice(counts: list[int], limit: int) -> None:
    """A file would never be asked for, or its run be asked for twice in one tick."""
    feeds = [asked(str(place), count) for place, count in enumerate(counts)]
    found = keys(feeds, limit)
    everything = [str(request.run_key) for feed in feeds for request in feed]
    assert len(found) == len(set(found)) == min(limit, len(everything))
    assert set(found) <= set(everything)
    for place in range(len(counts)):
        own = [key for key in found if key.startswith(f"{place}:")]
        assert own == [f"{place}:{number}" for number in range(len(own))]
        assert len(own) >= min(counts[place], len(found) // max(1, len(counts)))


@given(st.permutations([1.0, 2.0, 3.0, 4.0]))
def test_the_last_run_decides_whatever_order_they_are_told_in(order: list[float]) -> None:
    """A run that a person cancelled would be started again because an older one failed."""
    seen = Ended()
    for at in order:
        seen.note(record(at, CANCELED if at == 4.0 else FAILURE))
    assert (seen.count, seen.last_at, seen.cancelled) == (4, 4.0, True)


def test_a_run_that_never_began_counts_by_its_last_change() -> None:
    """Without an end it would count as one of 1970, and be asked for again at every tick."""
    seen = Ended()
    seen.note(record(1_700_000_000.0, ended=False))
    assert (seen.count, seen.last_at, seen.cancelled) == (1, 1_700_000_000.0, False)


@pytest.mark.parametrize(("count", "pause"), [(0, 0.0), (1, 0.0), (2, 20.0), (3, 40.0), (4, 80.0), (9, 2560.0), (10, 3600.0), (60, 3600.0)])
def test_pauses_grow_up_to_an_hour(monkeypatch: pytest.MonkeyPatch, count: int, pause: float) -> None:
    """A public platform burned 368,000 runs on one missing object."""
    now = time.time()
    clock: dict[str, Any] = {"now": now}
    monkeypatch.setattr(requests, "time", SimpleNamespace(time=lambda: clock["now"]))
    seen = Ended(count=count, last_at=now)
    assert seen.may_ask_again == (pause == 0)
    clock["now"] = now + pause - 0.5
    assert seen.may_ask_again == (pause == 0)
    clock["now"] = now + pause + 0.5
    assert seen.may_ask_again
