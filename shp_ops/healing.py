"""What commands show of breakers and incidents; how a person lets a held partition run once more, or gives it up.

Must not live here: Dagster; the run is asked for by the sensor `redrives`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Unpack

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.expectations.expected import due_of, is_expected
from shp_core.healing.breaker import Breaker, asked_for
from shp_core.states import HELD_STATES, State
from shp_ops.advice import advice, remedy
from shp_ops.days import DayView, waive_day
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.ledger import Incident, Ledger, PartitionRecord
from shp_resources.ledger.partitions import Fields
from shp_resources.settings import Settings
from shp_resources.system_clock import SystemClock

_SHOWN = 100
_WAIVABLE = HELD_STATES | {State.EXPECTED, State.LATE}
_WITHOUT_A_PLACE = (Code.NO_PARTITION, Code.AMBIGUOUS_PARTITION)


def incident_view(settings: Settings, limit: int = _SHOWN) -> list[dict[str, Any]]:
    """Open incidents, then those that were closed last.

    Args:
        settings: the installation.
        limit: the most closed ones.

    Raises:
        UsageError: there is no installation.
    """
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        return [_incident(incident) for incident in ledger.incidents.newest(limit)]


def health_view(settings: Settings) -> dict[str, Any]:
    """Breakers that keep calls back, incidents that are open, how far history is caught up; none where the ledger cannot be asked."""
    ledger = Ledger(settings.ledger_dsn)
    try:
        breakers = [_breaker(breaker) for breaker in ledger.breakers.open()]
        progress = [{"feed": feed, **found.as_dict()} for feed, found in sorted(ledger.catch_up().items())]
        return {"breakers": breakers, "incidents": [_incident(incident) for incident in ledger.incidents.open()], "catch_up": progress}
    except Fault:  # the status of the database itself says so
        return {"breakers": [], "incidents": [], "catch_up": []}


def release(settings: Settings, feed: str, partition: str) -> PartitionRecord:
    """Let a held partition run once more, whatever holds it; what its re-drives have cost is forgiven.

    Args:
        settings: the installation.
        feed: feed.
        partition: partition key.

    Returns:
        The partition; the sensor `redrives` asks for its run at the next look.

    Raises:
        UsageError: there is no such feed or partition, it is not held, or its file has no place.
    """
    require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        with ledger.transaction():
            record = _held(ledger.partitions.get(feed, partition), feed, partition)
            now = SystemClock().now()
            _ask_breaker(ledger, record.cause, now)
            if record.behind is not None:
                ledger.lake.arm(feed, partition, now)
            return ledger.partitions.move(feed, partition, record.state, expect_version=record.version, next_attempt_at=now, armed_at=now)


def waive(settings: Settings, feed: str, partition: str, why: str) -> PartitionRecord | DayView:
    """Say that a partition will never come, or never be mended: it is not waited for, and no roll-up misses it.

    Of a feed that expects a number of files each day, a day may be named: the rest of its files is not waited for.

    Args:
        settings: the installation.
        feed: feed.
        partition: partition key.
        why: what people are told.

    Raises:
        UsageError: there is no such feed or partition, it is published, or a run works on it.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        with ledger.transaction():
            known = ledger.partitions.get(feed, partition)
            if known is None and (day := waive_day(ledger, model, partition, why)) is not None:
                return day
            if known is None and is_expected(model.partition, partition, SystemClock().now()):
                ledger.expectations.plan(feed, {partition: due_of(model.partition, partition)})
            record = _waivable(ledger.partitions.get(feed, partition), feed, partition)
            ledger.publications.note_placeholder(feed, partition, None, SystemClock().now())  # no roll-up misses it any more
            return _move(ledger, record, State.WAIVED, message=why, next_attempt_at=None)


def take_waiver_back(settings: Settings, feed: str, partition: str) -> PartitionRecord | DayView:
    """Wait for a waived partition again; what it had already runs once more.

    Args:
        settings: the installation.
        feed: feed.
        partition: partition key.

    Raises:
        UsageError: there is no such feed or partition, or it is not waived.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings):
        ledger = Ledger(settings.ledger_dsn)
        with ledger.transaction():
            record = ledger.partitions.get(feed, partition)
            if record is None and (day := waive_day(ledger, model, partition, None)) is not None:
                return day
            if record is None or record.state is not State.WAIVED:
                raise UsageError(f"{feed}/{partition} is not waived.", f"See where it stands: shp partitions {feed}")
            if _was_emptied(ledger, record):
                raise UsageError(f"{feed}/{partition} was emptied: {record.message}", f"shp rewind {feed} {partition} --to DELIVERY")
            return _move(ledger, record, State.EXPECTED if record.arrival is None else State.ARRIVED)


def _was_emptied(ledger: Ledger, record: PartitionRecord) -> bool:
    """Whether its newest arrival is a person's who brought nothing."""
    newest = ledger.arrivals.current(record.feed, record.partition)
    return newest is not None and newest.source is None and newest.delivery is None


def _waivable(record: PartitionRecord | None, feed: str, partition: str) -> PartitionRecord:
    if record is None:
        raise UsageError(f"Nothing is known of {feed}/{partition}, and nobody expects it.", f"See which there are: shp partitions {feed}")
    if record.state not in _WAIVABLE:
        raise UsageError(f"{feed}/{partition} is {record.state}: its rows are there, or on their way.", f"See it: shp partitions {feed}")
    return record


def _move(ledger: Ledger, record: PartitionRecord, to: State, **fields: Unpack[Fields]) -> PartitionRecord:
    return ledger.partitions.move(record.feed, record.partition, to, expect_version=record.version, **fields)


def _held(record: PartitionRecord | None, feed: str, partition: str) -> PartitionRecord:
    if record is None:
        raise UsageError(f"Nothing is known of {feed}/{partition}.", f"See which partitions there are: shp partitions {feed}")
    if record.state not in HELD_STATES:
        raise UsageError(f"{feed}/{partition} is {record.state}: nothing holds it.", f"See where it stands: shp partitions {feed}")
    if record.code in _WITHOUT_A_PLACE:
        raise UsageError(f"{feed}/{partition} cannot run: {record.message}", advice(record.code))
    return record


def _ask_breaker(ledger: Ledger, cause: str | None, now: datetime) -> None:
    """The person has probably mended what the breaker stands before: the next probe is due."""
    for breaker in ledger.breakers.open():
        if cause is not None and breaker.name in (cause, cause.partition("/")[0]):
            ledger.breakers.change(breaker.name, lambda found: asked_for(found, now))


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "cause": incident.cause,
        "severity": incident.severity,
        "code": incident.code,
        "message": incident.message,
        "members": [{"feed": member.feed, "partition": member.partition, "outcome": member.outcome} for member in incident.members],
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "proof": incident.proof,
        "next": None if incident.closed_at else remedy(Code(incident.code), incident.cause, _held_members(incident)),
    }


def _held_members(incident: Incident) -> list[tuple[str, str]]:
    return [(member.feed, member.partition) for member in incident.members if member.outcome is None]


def _breaker(breaker: Breaker) -> dict[str, Any]:
    return {
        "name": breaker.name,
        "phase": str(breaker.phase),
        "opened_at": breaker.opened_at,
        "probe_at": breaker.probe_at,
        "code": breaker.code,
        "message": breaker.message,
    }
