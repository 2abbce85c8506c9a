"""What sinks hold, read from the sinks themselves, behind one protocol.

Must not live here: what they are to hold (the ledger), and what is done about a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shp_core.gaps import Content
from shp_resources.warehouse import Target, Warehouse


class SinkView(Protocol):
    """A sink, to be looked at."""

    @property
    def name(self) -> str:
        """As the ledger and its breaker call it."""
        ...

    def holds(self, target: Target) -> dict[str, Content]:
        """What stands there of a feed, by partition: its records, with rows counted now; few queries, whatever the number.

        Raises:
            Fault: the sink cannot be asked.
        """
        ...

    def read_back(self, target: Target, partition: str) -> tuple[int, str]:
        """Rows and hash of a partition, computed from its rows.

        Raises:
            Fault: the sink cannot be asked.
        """
        ...


@dataclass(frozen=True)
class WarehouseView:
    """The warehouse, to be looked at."""

    warehouse: Warehouse
    name: str = "warehouse"

    def holds(self, target: Target) -> dict[str, Content]:
        """Publication records with rows and displaced rows as they are now, in one snapshot."""
        return self.warehouse.holds(target)

    def read_back(self, target: Target, partition: str) -> tuple[int, str]:
        """Rows and hash over loaded and displaced rows."""
        held = self.warehouse.read_back(target, partition)
        return held.loaded + held.displaced, held.hash
