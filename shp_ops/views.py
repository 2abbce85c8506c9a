"""What commands show of the ledger and the quarantine, as the documents that programs rely on."""

from __future__ import annotations

from typing import Any

from shp_assets.build import build_kits
from shp_core.codes import Code
from shp_core.states import State
from shp_ops.installation import catalogue_of, opened, require_feed
from shp_resources.ledger import PartitionRecord, SinkRecord
from shp_resources.settings import Settings
from shp_resources.warehouse.rejects import read_rejects


def partition_view(settings: Settings, feed: str) -> list[dict[str, Any]]:
    """Every partition of a feed: state, counts, attempts on the current delivery, what the sinks hold."""
    require_feed(catalogue_of(settings), feed)
    with opened(settings) as outside:
        sinks = outside.ledger.publications.all_sinks(feed)
        attempts = outside.ledger.attempts.counts(feed)
        return [
            _partition(record, attempts.get(record.partition, 0), sinks.get(record.partition, {}))
            for record in outside.ledger.partitions.list(feed)
        ]


def history_view(settings: Settings, feed: str, partition: str) -> list[dict[str, Any]]:
    """Everything that happened to one partition, oldest first."""
    require_feed(catalogue_of(settings), feed)
    with opened(settings) as outside:
        return outside.ledger.history(feed, partition)


def quarantine_view(
    settings: Settings, feed: str | None, limit: int, partition: str | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Quarantined partitions, and rejected rows with personal data masked."""
    catalogue = catalogue_of(settings)
    if feed is not None:
        require_feed(catalogue, feed)
    kits = {name: kit for name, kit in build_kits(catalogue).items() if feed in (None, name)}
    with opened(settings) as outside:
        held = [
            _held(record)
            for name in kits
            for record in outside.ledger.partitions.list(name, {State.QUARANTINED})
            if partition in (None, record.partition)
        ]
        with outside.warehouse.transaction() as cur:
            rows = [row for kit in kits.values() for row in read_rejects(cur, kit.target, limit, partition)]
    return held, rows


def _partition(record: PartitionRecord, attempts: int, sinks: dict[str, SinkRecord]) -> dict[str, Any]:
    return {
        "partition": record.partition,
        "state": str(record.state),
        "flags": record.flags,
        "delivery": record.delivery,
        "code": record.code,
        "message": record.message,
        "rows": record.rows,
        "attempts": attempts,
        "sinks": {name: _sink(sink) for name, sink in sinks.items()},
        "next_attempt_at": record.next_attempt_at,
        "due_at": record.due_at,
        "updated_at": record.updated_at,
    }


def _sink(sink: SinkRecord) -> dict[str, Any]:
    return {
        "state": "held" if sink.agrees else "behind",
        "delivery": sink.held.delivery if sink.held else None,
        "rows": sink.rows,
        "hash": sink.hash,
        "at": sink.at,
    }


def _held(record: PartitionRecord) -> dict[str, Any]:
    code = Code(record.code) if record.code else Code.CODE_BUG
    return {
        "feed": record.feed,
        "partition": record.partition,
        "code": record.code,
        "message": record.message,
        "rows": record.rows,
        "since": record.updated_at,
        "next": code.info.sender if code.info.sender != "-" else code.info.operator,
    }
