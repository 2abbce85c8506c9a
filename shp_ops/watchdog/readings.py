"""What the ledger, Dagster's tables, the processes and the disk say, read for one scrape.

Must not live here: names and texts of metrics. Statements on Dagster's tables only read.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shp_core.errors import Fault
from shp_core.healing.breaker import Breaker
from shp_core.states import State
from shp_ops.supervisor import probes
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState
from shp_resources.ledger import Incident, Ledger
from shp_resources.ledger.gauges import Healed, Quarantined, Worked
from shp_resources.ledger.outbox import Waiting
from shp_resources.processes import memory_of_tree
from shp_resources.settings import Settings

_DATABASE = """
select
  (select count(*) from pg_stat_activity where backend_type = 'client backend'),
  current_setting('max_connections')::int,
  (select coalesce(extract(epoch from max((now() at time zone 'UTC') - create_timestamp)), 0)::float8 from runs where status = 'QUEUED'),
  (select coalesce(max(extract(epoch from (now() at time zone 'UTC') - coalesce(
      (select max(e.timestamp) from event_logs e where e.run_id = runs.run_id), runs.update_timestamp))), 0)::float8
   from runs where status in ('STARTING', 'STARTED', 'CANCELING')),
  pg_total_relation_size('event_logs'),
  pg_database_size(current_database())
"""
_SENSORS = """
select i.instigator_body::json -> 'origin' ->> 'job_name', t.status, extract(epoch from (now() at time zone 'UTC') - t.timestamp)::float8,
  case when t.status <> 'FAILURE' then 0 else extract(epoch from (now() at time zone 'UTC') - coalesce(
    (select max(timestamp) from job_ticks where selector_id = i.selector_id and status not in ('STARTED', 'FAILURE')),
    (select min(timestamp) from job_ticks where selector_id = i.selector_id)))::float8 end
from instigators i cross join lateral (
  select status, timestamp from job_ticks where selector_id = i.selector_id and status <> 'STARTED' order by timestamp desc limit 1) t
where i.instigator_type = 'SENSOR' and i.status <> 'STOPPED'
"""


@dataclass(frozen=True)
class LedgerReading:
    """What the ledger says.

    Args:
        partitions: by (feed, state), how many there are.
        published: by feed, when something of it was last published.
        breakers: those that ever failed.
        incidents: those that are open.
        letters: alerts that are not delivered yet.
        quarantined: by feed, what is held for what is in it.
        successes: by feed, of the partitions that came and were judged: how many are published, how many there are.
        worked: by feed, how its runs went.
        healed: by feed, how long its partitions were held.
    """

    partitions: dict[tuple[str, State], int]
    published: dict[str, datetime]
    breakers: list[Breaker]
    incidents: list[Incident]
    letters: list[Waiting]
    quarantined: dict[str, Quarantined] = field(default_factory=dict)
    successes: dict[str, tuple[int, int]] = field(default_factory=dict)
    worked: dict[str, Worked] = field(default_factory=dict)
    healed: dict[str, Healed] = field(default_factory=dict)


@dataclass(frozen=True)
class Sensor:
    """A sensor's last tick.

    Args:
        failed: whether it failed.
        age: seconds since it began.
        failing: seconds since one did not fail; 0 when it did not.
    """

    failed: bool
    age: float
    failing: float


@dataclass(frozen=True)
class DatabaseReading:
    """What the database and Dagster's tables in it say.

    Args:
        connections: how many there are.
        connections_limit: how many there may be.
        queued_seconds: for how long the oldest queued run waits, 0 when there is none.
        quiet_seconds: of the runs under way, the longest time since one last noted an event, 0 when there is none.
        event_log_bytes: bytes of Dagster's event log.
        bytes: bytes of the whole database.
        heartbeats: by daemon, the age of its last heartbeat in seconds.
        sensors: by name, the last tick of those that are on.
    """

    connections: int
    connections_limit: int
    queued_seconds: float
    quiet_seconds: float
    event_log_bytes: int
    bytes: int
    heartbeats: dict[str, float] = field(default_factory=dict)
    sensors: dict[str, Sensor] = field(default_factory=dict)


@dataclass(frozen=True)
class MachineReading:
    """What the machine and the supervisor say.

    Args:
        disk: bytes that are free, by place.
        memory_available: bytes that can still be given out.
        memory: by service, bytes of it and of its children.
        restarts: by service, how often it had to be started again.
    """

    disk: dict[str, int]
    memory_available: int
    memory: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)


def read_ledger(ledger: Ledger, feeds: Iterable[str], period: timedelta) -> LedgerReading | None:
    """What the ledger says, None where it cannot be asked.

    Args:
        ledger: the ledger.
        feeds: names of all feeds.
        period: over how long shares and mean times are taken.
    """
    since = datetime.now(UTC) - period
    try:
        with ledger.transaction():
            gauges = ledger.gauges
            return LedgerReading(
                gauges.partitions(),
                gauges.published(),
                ledger.breakers.all(),
                ledger.incidents.open(),
                ledger.outbox.waiting(),
                gauges.quarantined(),
                {feed: ledger.expectations.successes(feed, since) for feed in feeds},
                gauges.worked(since),
                gauges.healed(since),
            )
    except Fault:
        return None


def read_database(settings: Settings) -> DatabaseReading | None:
    """What the database says, None where it cannot be asked."""
    dsn = settings.ledger_dsn()
    try:
        if dsn is None:
            return None
        ((used, most, queued, quiet, events, whole),) = probes.query(dsn, _DATABASE)
        beats = {name.lower(): time.time() - at for name, at in probes.heartbeats(dsn).items()}
        sensors = sensors_of(dsn)
    except probes.database_error():
        return None
    return DatabaseReading(used, most, queued, quiet, events, whole, beats, sensors)


def sensors_of(dsn: str) -> dict[str, Sensor]:
    """By name, the last tick of the sensors that are on.

    Raises:
        psycopg2.Error: the database does not answer.
    """
    return {name: Sensor(status == "FAILURE", age, failing) for name, status, age, failing in probes.query(dsn, _SENSORS)}


def read_machine(settings: Settings) -> MachineReading:
    """What the machine and the supervisor say."""
    state = PlatformState.load(Layout(settings.home).state)
    services = state.services if state is not None and state.process is not None else {}
    memory = {name: memory_of_tree(service.pid) for name, service in services.items() if service.pid is not None}
    return MachineReading(_disk_free(settings), _memory_available(), memory, {name: one.restarts for name, one in services.items()})


def _disk_free(settings: Settings) -> dict[str, int]:
    """Bytes that are free where the home and the store lie."""
    places = {"home": settings.home, "store": settings.store, "landing": settings.landing}
    return {name: shutil.disk_usage(_existing(path)).free for name, path in places.items()}


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _memory_available() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
