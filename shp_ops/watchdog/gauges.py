"""Every metric: its name, meaning and labels; `docs/metrics.md` is made from this table.

Must not live here: values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

PERIOD = timedelta(days=30)
"""Shares and mean times are of so long."""


@dataclass(frozen=True)
class Gauge:
    """A metric.

    Args:
        name: with its unit at the end.
        help: what it means.
        labels: what its values are told apart by.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


SERVICE_READY = Gauge("shp_service_ready", "1 when the service answers as it should, else 0.", ("service",))
SERVICE_RESTARTS = Gauge("shp_service_restarts", "How often the service had to be started again since the platform was.", ("service",))
SERVICE_MEMORY = Gauge(
    "shp_service_memory_bytes", "Memory of the service and of its own children; pages shared with others count in part.", ("service",)
)
MEMORY = Gauge("shp_memory_available_bytes", "Memory of the machine that can still be given out.")
LEDGER_READABLE = Gauge("shp_ledger_readable", "1 when the ledger could be read for this answer; else what comes from it is left out.")
HEARTBEAT = Gauge("shp_daemon_heartbeat_age_seconds", "Seconds since each of Dagster's daemons last gave a sign of life.", ("daemon",))
QUEUED = Gauge("shp_oldest_queued_run_age_seconds", "Seconds that the oldest queued run waits; 0 when none is queued.")
QUIET = Gauge(
    "shp_longest_quiet_run_seconds", "Of the runs under way, the longest time since one last noted an event, in seconds; 0 when none is."
)
SENSOR_FAILING = Gauge("shp_sensor_failing", "1 when the sensor's last tick failed, else 0.", ("sensor",))
SENSOR_AGE = Gauge("shp_sensor_tick_age_seconds", "Seconds since the sensor last began a tick.", ("sensor",))
EVENT_LOG = Gauge("shp_event_log_bytes", "Bytes of Dagster's event log in the database, with its indexes.")
DATABASE = Gauge("shp_database_bytes", "Bytes of the ledger's database.")
BREAKER = Gauge("shp_breaker_open", "1 while an outside system is not asked for, 0 when it is again.", ("breaker",))
INCIDENTS = Gauge("shp_open_incidents", "Incidents that are open.", ("severity",))
PARTITIONS = Gauge("shp_partitions", "Partitions by the state they are in.", ("feed", "state"))
QUARANTINED = Gauge("shp_quarantined_partitions", "Partitions whose file is held for what is in it.", ("feed",))
QUARANTINE_AGE = Gauge(
    "shp_oldest_quarantined_age_seconds", "Seconds that the partition waits that was quarantined first; 0 when none is.", ("feed",)
)
REJECTED = Gauge("shp_rejected_rows", "Rows of current deliveries that break the contract and are kept in quarantine.", ("feed",))
HELD = Gauge("shp_held_partitions", "Partitions that wait or are held, for whatever reason.", ("feed",))
PUBLISHED = Gauge("shp_last_published_timestamp_seconds", "When something of the feed was last published, seconds since 1970.", ("feed",))
SUCCESS = Gauge(
    "shp_success_ratio", "Of the partitions that came in the last 30 days and were judged, the share that is published.", ("feed",)
)
RETRY = Gauge(
    "shp_retry_ratio", "Of the runs that ended in the last 30 days, the share that was asked for because one had failed.", ("feed",)
)
DETECT = Gauge(
    "shp_time_to_detect_seconds",
    "From the beginning of a run that failed to the verdict about it, in seconds: the mean of the last 30 days.",
    ("feed",),
)
HEAL = Gauge(
    "shp_time_to_heal_seconds",
    "From the verdict that first held a partition to its publication, in seconds (MTTR): the mean of the last 30 days.",
    ("feed",),
)
HEALS = Gauge("shp_healed_partitions", "How often in the last 30 days a partition was held and then published.", ("feed",))
DISK = Gauge("shp_disk_free_bytes", "Bytes that are free where the home, the store and the drop folders lie.", ("place",))
CONNECTIONS = Gauge("shp_postgres_connections", "Connections to the ledger's PostgreSQL.")
CONNECTIONS_LIMIT = Gauge("shp_postgres_connections_limit", "Connections that the ledger's PostgreSQL allows.")
ALERTS = Gauge("shp_alerts_waiting", "Alerts that are written and not delivered yet.", ("channel",))

OF_THE_MACHINE = (SERVICE_READY, SERVICE_RESTARTS, SERVICE_MEMORY, MEMORY, DISK, LEDGER_READABLE)
"""Told whatever the database does."""

OF_FEEDS = (PARTITIONS, HELD, QUARANTINED, QUARANTINE_AGE, REJECTED, SUCCESS, RETRY, DETECT, HEALS, HEAL, PUBLISHED)
OF_RUNS = (HEARTBEAT, SENSOR_AGE, SENSOR_FAILING, QUEUED, QUIET)
OF_THE_REST = (BREAKER, INCIDENTS, ALERTS, EVENT_LOG, DATABASE, CONNECTIONS, CONNECTIONS_LIMIT)
GAUGES = (*OF_THE_MACHINE, *OF_FEEDS, *OF_RUNS, *OF_THE_REST)

_HEAD = """\
<!-- Written by `python -m shp_ops.pages` from shp_ops/watchdog/gauges.py; edits here are lost. -->
# Metrics

The watchdog answers Prometheus at `/metrics` on the loopback address; `shp status` shows where. Every value is a gauge, read when
it is asked for. A name ends with its unit. `deploy/grafana/shp.json` is a dashboard of them.

"""
_TABLES = {
    "Services and the machine": OF_THE_MACHINE,
    "Feeds": OF_FEEDS,
    "Dagster's daemons and runs": OF_RUNS,
    "The ledger and its database": OF_THE_REST,
}
_TAIL = """
What comes from the ledger is left out while `shp_ledger_readable` is 0. A share or a mean time of which there is nothing yet is left
out, too. Time to detect and time to heal are those of [healing](healing.md): a verdict is the moment in which the platform knows, and
what heals a partition is its publication, whether by a re-drive or by a mended file.
"""


def metrics_page() -> str:
    """The text of `docs/metrics.md`."""
    return _HEAD + "\n".join(_table(title, gauges) for title, gauges in _TABLES.items()) + _TAIL


def _table(title: str, gauges: tuple[Gauge, ...]) -> str:
    lines = [f"## {title}", "", "| metric | told apart by | meaning |", "|---|---|---|"]
    return "\n".join([*lines, *(_line(gauge) for gauge in gauges), ""])


def _line(gauge: Gauge) -> str:
    labels = ", ".join(f"`{label}`" for label in gauge.labels) or "-"
    return f"| `{gauge.name}` | {labels} | {gauge.help} |"
