"""The three steps of a partition on its way into the warehouse: keep the bytes, validate, publish.

Each step starts from what the one before left in the store, and does nothing when its own result is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from shp_assets.alone import reads_alone
from shp_assets.artefacts import make_artefacts
from shp_assets.calls import Asked, call, watched
from shp_assets.drifted import explained
from shp_assets.work import BY_HAND, INGEST, NotMadeYet, Work
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.contract.summary import Summary, delivery_refusals
from shp_core.errors import Fault, Refusal
from shp_core.feeds.origin import Origin
from shp_core.healing.backoff import POLICIES
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources import ledger
from shp_resources.intake import Copied, private_copy
from shp_resources.landing import is_local, path_of
from shp_resources.outside import Outside
from shp_resources.sources.download import Download, download
from shp_resources.store import Validated
from shp_resources.warehouse import Outcome, Publication

SINK = "warehouse"
_ASKED = {BY_HAND: Asked.PERSON, INGEST: Asked.COMMAND}
T = TypeVar("T")


@dataclass(frozen=True)
class Kept:
    """The bytes of a delivery in the store: SHA-256, size in bytes, name of the source."""

    delivery: str
    size: int
    source: str


class RefusedWhole(Refusal):
    """A delivery that was read and breaks a rule about whole deliveries.

    Args:
        refusal: the rule.
        summary: the delivery in numbers.
    """

    def __init__(self, refusal: Refusal, summary: Summary) -> None:
        super().__init__(refusal.code, refusal.message, refusal.details)
        self.summary = summary


@dataclass(frozen=True)
class Verdict:
    """A validated delivery and what the rules about whole deliveries say of it."""

    delivery: str
    artefacts: Validated
    refusals: list[RefusedWhole]
    usual_rows: float | None

    @property
    def summary(self) -> Summary:
        """The delivery in numbers."""
        return self.artefacts.summary

    @property
    def sound(self) -> bool:
        """Whether it may be published."""
        return self.summary.conserved and not self.refusals


def keep_bytes(work: Work) -> Kept:
    """Take a private copy of the arrival's source into the store, unless its bytes are kept already, and whole."""
    arrival, store = work.arrival, work.outside.store
    name = arrival.source.name if arrival.source else "(an earlier delivery)"
    kept = store.whole_raw(arrival.delivery) if arrival.delivery else None
    if arrival.delivery and kept is not None:
        return Kept(arrival.delivery, kept.stat().st_size, name)
    if arrival.source is None:
        raise Fault(Code.ARTEFACT_DAMAGED, "The bytes of an earlier delivery are gone.", Evidence("store", text="no source"))
    uri = arrival.source.uri
    copied = called(work, "store", lambda: _copy(work.outside, path_of(uri))) if is_local(uri) else _fetch(work, Origin(uri))
    work.name_delivery(copied.sha256, copied.size)
    return Kept(copied.sha256, copied.size, name)


def _fetch(work: Work, origin: Origin) -> Copied:
    """Take a private copy of what lies elsewhere; a download that breaks off is gone on with by the next try, or the next run."""
    outside, source = work.outside, work.outside.source(origin)
    into = Download.of(outside.settings.home / "downloads", f"{work.kit.name}/{work.partition}/{origin.uri}")
    seconds = outside.settings.sources.fetch_seconds
    path = called(work, source.system, lambda: download(source, origin.uri, into, outside.limits, seconds))
    copied = called(work, "store", lambda: _copy(outside, path))
    into.drop()
    return copied


def called(work: Work, system: str, do: Callable[[], T]) -> T:
    """Call an outside system on behalf of a run; see `call`."""
    policy = work.kit.feed.calls
    patience = POLICIES[policy] if policy else None
    return call(work.outside, system, work.kit.name, do, work.place, _ASKED.get(work.via, Asked.NOBODY), patience)


def _copy(outside: Outside, path: Path) -> Copied:
    with outside.store.scratch() as folder:
        copied = private_copy(path, folder, outside.limits)
        outside.store.keep_raw(copied.path, copied.sha256)
        return copied


def validate_delivery(work: Work) -> Verdict:
    """Read the delivery, check every cell against the contract, keep text rows, clean rows and rejects.

    Raises:
        Refusal: the file cannot be read, or its header does not fit.
    """
    delivery = work.delivery()
    with explained(work, delivery):
        artefacts = work.outside.store.validated(delivery, work.kit.contract) or _make_artefacts(work, delivery)
    return _judge(work, delivery, artefacts)


def refuse_unsound(work: Work, verdict: Verdict) -> None:
    """A delivery that is refused, or whose rows do not add up, is never published, whichever steps a run was asked for.

    Raises:
        RefusedWhole: the first rule about whole deliveries that it breaks; its rejects are shown in the warehouse.
        Fault: `code_bug`, rows were lost or invented.
    """
    if not verdict.summary.conserved:
        text = "rows read are not clean + rejected + duplicate"
        raise Fault(Code.CODE_BUG, f"In delivery {verdict.delivery[:12]} {text}.", Evidence("worker", text=text))
    for refusal in verdict.refusals:
        called(work, SINK, lambda: _show_rejects(work, verdict))
        raise refusal


def _show_rejects(work: Work, verdict: Verdict) -> None:
    rejects = verdict.artefacts.rejects()
    work.outside.warehouse.publish_rejects(work.kit.target, work.partition, verdict.delivery, work.attempt.fence, rejects)


def publish_delivery(work: Work) -> tuple[Publication, Outcome, Summary]:
    """Make the warehouse hold the delivery: intention to the ledger, rows to the sink, confirmation to the ledger.

    Raises:
        NotMadeYet: the artefacts are not there (the run left out a step).
        Fault: a sink failed.
    """
    delivery, contract, outside = work.delivery(), work.kit.contract, work.outside
    artefacts = sound_artefacts(work)
    summary = artefacts.summary
    publication = Publication(
        work.partition, delivery, contract.version, CONVERTER_VERSION, work.attempt.fence, summary.clean, summary.hash
    )
    noted = ledger.Publication(delivery, contract.version, CONVERTER_VERSION)
    outside.ledger.publications.intend(*work.key, SINK, noted, work.attempt.fence)
    if work.kit.lake is not None:  # it may follow at once, whatever becomes of the warehouse
        outside.ledger.lake.want(*work.key, noted, work.attempt.fence, outside.clock.now())
    afresh = work.fills_a_gap

    def publish() -> Outcome:
        rows, rejects = artefacts.clean(), artefacts.rejects()
        return outside.warehouse.publish(work.kit.target, publication, rows, rejects, afresh=afresh, instead_of=work.stands_for)

    outcome = called(work, SINK, publish)
    outside.ledger.publications.confirm(
        *work.key, SINK, noted, work.attempt.fence, rows=summary.clean, hash=summary.hash, at=datetime.now(UTC), again=afresh
    )
    work.published(delivery, summary, outcome)
    return publication, outcome, summary


def artefacts_of(work: Work) -> Validated:
    """The delivery's artefacts under the feed's contract.

    Raises:
        NotMadeYet: they are not there (the run left out a step).
    """
    artefacts = work.outside.store.validated(work.delivery(), work.kit.contract)
    if artefacts is None:
        text = f"The rows of {work.kit.name}/{work.partition} are not validated under the feed's present contract."
        raise NotMadeYet(text, f"Materialize validated/{work.kit.name} first.")
    return artefacts


def sound_artefacts(work: Work) -> Validated:
    """The artefacts of a delivery that may be published.

    Raises:
        NotMadeYet: they are not there.
        Refusal: the delivery is refused.
        Fault: `code_bug`, rows were lost or invented.
    """
    artefacts, delivery = artefacts_of(work), work.delivery()
    refuse_unsound(work, _judge(work, delivery, artefacts))
    _refuse_twin(work, delivery)
    return artefacts


def _judge(work: Work, delivery: str, artefacts: Validated) -> Verdict:
    usual = work.outside.ledger.partitions.usual_reads(work.kit.name, but=work.partition)
    refusals = [RefusedWhole(refusal, artefacts.summary) for refusal in delivery_refusals(work.kit.contract, artefacts.summary, usual)]
    return Verdict(delivery, artefacts, refusals, usual)


def _make_artefacts(work: Work, delivery: str) -> Validated:
    outside = work.outside
    path = outside.store.require_raw(delivery)

    def make() -> Validated:
        alone = reads_alone(work)
        return make_artefacts(outside, work.kit.contract, path, delivery, partial(outside.progress, *work.key, "validated"), alone=alone)

    with watched(outside, "store", work.kit.name), _reading():
        return outside.faults.around("reader", work.kit.name, work.place, make)


@contextmanager
def _reading() -> Iterator[None]:
    """What the operating system refuses here it refuses to the reading process: the store tells its own faults."""
    try:
        yield
    except OSError as error:
        evidence = Evidence("reader", errno=error.errno, text=type(error).__name__)
        raise Fault(classify(evidence), f"The reading process could not be used ({error.strerror}).", evidence) from error


def _refuse_twin(work: Work, delivery: str) -> None:
    """Without a key the same bytes under a second partition count everything twice; refused before they are intended."""
    if work.kit.contract.key:
        return
    others = [name for name in work.outside.ledger.arrivals.partitions_of_delivery(work.kit.name, delivery) if name != work.partition]
    if others:
        raise Refusal(Code.DUPLICATE_DELIVERY, f"The same bytes are already published as partition {others[0]}.", {"partition": others[0]})
