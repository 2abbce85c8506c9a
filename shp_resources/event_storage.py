"""Dagster's event log in PostgreSQL with one connection and one commit for each event.

dagster-postgres stores an event in up to three transactions, each on a connection of its own, and announces it with a
NOTIFY to which nobody listens any more (its watcher polls); that one costs a second commit and a lock that all of the
server's sessions share. Here the event, its place in the list of assets and its check's row are one transaction, and
events that only tell how a run goes on do not wait for the disk: who waits next (a materialization, a check, the run's
end, the ledger) makes them last, too. If the database dies before that, some lines are missing in the log of a run.
Must not live here: which connections are kept (`pooled_storage`). `tests/test_upstream.py` pins what this leans on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import sqlalchemy as sa
from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster_postgres.event_log import PostgresEventLogStorage

_TELLING = frozenset(
    {
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.HOOK_SKIPPED,
        DagsterEventType.LOGS_CAPTURED,
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
        DagsterEventType.STEP_INPUT,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.STEP_START,
    }
)
"""Events on which nothing depends but a reader's curiosity."""


class LeanEventLogStorage(PostgresEventLogStorage):
    """Events, each stored whole or not at all; takes the arguments of `PostgresEventLogStorage`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._under_way = threading.local()
        super().__init__(*args, **options)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event and what other tables keep of it."""
        with self._one_transaction(waits=event.dagster_event_type not in _TELLING):
            SqlEventLogStorage.store_event(self, event)  # the plain form: dagster-postgres' own adds the NOTIFY

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events that belong together (what a run plans to do)."""
        with self._one_transaction(waits=any(event.dagster_event_type not in _TELLING for event in events)):
            super().store_event_batch(events)

    def _connect(self) -> AbstractContextManager[sa.Connection]:
        connection = getattr(self._under_way, "connection", None)
        return super()._connect() if connection is None else nullcontext(connection)

    @contextmanager
    def _one_transaction(self, waits: bool) -> Iterator[None]:
        """Everything this thread stores in the block is one transaction; inside another block it is part of that one.

        Args:
            waits: until it is on the disk.
        """
        if getattr(self._under_way, "connection", None) is not None:
            yield
            return
        with super()._connect() as connection, _transaction(connection, waits) as self._under_way.connection:
            try:
                yield
            finally:
                self._under_way.connection = None


@contextmanager
def _transaction(connection: sa.Connection, waits: bool) -> Iterator[sa.Connection]:
    """By hand: asked for a transaction, SQLAlchemy changes the connection's isolation level to and fro, a statement each."""
    connection.exec_driver_sql("begin" if waits else "begin; set local synchronous_commit = off")
    try:
        yield connection
    except BaseException:
        with suppress(sa.exc.DBAPIError):  # the connection may be what failed; then nothing is stored either
            connection.exec_driver_sql("rollback")
        raise
    connection.exec_driver_sql("commit")
