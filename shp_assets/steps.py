"""The three steps of a partition on its way into the warehouse: keep the bytes, validate, publish.

Each step starts from what the one before left in the store, and does nothing when its own result is there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.contract.summary import Summary, delivery_refusals
from shp_core.contract.validate import validate
from shp_core.errors import Fault, Refusal
from shp_core.healing.faults import Evidence
from shp_core.reading.textrow import SheetSpec
from shp_resources import ledger
from shp_resources.intake import private_copy
from shp_resources.landing import path_of
from shp_resources.store import Validated
from shp_resources.warehouse import Outcome, Publication

SINK = "warehouse"


@dataclass(frozen=True)
class Kept:
    """The bytes of a delivery in the store: SHA-256, size in bytes, name of the source."""

    delivery: str
    size: int
    source: str


@dataclass(frozen=True)
class Verdict:
    """A validated delivery and what the rules about whole deliveries say of it."""

    delivery: str
    artefacts: Validated
    refusals: list[Refusal]
    usual_rows: float | None

    @property
    def summary(self) -> Summary:
        """The delivery in numbers."""
        return self.artefacts.summary


def keep_bytes(work: Work) -> Kept:
    """Take a private copy of the arrival's source into the store, unless its bytes are kept already."""
    arrival, store = work.arrival, work.outside.store
    name = arrival.source.name if arrival.source else "(an earlier delivery)"
    if arrival.delivery is not None:
        kept = store.raw(arrival.delivery)
        if kept is not None:
            return Kept(arrival.delivery, kept.stat().st_size, name)
    if arrival.source is None:
        raise Fault(Code.ARTEFACT_DAMAGED, "The bytes of an earlier delivery are gone.", Evidence("store", text="no source"))
    with store.scratch() as folder:
        copied = private_copy(path_of(arrival.source.uri), folder, work.outside.limits)
        store.keep_raw(copied.path, copied.sha256)
    work.name_delivery(copied.sha256, copied.size)
    return Kept(copied.sha256, copied.size, name)


def validate_delivery(work: Work) -> Verdict:
    """Read the delivery, check every cell against the contract, keep text rows, clean rows and rejects.

    Raises:
        Refusal: the file cannot be read, or its header does not fit.
    """
    delivery, contract, outside = work.delivery(), work.kit.contract, work.outside
    artefacts = outside.store.validated(delivery, contract) or _make_artefacts(work, delivery)
    usual = outside.ledger.partitions.usual_reads(work.kit.name, but=work.partition)
    refusals = list(delivery_refusals(contract, artefacts.summary, usual))
    if refusals:
        outside.warehouse.publish_rejects(work.kit.target, work.partition, delivery, work.attempt.fence, artefacts.rejects())
    return Verdict(delivery, artefacts, refusals, usual)


def _make_artefacts(work: Work, delivery: str) -> Validated:
    contract, outside = work.kit.contract, work.outside
    path = outside.store.require_raw(delivery)
    spec = SheetSpec(contract.sheet, contract.header, contract.until)
    with outside.reader.open(path, spec) as batches, outside.store.bench(contract, batches.schema) as (bench, folder):
        summary = validate(contract, batches, bench, lambda rows: outside.progress(*work.key, "validated", rows))
        return outside.store.keep_validated(bench, folder, delivery, contract, summary)


def publish_delivery(work: Work) -> tuple[Publication, Outcome, Summary]:
    """Make the warehouse hold the delivery: intention to the ledger, rows to the sink, confirmation to the ledger.

    Raises:
        Fault: the artefacts are not there (the run left out a step), or a sink failed.
    """
    delivery, contract, outside = work.delivery(), work.kit.contract, work.outside
    artefacts = outside.store.validated(delivery, contract)
    if artefacts is None:
        text = f"the rows of {work.kit.name}/{work.partition} are not validated under the feed's present contract"
        raise Fault(Code.ARTEFACT_DAMAGED, f"{text}; materialize validated/{work.kit.name} first.", Evidence("store", text=text))
    summary = artefacts.summary
    refuse_unsound(work, artefacts)
    publication = Publication(
        work.partition, delivery, contract.version, CONVERTER_VERSION, work.attempt.fence, summary.clean, summary.hash
    )
    noted = ledger.Publication(delivery, contract.version, CONVERTER_VERSION)
    outside.ledger.publications.intend(*work.key, SINK, noted, work.attempt.fence)
    outcome = outside.warehouse.publish(work.kit.target, publication, artefacts.clean(), artefacts.rejects())
    outside.ledger.publications.confirm(
        *work.key, SINK, noted, work.attempt.fence, rows=summary.clean, hash=summary.hash, at=datetime.now(UTC)
    )
    work.published(delivery, summary, outcome)
    return publication, outcome, summary


def refuse_unsound(work: Work, artefacts: Validated) -> None:
    """A delivery that was refused is never published, whichever steps a run was asked for.

    Raises:
        Refusal: the first rule about whole deliveries that it breaks.
    """
    usual = work.outside.ledger.partitions.usual_reads(work.kit.name, but=work.partition)
    for refusal in delivery_refusals(work.kit.contract, artefacts.summary, usual):
        raise refusal
