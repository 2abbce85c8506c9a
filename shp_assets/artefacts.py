"""A delivery's artefacts, made: read by a process of its own, every cell checked, kept in the store, all or none.

Must not live here: what is asked of the ledger before, and told to it afterwards; Dagster.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shp_core.contract.contract import Contract
from shp_core.contract.validate import validate
from shp_resources.outside import Outside
from shp_resources.reading_room import reading
from shp_resources.store import Validated


def make_artefacts(
    outside: Outside, contract: Contract, path: Path, delivery: str, tell: Callable[[int], None], *, alone: bool = False
) -> Validated:
    """Read a delivery and keep text rows, clean rows and rejects.

    Args:
        outside: its store and its reader are used.
        contract: what the rows are checked against.
        path: a private copy of the delivery's bytes.
        delivery: their SHA-256.
        tell: told the number of rows read so far, after every batch.
        alone: whether nobody may read beside it.

    Returns:
        The artefacts, or equal ones that another process kept meanwhile.

    Raises:
        Refusal: the file cannot be read, or its header does not fit.
        Fault: the store failed.
    """
    with (
        reading(outside.settings.home / "run" / "reading", alone=alone),
        outside.reader.open(path, contract.spec) as batches,
        outside.store.bench(contract, batches.schema) as (bench, folder),
    ):
        summary = validate(contract, batches, bench, tell)
        return outside.store.keep_validated(bench, folder, delivery, contract, summary)
