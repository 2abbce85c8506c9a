"""Whether a file needs a run at all: what the sinks hold already, what was refused before, what another worker is doing.

Must not live here: runs.
"""

from __future__ import annotations

from contextlib import suppress

from shp_assets.steps import SINK, keep_bytes
from shp_assets.work import Work
from shp_core.codes import Code, Scope
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.errors import ShpError
from shp_core.healing.faults import FaultKind
from shp_core.states import State
from shp_resources.ledger import Holder, Ledger, Publication, StaleState, process_alive
from shp_resources.ledger.lake import published_state

_ABOUT_BYTES = (FaultKind.DATA_BREACH, FaultKind.SCHEMA_DRIFT, FaultKind.CORRUPT_INPUT)
_FOR_GOOD = frozenset(code for code in Code if code.info.scope is Scope.FILE and code.info.kind in _ABOUT_BYTES) - {
    Code.DUPLICATE_DELIVERY,
    Code.AMBIGUOUS_PARTITION,
    Code.VOLUME_OUT_OF_RANGE,
    Code.READER_CRASHED,
    Code.READER_TIMEOUT,
    Code.READER_OUT_OF_MEMORY,
    Code.READER_DISAGREES,
}
"""Refusals that depend on nothing but bytes and contract: not on other partitions, not on how busy this machine is."""


def has_worker(work: Work) -> bool:
    """Whether a living worker has the partition."""
    text = work.outside.ledger.leases.holder(*work.lease)
    holder = Holder.parse(text) if text else None
    if holder is None or holder.host != work.holder.host:
        return text is not None
    return process_alive(holder.pid, holder.started)


def is_worked_at(ledger: Ledger, feed: str, partition: str) -> bool:
    """Whether an attempt on a partition is under way whose worker lives, as far as this machine can tell."""
    return any(attempt.partition == partition and attempt.may_live for attempt in ledger.attempts.under_way(feed))


def is_done(work: Work) -> bool:
    """Whether nothing is left to do; the caller holds the partition's lease.

    A new arrival of bytes that the sinks hold changes the partition's state here, and nothing else.
    """
    if _was_refused(work):
        return True
    if not _is_held(work):
        return False
    _settle(work)
    return True


def _was_refused(work: Work) -> bool:
    """Whether these very bytes were refused by this very contract: asking again every hour must not cost runs."""
    record = work.outside.ledger.partitions.get(*work.key)
    if record is None or record.state is not State.QUARANTINED or record.code is None or record.delivery is None:
        return False
    judged = (record.delivery, record.contract_version, record.converter_version)
    return judged == (work.arrival.delivery, work.kit.contract.version, CONVERTER_VERSION) and Code(record.code) in _FOR_GOOD


def _is_held(work: Work) -> bool:
    """Whether the warehouse holds this delivery, by its own rows and not by what is remembered of them."""
    try:
        kept = keep_bytes(work)
        if not _was_published(work, kept.delivery):
            return False
        record = work.outside.ledger.publications.sinks(*work.key).get(SINK)
        wanted = Publication(kept.delivery, work.kit.contract.version, CONVERTER_VERSION)
        if record is None or not record.held == wanted == record.intended:
            return False
        held = work.outside.warehouse.read_back(work.kit.target, work.partition)
    except ShpError:
        return False  # the run will say so, in its own words
    return (held.loaded + held.displaced, held.hash) == (record.rows, record.hash)


def _was_published(work: Work, delivery: str) -> bool:
    """Whether the ledger followed to the end; a worker may have died between the sink's word and the ledger's."""
    known = work.outside.ledger.partitions.get(*work.key)
    return known is not None and known.delivery == delivery and "loaded" in known.rows


def _settle(work: Work) -> None:
    ledger = work.outside.ledger
    if work.kit.lake is not None and ledger.lake.get(*work.key) is None:  # it was published before the feed declared the lake
        ledger.lake.follow(*work.key, work.outside.clock.now())
    record = ledger.partitions.get(*work.key)
    if record is not None and record.state is State.ARRIVED:
        held = work.until_the_lake_follows(changed=False)
        state = State.PARKED if held else published_state(record)
        with suppress(StaleState):  # a newer arrival, or a run of the platform: theirs is the word
            ledger.partitions.move(*work.key, state, expect_version=record.version, **held)
