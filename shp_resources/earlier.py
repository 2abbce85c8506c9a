"""What a feed's columns held in the deliveries that were published last, from the text rows that are kept of them.

Must not live here: what a likeness to them means (`shp_core.drift`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from shp_core.contract.contract import Contract
from shp_core.contract.header import map_header
from shp_core.drift.earlier import EARLIER_CELLS, Earlier, earlier
from shp_core.errors import ShpError
from shp_core.proposing.header import Cell
from shp_core.reading.textrow import ABSENT
from shp_resources.ledger import Ledger
from shp_resources.store import Store, Validated

_DELIVERIES = 3


def earlier_values(ledger: Ledger, store: Store, contract: Contract) -> dict[str, Earlier]:
    """What each column held, by its header in the feed file; nothing of columns and deliveries that are not kept any more.

    Args:
        ledger: knows what was published.
        store: keeps text rows.
        contract: the contract that they were read with.

    Raises:
        Fault: the ledger cannot be asked.
    """
    cells: dict[str, list[Cell]] = defaultdict(list)
    for delivery in ledger.deliveries.newest_held(contract.feed, _DELIVERIES):
        try:
            kept = store.validated(delivery, contract)
            for header, cell in _cells(kept, contract) if kept is not None else ():
                cells[header].append(cell)
        except ShpError:  # damaged, or of a header that does not fit any more: it says nothing
            continue
    return {header: earlier(found) for header, found in cells.items()}


def _cells(kept: Validated, contract: Contract) -> Iterator[tuple[str, Cell]]:
    """The first cells of each column of the contract that are not blank."""
    mapping = map_header(kept.header, contract)
    batch = next(kept.text(), None)
    if batch is None:
        return
    top = batch.slice(0, EARLIER_CELLS // _DELIVERIES)
    kinds = top.column("kinds").to_pylist()
    for place, column in zip(mapping.positions, contract.columns, strict=True):
        texts = top.column(f"c{place + 1}").to_pylist() if place is not None else []
        for letters, text in zip(kinds, texts, strict=False):
            if place is not None and letters[place] != ABSENT and text:
                yield column.header, (letters[place], text)
