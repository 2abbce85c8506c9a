"""Breakers: their rows, shared by all processes, changed with compare-and-set.

Must not live here: when a breaker opens or closes (`shp_core.healing.breaker`) and the calls they stand before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shp_core.healing.breaker import Breaker, Phase
from shp_resources.ledger.transactions import Transactions
from shp_resources.ledger.trouble_tables import breakers

_TRIES = 20


@dataclass(frozen=True)
class Kept:
    """A breaker as it was read.

    Args:
        breaker: its state.
        version: counts changes of its row; 0 when there is none yet.
    """

    breaker: Breaker
    version: int


class Breakers:
    """The breakers of all outside systems."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def read(self, names: Collection[str]) -> list[Kept]:
        """Those of these breakers that ever failed."""
        with self._transactions.begin() as connection:
            return [_kept(row) for row in connection.execute(sa.select(breakers).where(breakers.c.name.in_(names)))]

    def all(self) -> list[Breaker]:
        """Every breaker that ever failed, by name."""
        with self._transactions.begin() as connection:
            return [_kept(row).breaker for row in connection.execute(sa.select(breakers).order_by(breakers.c.name))]

    def open(self) -> list[Breaker]:
        """Those that keep calls back, by name."""
        return [breaker for breaker in self.all() if breaker.is_open]

    def replace(self, seen: Kept, by: Breaker) -> bool:
        """Write a breaker if it is still what the caller saw; False, and nothing happens, when it changed."""
        values = {**_columns(by), "version": seen.version + 1}
        statement = insert(breakers).values(values)
        same = breakers.c.version == seen.version
        changed = statement.on_conflict_do_update(index_elements=["name"], set_=values, where=same)
        with self._transactions.begin_alone() as connection:  # others must see it at once, whatever the caller does next
            return connection.execute(changed.returning(breakers.c.name)).one_or_none() is not None

    def change(self, name: str, transition: Callable[[Breaker], Breaker]) -> Breaker:
        """Change a breaker, whatever others do to it meanwhile.

        Args:
            name: which.
            transition: from what it is to what it becomes; called again when another process was quicker.

        Returns:
            The breaker as it is then.
        """
        for _ in range(_TRIES):
            seen = next(iter(self.read([name])), Kept(Breaker(name), 0))
            new = transition(seen.breaker)
            if new == seen.breaker or self.replace(seen, new):
                return new
        return seen.breaker  # everybody changes it: what they make of it is as good


def _columns(breaker: Breaker) -> dict[str, Any]:
    return {**asdict(breaker), "phase": str(breaker.phase)}


def _kept(row: sa.Row[Any]) -> Kept:
    values = row._asdict()
    version = values.pop("version")
    return Kept(Breaker(**{**values, "phase": Phase(values["phase"])}), version)
