"""Connections of the ledger: made late, made anew after a fork, shared by calls inside one transaction.

Must not live here: statements.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.database import make_engine, translate


class Transactions:
    """Gives out transactions of one database.

    Args:
        dsn: address, or a callable that gives it when it is needed (None: there is none yet).
        pooled: see `make_engine`.
    """

    def __init__(self, dsn: str | Callable[[], str | None], *, pooled: bool) -> None:
        self._dsn = dsn
        self._pooled = pooled
        self._engine: tuple[int, sa.Engine] | None = None
        self._making = threading.Lock()
        self._current = threading.local()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction; inside another one of the same thread, a part of that.

        Raises:
            Fault: the database failed, as `translate` names it.
        """
        outer: sa.Connection | None = getattr(self._current, "connection", None)
        if outer is not None:
            yield outer
            return
        with self.begin_alone() as connection:
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None

    @contextmanager
    def begin_alone(self) -> Iterator[sa.Connection]:
        """A transaction of its own, for what others must see at once.

        Raises:
            Fault: the database failed, as `translate` names it.
        """
        with translate("ledger"), self.engine().begin() as connection:
            yield connection

    def engine(self) -> sa.Engine:
        """The engine of this process; a forked child never uses its parent's connections."""
        with self._making:
            if self._engine is None or self._engine[0] != os.getpid():
                self._engine = (os.getpid(), make_engine(self._address(), pooled=self._pooled))
            return self._engine[1]

    def close(self) -> None:
        """Close pooled connections; the next use opens new ones."""
        if self._engine is not None and self._engine[0] == os.getpid():
            self._engine[1].dispose()
        self._engine = None

    def _address(self) -> str:
        dsn = self._dsn() if callable(self._dsn) else self._dsn
        if dsn is None:
            text = "there is no address; the embedded server is not up"
            raise Fault(Code.LEDGER_UNREACHABLE, f"ledger: {text}.", Evidence("ledger", sqlstate="08001", text=text))
        return dsn


def lock_partition(connection: sa.Connection, feed: str, partition: str) -> None:
    """Let one transaction at a time work on a partition, also when it has no row yet."""
    key = sa.func.hashtextextended(f"shp/{feed}/{partition}", 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
