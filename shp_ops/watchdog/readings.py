"""What the ledger, Dagster's tables and the disk say, read for one scrape.

Must not live here: names and texts of metrics. Statements on Dagster's tables only read.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from shp_core.errors import Fault
from shp_core.healing.breaker import Breaker
from shp_core.states import State
from shp_ops.supervisor import probes
from shp_resources.ledger import Incident, Ledger
from shp_resources.ledger.outbox import Waiting
from shp_resources.settings import Settings

_QUEUED = (
    "select coalesce(extract(epoch from max((now() at time zone 'UTC') - create_timestamp)), 0)::float8 from runs where status = 'QUEUED'"
)
_CONNECTIONS = "select count(*), current_setting('max_connections')::int from pg_stat_activity where backend_type = 'client backend'"


@dataclass(frozen=True)
class LedgerReading:
    """What the ledger says.

    Args:
        partitions: by (feed, state), how many there are.
        published: by feed, when something of it was last published.
        breakers: those that ever failed.
        incidents: those that are open.
        letters: alerts that are not delivered yet.
    """

    partitions: dict[tuple[str, State], int]
    published: dict[str, datetime]
    breakers: list[Breaker]
    incidents: list[Incident]
    letters: list[Waiting]


@dataclass(frozen=True)
class DatabaseReading:
    """What the database and Dagster's tables in it say.

    Args:
        connections: how many there are.
        connections_limit: how many there may be.
        queued_seconds: for how long the oldest queued run waits, 0 when there is none.
        heartbeats: by daemon, the age of its last heartbeat in seconds.
    """

    connections: int
    connections_limit: int
    queued_seconds: float
    heartbeats: dict[str, float] = field(default_factory=dict)


def read_ledger(ledger: Ledger) -> LedgerReading | None:
    """What the ledger says, None where it cannot be asked."""
    try:
        with ledger.transaction():
            counts, published = ledger.gauges.partitions(), ledger.gauges.published()
            return LedgerReading(counts, published, ledger.breakers.all(), ledger.incidents.open(), ledger.outbox.waiting())
    except Fault:
        return None


def read_database(settings: Settings) -> DatabaseReading | None:
    """What the database says, None where it cannot be asked."""
    dsn = settings.ledger_dsn()
    try:
        if dsn is None:
            return None
        ((connections, limit),) = probes.query(dsn, _CONNECTIONS)
        ((queued,),) = probes.query(dsn, _QUEUED)
        beats = {name.lower(): time.time() - at for name, at in probes.heartbeats(dsn).items()}
    except probes.database_error():
        return None
    return DatabaseReading(connections, limit, queued, beats)


def disk_free(settings: Settings) -> dict[str, int]:
    """Bytes that are free where the home and the store lie."""
    places = {"home": settings.home, "store": settings.store, "landing": settings.landing}
    return {name: shutil.disk_usage(_existing(path)).free for name, path in places.items()}


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
