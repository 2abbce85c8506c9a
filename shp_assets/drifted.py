"""A delivery whose sheet changed its shape: its refusal says what changed, and what could be done.

Must not live here: what changed (`shp_core.drift`), and doing it (`shp feeds accept`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.drift.diagnose import diagnose
from shp_core.drift.words import told
from shp_core.errors import Fault, Refusal
from shp_resources.earlier import earlier_values
from shp_resources.tops import tops_of

SHAPES = frozenset({Code.SHEET_MISSING, Code.HEADER_MISSING, Code.COLUMN_MISSING, Code.COLUMN_UNKNOWN, Code.COLUMN_RETYPED})
"""Refusals for which a change of the feed file can be proposed."""


@contextmanager
def explained(work: Work, delivery: str) -> Iterator[None]:
    """Let a refusal for a sheet's shape say what seems to have changed.

    Raises:
        Refusal: the body's own, with more words and, for programs, the findings.
    """
    try:
        yield
    except Refusal as refusal:
        if refusal.code not in SHAPES:
            raise
        raise _explained(work, delivery, refusal) from refusal


def _explained(work: Work, delivery: str, refusal: Refusal) -> Refusal:
    contract, outside = work.kit.contract, work.outside
    try:
        tops = tops_of(outside.store.require_raw(delivery), outside.limits, csv=contract.csv is not None)
        known = earlier_values(outside.ledger, outside.store, contract)
    except (Refusal, Fault):
        return refusal  # the first words are true enough
    drift = diagnose(contract, tops, known)
    words = told(drift)
    if not words:
        return refusal
    findings = [finding.as_dict() for finding in drift.findings]
    return Refusal(refusal.code, f"{refusal.message.rstrip('.')}; {words}.", {**refusal.details, "drift": findings})
