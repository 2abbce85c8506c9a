"""A ledger that is older than the tables learns from them what it missed.

The newest arrival decides what a partition shows, and the warehouse's fence tells which arrival that was: a fence above
what the ledger knows is an arrival after the moment that the ledger was restored to. What such a fence published is
taken into the record; nothing is loaded, and the next look for gaps proves it on the rows.
Must not live here: what the ledger knows and the sinks lack; that is a gap, and the platform fills it by itself.
"""

from __future__ import annotations

from shp_core.states import State
from shp_resources.ledger import Ledger, PartitionRecord, Publication
from shp_resources.ledger.partitions import Fields
from shp_resources.store import Store
from shp_resources.warehouse.records import Record

VIA = "restore"


def adopt(ledger: Ledger, records: list[Record], store: Store) -> list[Record]:
    """Let arrival numbers go on above every fence, and take up what the ledger does not know.

    Args:
        ledger: the ledger, which nobody else works with now.
        records: what the warehouse holds, oldest fence first.
        store: where bytes may lie that a restored ledger has not heard of.

    Returns:
        What was taken up.
    """
    if records:
        ledger.arrivals.continue_above(max(record.arrival for record in records))
    known = {feed: {found.partition: found for found in ledger.partitions.list(feed)} for feed in {record.feed for record in records}}
    missed = [record for record in records if _is_missed(record, known[record.feed].get(record.partition))]
    for record in missed:
        _take_up(ledger, record, store)
    return missed


def _is_missed(record: Record, known: PartitionRecord | None) -> bool:
    return known is None or record.arrival > (known.arrival or 0)


def _take_up(ledger: Ledger, record: Record, store: Store) -> None:
    raw = store.raw(record.delivery)
    publication = Publication(record.delivery, record.contract_version, record.converter_version)
    with ledger.transaction():
        number = ledger.arrivals.adopt(record.arrival, record.feed, record.partition, VIA)
        ledger.arrivals.name_delivery(number, record.delivery, raw.stat().st_size if raw is not None else 0)
        fence = (number, record.attempt)
        held = {"rows": record.loaded + record.displaced, "hash": record.hash, "at": record.at}
        ledger.publications.intend(record.feed, record.partition, "warehouse", publication, fence)
        ledger.publications.confirm(record.feed, record.partition, "warehouse", publication, fence, **held)  # type: ignore[arg-type]
        _move(ledger, record)


def _move(ledger: Ledger, record: Record) -> None:
    now = ledger.partitions.get(record.feed, record.partition)
    assert now is not None  # the arrival made it
    published = State.PUBLISHED_WITH_REJECTS if record.rejected else State.PUBLISHED
    ledger.partitions.move(record.feed, record.partition, published, expect_version=now.version, **_fields(record))


def _fields(record: Record) -> Fields:
    rows = {"clean": record.loaded + record.displaced, "rejected": record.rejected}
    return {
        "delivery": record.delivery,
        "contract_version": record.contract_version,
        "converter_version": record.converter_version,
        "rows": {**rows, "loaded": record.loaded, "displaced": record.displaced},
        "cause": None,
    }
