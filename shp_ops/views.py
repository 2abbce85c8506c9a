"""What commands show of the ledger and the quarantine, as the documents that programs rely on.

Must not live here: Dagster; to look at something is to wait for nothing but the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shp_core.contract.compile import compile_contract
from shp_core.errors import Fault
from shp_core.feeds.model import Feed
from shp_core.states import State
from shp_ops.advice import advice
from shp_ops.installation import catalogue_of, looked_at, require_feed
from shp_resources.ledger import LAKE, Ledger, PartitionRecord, SinkRecord
from shp_resources.settings import Settings

if TYPE_CHECKING:
    from shp_resources.warehouse import Target


def partition_view(settings: Settings, feed: str) -> list[dict[str, Any]]:
    """Every partition of a feed: state, counts, attempts on the current delivery, what the sinks hold.

    Raises:
        UsageError: there is no such feed, or no installation.
    """
    model = require_feed(settings, catalogue_of(settings), feed)
    lake = lake_label(settings)
    with looked_at(settings), _ledger(settings) as ledger:
        displaced = displaced_rows(settings, model)
        sinks = ledger.publications.all_sinks(feed)
        attempts = ledger.attempts.counts(feed)
        return [
            _partition(record, attempts.get(record.partition, 0), sinks.get(record.partition, {}), displaced.get(record.partition, 0), lake)
            for record in ledger.partitions.list(feed)
        ]


def lake_label(settings: Settings) -> str:
    """What kind of place the lake is; a local folder that stands in for HDFS is called that."""
    from shp_resources.lake.settings import lake_of

    return lake_of(settings).label


def displaced_rows(settings: Settings, feed: Feed) -> dict[str, int]:
    """Rows of each partition that stand aside now; none when the warehouse cannot be asked."""
    from shp_resources.warehouse import Warehouse
    from shp_resources.warehouse.counts import displaced_now

    if not feed.key:
        return {}
    try:
        with Warehouse(settings.sink_dsn).transaction(readonly=True) as cur:
            return displaced_now(cur, _target(feed))
    except Fault:  # what the ledger remembers is better than no answer
        return {}


def history_view(settings: Settings, feed: str, partition: str) -> list[dict[str, Any]]:
    """Everything that happened to one partition, oldest first.

    Raises:
        UsageError: there is no such feed, or no installation.
    """
    require_feed(settings, catalogue_of(settings), feed)
    with looked_at(settings), _ledger(settings) as ledger:
        return ledger.history(feed, partition)


def is_known(settings: Settings, feed: str, partition: str) -> bool:
    """Whether anything ever came for a partition."""
    with looked_at(settings), _ledger(settings) as ledger:
        return ledger.partitions.get(feed, partition) is not None


def quarantine_view(
    settings: Settings, feed: str | None, limit: int, partition: str | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Quarantined partitions, and rejected rows with personal data masked.

    Args:
        settings: the installation.
        feed: only this one.
        limit: the most rows per feed.
        partition: only this one.

    Raises:
        UsageError: there is no such feed, or no installation.
    """
    catalogue = catalogue_of(settings)
    feeds = catalogue.feeds if feed is None else {feed: require_feed(settings, catalogue, feed)}
    with looked_at(settings):
        return _held_partitions(settings, feeds, partition), _rejected_rows(settings, feeds.values(), limit, partition)


@contextmanager
def _ledger(settings: Settings) -> Iterator[Ledger]:
    ledger = Ledger(settings.ledger_dsn, pooled=True)
    try:
        yield ledger
    finally:
        ledger.close()


def _held_partitions(settings: Settings, feeds: Iterable[str], partition: str | None) -> list[dict[str, Any]]:
    with _ledger(settings) as ledger:
        held = [record for feed in feeds for record in ledger.partitions.list(feed, {State.QUARANTINED})]
    return [_held(record) for record in held if partition in (None, record.partition)]


def _rejected_rows(settings: Settings, feeds: Iterable[Feed], limit: int, partition: str | None) -> list[dict[str, Any]]:
    from shp_resources.warehouse import Warehouse
    from shp_resources.warehouse.rejects import read_rejects

    targets = [_target(feed) for feed in feeds]
    with Warehouse(settings.sink_dsn).transaction(readonly=True) as cur:
        return [row for target in targets for row in read_rejects(cur, target, limit, partition)]


def _target(feed: Feed) -> Target:
    from shp_resources.warehouse import Target

    return Target(compile_contract(feed), feed.table, feed.preferred)


def _partition(record: PartitionRecord, attempts: int, sinks: dict[str, SinkRecord], displaced: int, lake: str) -> dict[str, Any]:
    from shp_resources.warehouse.counts import present

    return {
        "partition": record.partition,
        "state": str(record.state),
        "flags": record.flags,
        "delivery": record.delivery,
        "code": record.code,
        "message": record.message,
        "rows": present(record.rows, displaced),
        "attempts": attempts,
        "sinks": {name: _sink(sink, lake) for name, sink in sinks.items()},
        "next_attempt_at": record.next_attempt_at,
        "due_at": record.due_at,
        "updated_at": record.updated_at,
    }


def _sink(sink: SinkRecord, lake: str) -> dict[str, Any]:
    in_lake: dict[str, Any] = {"place": lake, "agreed_at": sink.agreed_at, "code": sink.code} if sink.sink == LAKE else {}
    return {
        "state": "held" if sink.agrees else "behind",
        **in_lake,
        "delivery": (sink.held.delivery or None) if sink.held else None,
        "rows": sink.rows,
        "hash": sink.hash,
        "at": sink.at,
    }


def _held(record: PartitionRecord) -> dict[str, Any]:
    return {
        "feed": record.feed,
        "partition": record.partition,
        "code": record.code,
        "message": record.message,
        "rows": record.rows,
        "since": record.updated_at,
        "next": advice(record.code),
    }
