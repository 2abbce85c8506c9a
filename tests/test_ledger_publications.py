"""Publications: intended before, confirmed after, never overwritten by an older worker; marts miss none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shp_core.codes import Code
from shp_core.healing.faults import FaultKind
from shp_resources.ledger import Ledger, Publication, SinkRecord, Superseded
from tests.support.ledgers import FEED, OTHER_BYTES, PARTITION, PUBLICATION, blocked_by, opened
from tests.support.postgres import rows

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
NEWER = replace(PUBLICATION, delivery=OTHER_BYTES)


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


def _intend(ledger: Ledger, publication: Publication = PUBLICATION, fence: tuple[int, int] = (1, 1), sink: str = "warehouse") -> None:
    ledger.publications.intend(FEED, PARTITION, sink, publication, fence)


def _confirm(
    ledger: Ledger,
    publication: Publication = PUBLICATION,
    fence: tuple[int, int] = (1, 1),
    *,
    sink: str = "warehouse",
    rows: int = 3,
    hash: str = "0f",
    partition: str = PARTITION,
) -> int:
    return ledger.publications.confirm(FEED, partition, sink, publication, fence, rows=rows, hash=hash, at=AT)


def _sink(ledger: Ledger, sink: str = "warehouse") -> SinkRecord:
    return ledger.publications.sinks(FEED, PARTITION)[sink]


# intention and confirmation


def test_nothing_is_known_of_a_new_partition(ledger: Ledger) -> None:
    """`shp partitions` would fail before the first publication."""
    assert ledger.publications.sinks(FEED, PARTITION) == {}
    assert ledger.publications.all_sinks(FEED) == {}
    assert ledger.publications.newest() == 0


def test_an_intention_is_on_record_before_the_sink_holds_it(ledger: Ledger) -> None:
    """After a crash between the two nobody would know that the sink must be looked at."""
    _intend(ledger)
    assert _sink(ledger) == SinkRecord("warehouse", PUBLICATION, (1, 1), None, None, None, None, None)
    assert not _sink(ledger).agrees
    assert ledger.publications.newest() == 0


def test_what_the_sink_holds_is_on_record_afterwards(ledger: Ledger) -> None:
    """The proof of a publication, its rows and hash, would be lost."""
    _intend(ledger)
    number = _confirm(ledger, hash="f" * 32)
    assert _sink(ledger) == SinkRecord("warehouse", PUBLICATION, (1, 1), PUBLICATION, number, 3, "f" * 32, AT)
    assert _sink(ledger).agrees
    assert ledger.publications.newest() == number


def test_a_new_intention_leaves_what_is_held_on_record(ledger: Ledger) -> None:
    """While a correction is loaded nobody could tell what readers see."""
    _intend(ledger)
    _confirm(ledger)
    _intend(ledger, NEWER, (2, 2))
    sink = _sink(ledger)
    assert (sink.intended, sink.fence, sink.held, sink.rows, sink.agrees) == (NEWER, (2, 2), PUBLICATION, 3, False)


@pytest.mark.parametrize("change", [{"delivery": OTHER_BYTES}, {"contract_version": "contract-2"}, {"converter_version": 2}])
def test_bytes_contract_and_converter_all_count(ledger: Ledger, change: dict[str, str]) -> None:
    """A sink that holds rows of an old contract would seem to agree."""
    _confirm(ledger)
    _intend(ledger, replace(PUBLICATION, **change), (1, 2))
    assert not _sink(ledger).agrees


def test_sinks_are_apart(ledger: Ledger) -> None:
    """The lake's publication would pass for the warehouse's."""
    _intend(ledger)
    _intend(ledger, sink="lake")
    _confirm(ledger, sink="lake")
    found = ledger.publications.sinks(FEED, PARTITION)
    assert {name: record.agrees for name, record in found.items()} == {"warehouse": False, "lake": True}


def test_a_feeds_sinks_come_at_once(ledger: Ledger) -> None:
    """`shp partitions` would ask ten thousand times."""
    _confirm(ledger, partition="p1")
    _confirm(ledger, partition="p2", sink="lake")
    ledger.publications.intend("other", "p1", "warehouse", PUBLICATION, (1, 1))
    found = ledger.publications.all_sinks(FEED)
    assert {partition: set(sinks) for partition, sinks in found.items()} == {"p1": {"warehouse"}, "p2": {"lake"}}
    assert found["p1"] == ledger.publications.sinks(FEED, "p1")


def test_a_lost_ledger_can_be_filled_from_what_the_sinks_hold(ledger: Ledger) -> None:
    """After a restore of the ledger every partition would be loaded again."""
    number = _confirm(ledger, fence=(70, 2))
    assert _sink(ledger) == SinkRecord("warehouse", PUBLICATION, (70, 2), PUBLICATION, number, 3, "0f", AT)
    assert _sink(ledger).agrees


# fences


@pytest.mark.parametrize("fence", [(1, 9), (2, 2)])
def test_an_older_worker_cannot_change_the_intention(ledger: Ledger, fence: tuple[int, int]) -> None:
    """A worker that hung would bring back yesterday's file."""
    _intend(ledger, NEWER, (2, 3))
    with pytest.raises(Superseded) as raised:
        _intend(ledger, PUBLICATION, fence)
    assert (raised.value.code, raised.value.kind) == (Code.SUPERSEDED, FaultKind.INTERRUPTED)
    assert (_sink(ledger).intended, _sink(ledger).fence) == (NEWER, (2, 3))


@pytest.mark.parametrize("fence", [(2, 3), (2, 4), (3, 1)])
def test_the_same_and_a_newer_worker_can(ledger: Ledger, fence: tuple[int, int]) -> None:
    """A run that is taken up again, or the next one, would be refused."""
    _intend(ledger, PUBLICATION, (2, 3))
    _intend(ledger, NEWER, fence)
    assert (_sink(ledger).intended, _sink(ledger).fence) == (NEWER, fence)


def test_an_older_confirmation_does_not_cover_a_newer_one(ledger: Ledger) -> None:
    """A late word of a worker that was overtaken would make the ledger tell of rows that are gone."""
    newer = _confirm(ledger, NEWER, (2, 1), rows=5)
    assert _confirm(ledger, PUBLICATION, (1, 1), rows=3) == newer
    assert (_sink(ledger).held, _sink(ledger).rows) == (NEWER, 5)
    assert ledger.publications.newest() == newer


def test_a_confirmation_does_not_undo_a_newer_intention(ledger: Ledger) -> None:
    """A correction that is under way would be forgotten when its predecessor reports."""
    _intend(ledger, PUBLICATION, (1, 1))
    _intend(ledger, NEWER, (2, 1))
    _confirm(ledger, PUBLICATION, (1, 1))
    assert (_sink(ledger).intended, _sink(ledger).fence, _sink(ledger).held) == (NEWER, (2, 1), PUBLICATION)


def test_two_intentions_at_once_leave_the_newer(ledger: Ledger, prepared_dsn: str) -> None:
    """Which file a sink is to hold would depend on which worker's statement comes last."""

    def older(at: Ledger) -> None:
        _intend(at, PUBLICATION, (1, 1))

    with (
        opened(prepared_dsn) as other,
        blocked_by(prepared_dsn, ledger, lambda: _intend(ledger, NEWER, (2, 1)), lambda: older(other)) as outcome,
    ):
        pass
    with pytest.raises(Superseded):
        outcome.result()
    assert _sink(ledger).intended == NEWER


def test_two_confirmations_at_once_leave_the_newer(ledger: Ledger, prepared_dsn: str) -> None:
    """What the ledger tells of a sink would depend on which worker's statement comes last."""
    with (
        opened(prepared_dsn) as other,
        blocked_by(prepared_dsn, ledger, lambda: _confirm(ledger, NEWER, (2, 1)), lambda: _confirm(other, PUBLICATION, (1, 1))) as outcome,
    ):
        pass
    assert _sink(ledger).held == NEWER
    assert outcome.result() == _sink(ledger).number


# numbers for the marts


def test_each_change_of_a_sink_has_a_greater_number(ledger: Ledger) -> None:
    """A mart would not notice a publication."""
    numbers = [
        _confirm(ledger),
        _confirm(ledger, NEWER, (2, 1)),
        _confirm(ledger, PUBLICATION, (3, 1)),
        _confirm(ledger, PUBLICATION, (4, 1), rows=4),
        _confirm(ledger, PUBLICATION, (5, 1), rows=4, hash="aa"),
        _confirm(ledger, sink="lake"),
        _confirm(ledger, partition="p2"),
    ]
    assert numbers == sorted(set(numbers))
    assert ledger.publications.newest() == numbers[-1]


def test_the_same_again_has_the_same_number(ledger: Ledger, prepared_dsn: str) -> None:
    """Marts would be computed anew although nothing changed."""
    first = _confirm(ledger, fence=(1, 1))
    assert _confirm(ledger, fence=(1, 1)) == _confirm(ledger, fence=(2, 1)) == first
    assert rows(prepared_dsn, "select count(*) from shp.publications") == [(1,)]


def test_numbers_are_unique_whoever_confirms(ledger: Ledger) -> None:
    """Two publications at once would look like one to a mart."""
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda number: _confirm(ledger, partition=f"p{number}"), range(40)))
    assert len(set(numbers)) == 40
    assert ledger.publications.newest() == max(numbers)


def test_a_watermark_is_kept_per_mart_and_never_goes_back(ledger: Ledger) -> None:
    """A mart would be computed for ever, or a slow run of it would undo what a faster one has noted."""
    assert ledger.publications.mart_watermark("by_month") == 0
    ledger.publications.set_mart_watermark("by_month", 7)
    ledger.publications.set_mart_watermark("by_month", 5)
    assert ledger.publications.mart_watermark("by_month") == 7
    assert ledger.publications.mart_watermark("by_country") == 0
    ledger.publications.set_mart_watermark("by_month", 8)
    assert ledger.publications.mart_watermark("by_month") == 8


def test_a_publication_during_a_marts_run_is_not_lost(ledger: Ledger) -> None:
    """Rows that come while a mart reads would never show up in it."""
    _confirm(ledger)
    seen = ledger.publications.newest()
    _confirm(ledger, NEWER, (2, 1))
    ledger.publications.set_mart_watermark("by_month", seen)
    assert ledger.publications.newest() > ledger.publications.mart_watermark("by_month")
