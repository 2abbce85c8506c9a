"""The readings as Prometheus reads them.

Must not live here: names and meanings of metrics (`gauges`), and reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shp_core.healing.decide import Severity
from shp_core.states import HELD_STATES, State
from shp_ops.watchdog import gauges
from shp_ops.watchdog.gauges import Gauge
from shp_ops.watchdog.readings import DatabaseReading, LedgerReading, MachineReading
from shp_resources.ledger.gauges import Quarantined

Values = Iterable[tuple[tuple[str, ...], float]]
_NONE = Quarantined(0, None)


@dataclass(frozen=True)
class Sources:
    """Where values come from; each is asked once for a scrape.

    Args:
        services: by name, why it is not ready.
        ledger: what the ledger says.
        database: what the database says.
        machine: what the machine and the supervisor say.
        feeds: names of all feeds; one of which nothing is held is told as 0.
    """

    services: Callable[[], Mapping[str, str | None]]
    ledger: Callable[[], LedgerReading | None]
    database: Callable[[], DatabaseReading | None]
    machine: Callable[[], MachineReading]
    feeds: Callable[[], Iterable[str]]


class _Readings(Collector):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        yield _family(gauges.SERVICE_READY, [((name,), why is None) for name, why in sources.services().items()])
        yield from _of_machine(sources.machine())
        ledger, database = sources.ledger(), sources.database()
        yield _family(gauges.LEDGER_READABLE, [((), ledger is not None)])
        if ledger is not None:
            yield from _of_ledger(ledger)
            yield from _of_feeds(ledger, sorted({*sources.feeds(), *(feed for feed, _ in ledger.partitions)}))
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


def _of_machine(reading: MachineReading) -> Iterator[Metric]:
    yield _family(gauges.SERVICE_RESTARTS, _by_name(reading.restarts))
    yield _family(gauges.SERVICE_MEMORY, _by_name(reading.memory))
    yield _family(gauges.MEMORY, [((), reading.memory_available)])
    yield _family(gauges.DISK, _by_name(reading.disk))


def _of_ledger(reading: LedgerReading) -> Iterator[Metric]:
    yield _family(gauges.BREAKER, [((breaker.name,), breaker.is_open) for breaker in reading.breakers])
    severities = Counter(incident.severity for incident in reading.incidents)
    yield _family(gauges.INCIDENTS, [((str(severity),), severities[severity]) for severity in Severity])
    yield _family(gauges.PARTITIONS, [((feed, str(state)), count) for (feed, state), count in sorted(reading.partitions.items())])
    yield _family(gauges.PUBLISHED, [((feed,), at.timestamp()) for feed, at in sorted(reading.published.items())])
    waiting = Counter[str]()
    for letters in reading.letters:
        waiting[letters.destination.partition(":")[0]] += letters.letters  # addresses are not for a monitoring system
    yield _family(gauges.ALERTS, [((channel,), waiting[channel]) for channel in ("log", "mail", "webhook")])


def _of_feeds(reading: LedgerReading, feeds: list[str]) -> Iterator[Metric]:
    yield _family(gauges.QUARANTINED, _counted(reading, feeds, {State.QUARANTINED}))
    yield _family(gauges.HELD, _counted(reading, feeds, HELD_STATES))
    quarantined = {feed: reading.quarantined.get(feed, _NONE) for feed in feeds}
    yield _family(gauges.REJECTED, [((feed,), held.rows) for feed, held in quarantined.items()])
    yield _family(gauges.QUARANTINE_AGE, [((feed,), _age(held.oldest)) for feed, held in quarantined.items()])
    yield _family(gauges.SUCCESS, [((feed,), good / total) for feed, (good, total) in sorted(reading.successes.items()) if total])
    worked, healed = sorted(reading.worked.items()), sorted(reading.healed.items())
    yield _family(gauges.RETRY, [((feed,), one.redrives / one.runs) for feed, one in worked])
    yield _family(gauges.DETECT, [((feed,), one.detect_seconds) for feed, one in worked if one.detect_seconds is not None])
    yield _family(gauges.HEALS, [((feed,), reading.healed[feed].count if feed in reading.healed else 0) for feed in feeds])
    yield _family(gauges.HEAL, [((feed,), one.seconds) for feed, one in healed])


def _of_database(reading: DatabaseReading) -> Iterator[Metric]:
    yield _family(gauges.HEARTBEAT, _by_name(reading.heartbeats))
    yield _family(gauges.SENSOR_AGE, [((name,), sensor.age) for name, sensor in sorted(reading.sensors.items())])
    yield _family(gauges.SENSOR_FAILING, [((name,), sensor.failed) for name, sensor in sorted(reading.sensors.items())])
    yield _family(gauges.QUEUED, [((), reading.queued_seconds)])
    yield _family(gauges.QUIET, [((), reading.quiet_seconds)])
    yield _family(gauges.EVENT_LOG, [((), reading.event_log_bytes)])
    yield _family(gauges.DATABASE, [((), reading.bytes)])
    yield _family(gauges.CONNECTIONS, [((), reading.connections)])
    yield _family(gauges.CONNECTIONS_LIMIT, [((), reading.connections_limit)])


def _counted(reading: LedgerReading, feeds: list[str], states: Iterable[State]) -> Values:
    return [((feed,), sum(reading.partitions.get((feed, state), 0) for state in states)) for feed in feeds]


def _by_name(found: Mapping[str, float]) -> Values:
    return [((name,), value) for name, value in sorted(found.items())]


def _age(since: datetime | None) -> float:
    return 0.0 if since is None else (datetime.now(UTC) - since).total_seconds()


def _family(gauge: Gauge, values: Values) -> Metric:
    family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
    for labels, value in values:
        family.add_metric(labels, float(value))
    return family
