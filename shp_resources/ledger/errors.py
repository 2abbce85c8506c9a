"""The ledger's own errors: somebody else was first.

Must not live here: failures of the database; those are faults made by `translate`.
"""

from __future__ import annotations

from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_core.healing.faults import Evidence


class StaleState(ShpError):
    """The partition's row changed since it was read; read it again and decide anew.

    Args:
        feed: feed.
        partition: partition key.
        expected: the version the caller saw (0: no row).
    """

    def __init__(self, feed: str, partition: str, expected: int) -> None:
        super().__init__(Code.PARTITION_BUSY, f"{feed}/{partition} changed since version {expected} was read.")


class KeyTaken(ShpError):
    """Another file name owns the partition key; the name with its hash (`~` and 8 hex digits) is free.

    Args:
        feed: feed.
        partition: partition key.
        owner: name of the file that came first.
    """

    def __init__(self, feed: str, partition: str, owner: str) -> None:
        super().__init__(Code.PARTITION_BUSY, f"{feed}/{partition} belongs to the file {owner!r}.")
        self.owner = owner


class Superseded(Fault):
    """A newer fence was here already; the caller's work is out of date and must not go on."""

    def __init__(self, feed: str, partition: str, what: str) -> None:
        super().__init__(Code.SUPERSEDED, f"{feed}/{partition}: {what}.", Evidence("ledger", text=what))


class LeaseLost(Fault):
    """The lease went to another worker, or could not be renewed in time."""

    def __init__(self, feed: str, partition: str, why: str) -> None:
        super().__init__(Code.PARTITION_BUSY, f"{feed}/{partition}: the lease was lost, {why}.", Evidence("ledger", text=why))
