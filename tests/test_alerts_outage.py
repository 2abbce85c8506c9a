"""When people are told that the platform itself is away: whatever it does, begin and end come in pairs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shp_core.alerts.outage import PATIENCE, Outage, step
from shp_core.alerts.plan import Kind

START = datetime(2026, 11, 21, tzinfo=UTC)
REMIND = timedelta(hours=4)


def told(looks: list[tuple[float, bool]]) -> list[tuple[datetime, Kind]]:
    """What is told when each look comes so many seconds after the one before and finds something away, or not."""
    outage, now, found = Outage(), START, list[tuple[datetime, Kind]]()
    for seconds, away in looks:
        now += timedelta(seconds=seconds)
        outage, kind = step(outage, away, now, REMIND)
        found += [(now, kind)] if kind else []
    return found


@given(st.lists(st.tuples(st.floats(1, 20_000), st.booleans()), max_size=60))
def test_a_begin_and_an_end_come_in_turn(looks: list[tuple[float, bool]]) -> None:
    """People would be told an end that had no beginning, or two beginnings of one outage."""
    found = told(looks)
    turns = [kind for _, kind in found if kind is not Kind.REMINDER]
    assert turns == [(Kind.OPENED, Kind.CLOSED)[place % 2] for place in range(len(turns))]
    assert not found or found[0][1] is Kind.OPENED
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(found) if later[1] is Kind.REMINDER]
    assert all(gap >= REMIND for gap in gaps)


@given(st.lists(st.floats(1, PATIENCE.total_seconds() / 3), min_size=1, max_size=2))
def test_what_is_back_within_a_minute_is_not_told(pauses: list[float]) -> None:
    """Every restart would call somebody."""
    assert told([*((pause, True) for pause in pauses), (1.0, False)]) == []
