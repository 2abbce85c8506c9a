"""The history of a partition: complete, in order of time, without what says nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shp_core.codes import Code
from shp_core.healing.faults import Evidence, FaultKind
from shp_core.states import State
from shp_resources.ledger import Ledger
from tests.support.ledgers import BYTES, FEED, OTHER_BYTES, PARTITION, PUBLICATION, arrive, begin, moved, opened


@pytest.fixture
def ledger(prepared_dsn: str) -> Iterator[Ledger]:
    """A ledger in a database of the test's own."""
    with opened(prepared_dsn, pooled=True) as ledger:
        yield ledger


def _told(ledger: Ledger) -> list[dict[str, object]]:
    """The history without its times."""
    return [{name: value for name, value in event.items() if name != "at"} for event in ledger.history(FEED, PARTITION)]


def _publish(ledger: Ledger, run_id: str = "run-1") -> int:
    """A run that publishes what came."""
    arrival = arrive(ledger)
    attempt = begin(ledger, arrival, run_id)
    moved(ledger, State.RUNNING)
    ledger.arrivals.name_delivery(arrival.number, BYTES, 100)
    ledger.attempts.note_step(FEED, PARTITION, run_id, "warehouse")
    ledger.publications.intend(FEED, PARTITION, "warehouse", PUBLICATION, attempt.fence)
    number = ledger.publications.confirm(FEED, PARTITION, "warehouse", PUBLICATION, attempt.fence, rows=3, hash="0f", at=datetime.now(UTC))
    moved(ledger, State.PUBLISHED, delivery=BYTES)
    ledger.attempts.end(FEED, PARTITION, run_id, "published")
    return number


def test_nothing_happened_to_what_nobody_knows(ledger: Ledger) -> None:
    """`shp history` would fail for a partition with a typing error in its name."""
    assert ledger.history(FEED, PARTITION) == []


def test_a_publication_is_told_from_arrival_to_verdict(ledger: Ledger) -> None:
    """A person could not follow what happened to a file."""
    number = _publish(ledger)
    arrival = ledger.arrivals.current(FEED, PARTITION)
    attempt = ledger.attempts.of_partition(FEED, PARTITION)[0]
    assert arrival is not None
    here = {"number": 1, "arrival": arrival.number, "run_id": "run-1", "way": "etl"}
    name, uri = f"{PARTITION}.xlsx", f"file:///drop/{PARTITION}.xlsx"
    assert _told(ledger) == [
        {"what": "arrival", "number": arrival.number, "uri": uri, "name": name, "size": 100, "via": "sensor", "delivery": BYTES},
        {"what": "transition", "new": "arrived", "arrival": arrival.number},
        {"what": "attempt", **here, "host": attempt.host, "pid": attempt.pid, "via": "sensor"},
        {"what": "transition", "old": "arrived", "new": "running", "arrival": arrival.number},
        {"what": "delivery", "delivery": BYTES, "size": 100, "arrival": arrival.number},
        {
            "what": "publication",
            "number": number,
            "sink": "warehouse",
            "delivery": BYTES,
            "contract_version": "contract-1",
            "converter_version": 1,
            "rows": 3,
            "hash": "0f",
        },
        {"what": "transition", "old": "running", "new": "published", "arrival": arrival.number, "delivery": BYTES},
        {"what": "attempt_end", **here, "step": "warehouse", "outcome": "published"},
    ]


def test_a_refusal_tells_why(ledger: Ledger) -> None:
    """A person would see that a file is held but not what to do."""
    begin(ledger, arrive(ledger))
    moved(ledger, State.QUARANTINED, code="sheet_missing", message="There is no sheet “Data”.")
    evidence = Evidence("reader", exit_code=-9, text="killed")
    ledger.attempts.end(
        FEED, PARTITION, "run-1", "quarantined", code=Code.SHEET_MISSING, kind=FaultKind.SCHEMA_DRIFT, evidence=evidence, message="no sheet"
    )
    *_, transition, end = _told(ledger)
    assert (transition["code"], transition["message"]) == ("sheet_missing", "There is no sheet “Data”.")
    assert (end["code"], end["kind"], end["message"]) == ("sheet_missing", "schema_drift", "no sheet")
    assert end["evidence"] == {"system": "reader", "exit_code": -9, "text": "killed"}


def test_it_is_in_order_of_time_whatever_the_table(ledger: Ledger) -> None:
    """A person would read effects before their causes."""
    _publish(ledger, "run-1")
    arrive(ledger, size=200)
    begin(ledger, arrive(ledger, size=300), "run-2")
    moved(ledger, State.RUNNING, State.WAITING, State.RUNNING)
    events = ledger.history(FEED, PARTITION)
    times = [event["at"] for event in events]
    assert times == sorted(times) and len(events) == 16
    assert all(at.utcoffset() == timedelta(0) for at in times)
    assert [event["new"] for event in events if event["what"] == "transition"] == [
        "arrived",
        "running",
        "published",
        "arrived",
        "arrived",
        "running",
        "waiting",
        "running",
    ]


def test_an_attempt_under_way_has_no_end(ledger: Ledger) -> None:
    """A run that is still at work would look finished."""
    begin(ledger, arrive(ledger))
    assert [event["what"] for event in _told(ledger)] == ["arrival", "transition", "attempt"]


def test_other_partitions_and_feeds_are_left_out(ledger: Ledger) -> None:
    """A person would be told of a file that has nothing to do with the question."""
    _publish(ledger)
    before = ledger.history(FEED, PARTITION)
    other = arrive(ledger, "p2")
    begin(ledger, other)
    ledger.arrivals.name_delivery(other.number, OTHER_BYTES, 1)
    ledger.publications.confirm("other", PARTITION, "warehouse", PUBLICATION, (1, 1), rows=1, hash="00", at=datetime.now(UTC))
    assert ledger.history(FEED, PARTITION) == before


def test_it_can_be_printed_as_json(ledger: Ledger) -> None:
    """`shp history --json` would fail on a value of the database's own types."""
    ledger.arrivals.record(FEED, PARTITION, None, "rewind")
    _publish(ledger)
    printed = json.dumps([{**event, "at": event["at"].isoformat()} for event in ledger.history(FEED, PARTITION)])
    assert [event["what"] for event in json.loads(printed)][:2] == ["arrival", "transition"]
