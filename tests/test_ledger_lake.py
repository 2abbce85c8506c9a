"""The lake's side of the ledger: what is due, what holds it back, partitions from before the feed declared the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shp_core.states import State
from shp_resources.ledger import ELT, LAKE, Holder, Ledger, SinkRecord
from tests.support.ledgers import FEED, OTHER_BYTES, PARTITION, PUBLICATION, arrive, begin, moved, opened, record_of

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
NEWER = replace(PUBLICATION, delivery=OTHER_BYTES)


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


def _lake(ledger: Ledger) -> SinkRecord:
    found = ledger.lake.get(FEED, PARTITION)
    assert found is not None
    return found


def _held(ledger: Ledger, sink: str = LAKE, fence: tuple[int, int] = (1, 2)) -> None:
    ledger.publications.confirm(FEED, PARTITION, sink, PUBLICATION, fence, rows=3, hash="0f", at=NOW)


def _due(ledger: Ledger, now: datetime = NOW, kept_back: tuple[str, ...] = ()) -> list[str]:
    return [found.partition for found in ledger.lake.due(FEED, now, kept_back, 10)]


def _published(ledger: Ledger, partition: str = PARTITION) -> None:
    """A partition of a feed that declares no lake."""
    arrival = arrive(ledger, partition)
    fence = (arrival.number, 1)
    ledger.publications.intend(FEED, partition, "warehouse", PUBLICATION, fence)
    ledger.publications.confirm(FEED, partition, "warehouse", PUBLICATION, fence, rows=3, hash="0f", at=NOW)
    moved(ledger, State.RUNNING, State.PUBLISHED, partition=partition)


def test_what_the_lake_is_to_hold_is_due_until_both_sinks_agreed(ledger: Ledger) -> None:
    """The lake would lack a partition for ever, or be filled with it again and again."""
    assert _due(ledger) == []
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (1, 1), NOW)
    assert _due(ledger) == [PARTITION]
    _held(ledger)
    assert _due(ledger) == [PARTITION]
    assert not _lake(ledger).complete
    ledger.lake.agreed(FEED, PARTITION, NOW)
    assert _lake(ledger).complete
    assert _due(ledger, LATER) == []


def test_wanting_the_same_again_changes_nothing_and_something_else_is_due(ledger: Ledger) -> None:
    """Each re-delivery of the same bytes would cost a run, or a corrected file would never reach the lake."""
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (1, 1), NOW)
    _held(ledger)
    ledger.lake.agreed(FEED, PARTITION, NOW)
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (3, 3), LATER)
    assert _lake(ledger).complete
    assert _lake(ledger).fence == (3, 3)
    ledger.lake.want(FEED, PARTITION, NEWER, (4, 4), LATER)
    assert not _lake(ledger).complete
    assert _due(ledger, LATER) == [PARTITION]


def test_an_older_fence_does_not_say_what_the_lake_is_to_hold(ledger: Ledger) -> None:
    """A worker that wakes up late would let the lake go back to an older delivery."""
    ledger.lake.want(FEED, PARTITION, NEWER, (4, 4), NOW)
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (3, 9), LATER)
    assert _lake(ledger).intended == NEWER


def test_a_pause_is_kept_and_an_open_breaker_keeps_it_back(ledger: Ledger) -> None:
    """A lake that fails would be asked every five seconds, also while its breaker is open."""
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (1, 1), NOW)
    ledger.lake.hold(FEED, PARTITION, "transient/hdfs", "transient", "a reset", LATER)
    assert _due(ledger) == []
    assert _due(ledger, LATER) == [PARTITION]
    assert _due(ledger, LATER, ("hdfs",)) == []
    ledger.lake.doubt(FEED, PARTITION, NOW)
    assert _due(ledger) == [], "what changed in the warehouse does not shorten the pause"


def test_what_waits_for_a_breaker_is_due_when_it_closes_and_known_to_its_probe(ledger: Ledger) -> None:
    """Partitions that were parked while the lake was away would stay parked."""
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (1, 1), NOW)
    ledger.lake.hold(FEED, PARTITION, "hdfs", "sink_unreachable", "it is away", None)
    assert _due(ledger, LATER, ("hdfs",)) == []
    assert _due(ledger, LATER) == [PARTITION]
    found = ledger.lake.parked_behind("hdfs", [FEED])
    assert found is not None
    assert (found.feed, found.partition) == (FEED, PARTITION)
    assert ledger.lake.parked_behind("hdfs", ["another"]) is None
    assert ledger.lake.parked_behind("yarn", [FEED]) is None


def test_what_no_time_heals_waits_until_it_is_armed(ledger: Ledger) -> None:
    """A bug would cost a run every five seconds."""
    ledger.lake.want(FEED, PARTITION, PUBLICATION, (1, 1), NOW)
    ledger.lake.hold(FEED, PARTITION, "code_bug/orders", "code_bug", "nobody named it", None)
    assert _due(ledger, LATER) == []
    ledger.lake.arm(FEED, PARTITION, NOW)
    assert _due(ledger) == [PARTITION]


def test_a_published_partition_waits_for_a_lake_that_the_feed_declares_since(ledger: Ledger) -> None:
    """What was loaded before the feed had a lake would be missing there, or be loaded into the warehouse again."""
    _published(ledger)
    assert ledger.lake.adopt(FEED, "another contract", 1, NOW, 10) == []
    assert ledger.lake.adopt(FEED, "contract-1", 1, NOW, 10) == [PARTITION]
    record = record_of(ledger)
    assert (record.state, record.behind) == (State.PARKED, LAKE)
    assert _lake(ledger).intended == PUBLICATION
    assert _due(ledger) == [PARTITION]
    assert ledger.waiting.due(FEED, LATER, [], 10) == [], "no run to the warehouse"
    assert ledger.lake.adopt(FEED, "contract-1", 1, NOW, 10) == []


def test_a_feed_without_its_lake_waits_for_none(ledger: Ledger) -> None:
    """Partitions would stay parked for ever when a lake is given up."""
    _published(ledger)
    ledger.lake.adopt(FEED, "contract-1", 1, NOW, 10)
    assert ledger.lake.disown(FEED) == [PARTITION]
    assert (record_of(ledger).state, record_of(ledger).behind) == (State.PUBLISHED, None)
    assert ledger.lake.disown(FEED) == []


def test_a_run_that_goes_both_ways_has_an_attempt_for_each(ledger: Ledger) -> None:
    """A failure of the lake would be the verdict about the warehouse, or the other way round."""
    arrival = arrive(ledger)
    first = begin(ledger, arrival)
    here = Holder.here("run-1")
    process = {"pid": here.pid, "pid_started": here.started, "via": "ui"}
    second = ledger.attempts.begin(FEED, PARTITION, arrival.number, "run-1", **process, way=ELT)
    assert (first.number, second.number) == (1, 2)
    assert ledger.attempts.end(FEED, PARTITION, "run-1", "parked", code="sink_unreachable", way=ELT)
    assert [attempt.way for attempt in ledger.attempts.under_way(FEED)] == ["etl"]
    assert ledger.attempts.newest(FEED, [PARTITION])[PARTITION].number == 1
    assert ledger.attempts.newest(FEED, [PARTITION], ELT)[PARTITION].code == "sink_unreachable"
