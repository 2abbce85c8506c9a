"""Schedules of trouble under a clock that jumps: whatever goes wrong in whatever order, everything heals.

`SHP_SIMULATIONS=10000 python -m pytest tests/test_simulation.py` plays more; a failure names its seed.
"""

from __future__ import annotations

import os

import pytest

from shp_resources.ledger import ELT
from tests.support.simulation import Simulation

SCHEDULES = int(os.environ.get("SHP_SIMULATIONS", "1000"))
CHUNKS = 10


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_goes_wrong_everything_heals(chunk: int) -> None:
    """Some order of outages, mended files and deaths would lose a file, load it twice, or leave it waiting for ever."""
    for seed in range(chunk * SCHEDULES // CHUNKS, (chunk + 1) * SCHEDULES // CHUNKS):
        Simulation(seed).play().check()


def test_schedules_are_rough_enough() -> None:
    """A thousand schedules in which nothing goes wrong would prove nothing."""
    played = [Simulation(seed).play() for seed in range(60)]
    codes = {attempt.code for one in played for attempt in one.ledger.runs.values()}
    assert {"transient", "sink_unreachable", "sink_refused", "store_refused", "breaker_open", "worker_lost", "code_bug"} <= codes
    assert {"source_missing", "reader_crashed", "reader_timeout", "too_many_rejects"} <= codes
    assert ("exhausted", "artefact_damaged") in {(attempt.verdict, attempt.code) for one in played for attempt in one.ledger.runs.values()}
    in_lake = {attempt.code for one in played for attempt in one.ledger.runs.values() if attempt.way == ELT}
    assert {None, "transient", "sink_unreachable", "sink_refused", "worker_lost", "artefact_damaged"} <= in_lake
    assert max(len(one.ledger.attempts.of_partition("orders", "p1")) for one in played) > 4
    assert any(attempt.evidence.get("system") == "ledger" for one in played for attempt in one.ledger.runs.values())
    assert sum(len(one.ledger.told) for one in played) > 60


def test_a_seed_is_a_schedule() -> None:
    """A failure that was found could not be found again."""
    first, again = Simulation(11).play(), Simulation(11).play()
    assert first.calls == again.calls != Simulation(12).play().calls
