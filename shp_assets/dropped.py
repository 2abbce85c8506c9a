"""A person asks for a partition (UI, `dagster asset materialize`, a backfill): what lies in its landing folder now counts.

No sensor need be running then; one that is running has usually been quicker, and the same sight is the same arrival.
"""

from __future__ import annotations

from shp_assets.arrive import arrive, place_of
from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.errors import Fault, Refusal
from shp_resources.landing import Seen, look
from shp_resources.ledger import migrate


def take_up_dropped(work: Work) -> None:
    """Note new and changed files of the run's partition as arrivals; the ledger's tables are made if there are none.

    Args:
        work: of a run that was not asked for by us.

    Raises:
        Refusal: the file cannot be taken up (two stand for one period).
        Fault: the ledger or the landing folder failed.
    """
    dsn = work.outside.settings.ledger_dsn()
    if dsn is not None:
        migrate(dsn)
    known = work.outside.ledger.arrivals.known_sources(work.kit.name)
    for file in _lying_there(work):
        before = known.get(file.source.uri)
        if (before is None or before.source != file.source) and _stands_for(work, file):
            refusal = arrive(work.outside.ledger, work.kit, file, work.via).refusal
            if refusal is not None:
                raise refusal


def _lying_there(work: Work) -> list[Seen]:
    if work.kit.feed.source.uri is not None:
        return []  # what the sensor `remotes` saw counts
    try:
        return look(work.outside.settings.landing / work.kit.name, work.kit.feed.source.match)
    except Fault as fault:
        if fault.code is not Code.SOURCE_MISSING:
            raise
        return []  # there is no such folder: what came another way counts


def _stands_for(work: Work, file: Seen) -> bool:
    try:
        return place_of(work.kit, file.source) == work.partition
    except Refusal:
        return False
