"""The three steps of a partition on its way into the lake: text rows, clean rows, and whether both sinks say the same.

Each starts from the artefacts that the way into the warehouse left in the store, and does nothing when its result stands.
"""

from __future__ import annotations

from datetime import UTC, datetime

from shp_assets.lake_calls import CalledWarehouse, place_of
from shp_assets.lake_together import mapper_of
from shp_assets.lake_work import LakeWork
from shp_assets.steps import artefacts_of, sound_artefacts
from shp_core.codes import Code
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.lake.agree import Agreement, sinks_agree
from shp_resources.lake.curated import Curator
from shp_resources.lake.publish import Partition, Published, publish_text
from shp_resources.lake.strays import sweep_partition
from shp_resources.ledger import LAKE, Publication

_NAMED = 20


def publish_lines(work: LakeWork) -> Published:
    """Make the lake hold the delivery's text rows, clean or not.

    Raises:
        NotMadeYet: the artefacts are not there.
        Fault: the lake failed, or a newer arrival is published.
    """
    artefacts = artefacts_of(work)
    with work.outside.store.scratch() as scratch:
        return publish_text(place_of(work), _partition(work), artefacts.header, artefacts.text(), scratch, again=work.rebuilds)


def curate(work: LakeWork) -> Published:
    """Make the lake hold the delivery's clean rows: intention to the ledger, rows to the lake, confirmation to the ledger.

    Raises:
        NotMadeYet: the artefacts are not there.
        Refusal: the delivery is refused; nothing of it is published.
        Fault: the lake or the mapper failed, or a newer arrival is published.
    """
    artefacts = sound_artefacts(work)
    partition, place, ledger = _partition(work), place_of(work), work.outside.ledger
    noted = Publication(partition.delivery, work.kit.contract.version, CONVERTER_VERSION)
    ledger.publications.intend(*work.key, LAKE, noted, work.attempt.fence)
    with work.outside.store.scratch() as scratch:
        curator = Curator(place, mapper_of(work, place))
        made = curator.publish(partition, work.kit.contract, artefacts, scratch, again=work.rebuilds)
    rows, digest = made.manifest.rows, made.manifest.hash
    assert digest is not None, "clean rows are published with their hash"
    ledger.publications.confirm(*work.key, LAKE, noted, work.attempt.fence, rows=rows, hash=digest, at=datetime.now(UTC))
    return made


def compare(work: LakeWork) -> Agreement | None:
    """Ask both sinks what they hold; None when the ledger knows that one is behind, and there is nothing to compare.

    Raises:
        Fault: a sink failed.
    """
    known = work.outside.ledger.publications.sinks(*work.key)
    here, there = known.get("warehouse"), known.get(LAKE)
    if here is None or there is None or not (here.agrees and there.agrees and here.held == there.held):
        return None
    with work.outside.store.scratch() as scratch:
        return sinks_agree(CalledWarehouse(work), work.kit.target, place_of(work), _partition(work), scratch)


def difference(work: LakeWork, found: Agreement) -> Fault:
    """What sinks that do not agree are told as; both are made to hold the delivery again."""
    rows = ", ".join(map(str, found.differing[:_NAMED])) or "none in both"
    more = " and more" if len(found.differing) > _NAMED else ""
    there = f"{found.lake[0]} rows" if found.lake else "nothing"
    text = f"the warehouse holds {found.warehouse[0]} rows of {work.kit.name}/{work.partition}, the lake {there}; sheet rows that differ"
    return Fault(Code.SINKS_DIFFER, f"{text[0].upper()}{text[1:]}: {rows}{more}.", Evidence("lake", text=f"{text}: {rows}{more}"[:300]))


def sweep(work: LakeWork) -> list[str]:
    """Remove what nobody follows any more of a partition that both sinks hold: superseded publications, a day later, and strays.

    Returns:
        The names that were removed; what the lake refuses now is left for the next time.
    """
    partition, now = _partition(work), work.outside.clock.now().timestamp()
    try:
        folders = (partition.lake, partition.curated, partition.rejects)
        return [name for folder in folders for name in sweep_partition(place_of(work), folder, now)]
    except Fault:
        return []


def _partition(work: LakeWork) -> Partition:
    assert work.kit.lake is not None, "only feeds with a lake have these steps"
    return Partition(work.kit.name, work.kit.lake, work.partition, work.delivery(), work.attempt.fence)
