"""The readings as Prometheus reads them. Every name here stands in docs/operations.md with its meaning and unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shp_core.healing.decide import Severity
from shp_core.states import HELD_STATES, State
from shp_ops.watchdog.readings import DatabaseReading, LedgerReading


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
LEDGER_READABLE = Gauge("shp_ledger_readable", "1 when the ledger could be read for this answer; else what comes from it is left out.")
HEARTBEAT = Gauge("shp_daemon_heartbeat_age_seconds", "Seconds since each of Dagster's daemons last gave a sign of life.", ("daemon",))
QUEUED = Gauge("shp_oldest_queued_run_age_seconds", "Seconds that the oldest queued run waits; 0 when none is queued.")
BREAKER = Gauge("shp_breaker_open", "1 while an outside system is not asked for, 0 when it is again.", ("breaker",))
INCIDENTS = Gauge("shp_open_incidents", "Incidents that are open.", ("severity",))
PARTITIONS = Gauge("shp_partitions", "Partitions by the state they are in.", ("feed", "state"))
QUARANTINED = Gauge("shp_quarantined_partitions", "Partitions whose file is held for what is in it.", ("feed",))
HELD = Gauge("shp_held_partitions", "Partitions that wait or are held, for whatever reason.", ("feed",))
PUBLISHED = Gauge("shp_last_published_timestamp_seconds", "When something of the feed was last published, seconds since 1970.", ("feed",))
DISK = Gauge("shp_disk_free_bytes", "Bytes that are free where the home, the store and the drop folders lie.", ("place",))
CONNECTIONS = Gauge("shp_postgres_connections", "Connections to the ledger's PostgreSQL.")
CONNECTIONS_LIMIT = Gauge("shp_postgres_connections_limit", "Connections that the ledger's PostgreSQL allows.")
ALERTS = Gauge("shp_alerts_waiting", "Alerts that are written and not delivered yet.", ("channel",))

GAUGES = (
    *(SERVICE_READY, LEDGER_READABLE, HEARTBEAT, QUEUED, BREAKER, INCIDENTS, PARTITIONS),
    *(QUARANTINED, HELD, PUBLISHED, DISK, CONNECTIONS, CONNECTIONS_LIMIT, ALERTS),
)
Values = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Sources:
    """Where values come from; each is asked once for a scrape.

    Args:
        services: by name, why it is not ready.
        ledger: what the ledger says.
        database: what the database says.
        disk: bytes that are free, by place.
        feeds: names of all feeds; one of which nothing is held is told as 0.
    """

    services: Callable[[], Mapping[str, str | None]]
    ledger: Callable[[], LedgerReading | None]
    database: Callable[[], DatabaseReading | None]
    disk: Callable[[], Mapping[str, int]]
    feeds: Callable[[], Iterable[str]]


class _Readings(Collector):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        yield _family(SERVICE_READY, [((name,), why is None) for name, why in sources.services().items()])
        yield _family(DISK, [((place,), free) for place, free in sources.disk().items()])
        ledger, database = sources.ledger(), sources.database()
        yield _family(LEDGER_READABLE, [((), ledger is not None)])
        if ledger is not None:
            yield from _of_ledger(ledger, list(sources.feeds()))
        if database is not None:
            yield from _of_database(database)


def render(sources: Sources) -> bytes:
    """All metrics in Prometheus' text format.

    Args:
        sources: where the values come from.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Readings(sources))
    return generate_latest(registry)


def _of_ledger(reading: LedgerReading, feeds: list[str]) -> Iterator[Metric]:
    yield _family(BREAKER, [((breaker.name,), breaker.is_open) for breaker in reading.breakers])
    severities = Counter(incident.severity for incident in reading.incidents)
    yield _family(INCIDENTS, [((str(severity),), severities[severity]) for severity in Severity])
    yield _family(PARTITIONS, [((feed, str(state)), count) for (feed, state), count in sorted(reading.partitions.items())])
    yield _family(QUARANTINED, _by_feed(reading, feeds, {State.QUARANTINED}))
    yield _family(HELD, _by_feed(reading, feeds, HELD_STATES))
    yield _family(PUBLISHED, [((feed,), at.timestamp()) for feed, at in sorted(reading.published.items())])
    waiting = Counter[str]()
    for letters in reading.letters:
        waiting[letters.destination.partition(":")[0]] += letters.letters  # addresses are not for a monitoring system
    yield _family(ALERTS, [((channel,), waiting[channel]) for channel in ("log", "mail", "webhook")])


def _of_database(reading: DatabaseReading) -> Iterator[Metric]:
    yield _family(HEARTBEAT, [((name,), age) for name, age in sorted(reading.heartbeats.items())])
    yield _family(QUEUED, [((), reading.queued_seconds)])
    yield _family(CONNECTIONS, [((), reading.connections)])
    yield _family(CONNECTIONS_LIMIT, [((), reading.connections_limit)])


def _by_feed(reading: LedgerReading, feeds: list[str], states: Iterable[State]) -> Values:
    known = {*feeds, *(feed for feed, _ in reading.partitions)}
    return [((feed,), sum(reading.partitions.get((feed, state), 0) for state in states)) for feed in sorted(known)]


def _family(gauge: Gauge, values: Values) -> Metric:
    family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
    for labels, value in values:
        family.add_metric(labels, float(value))
    return family
