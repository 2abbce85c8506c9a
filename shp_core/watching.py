"""What the platform tells people about itself: a process that had to be started again, a queue that stands, a disk that fills.

Lives here: from when on something is worth telling, and its words. Must not live here: looking, and what a run's verdict tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shp_core.codes import Code
from shp_core.healing.decide import Severity
from shp_core.healing.inventory import PLATFORM, age
from shp_core.limits import GIB, MIB

CALM = timedelta(minutes=5)
"""So long a process that was started again must live until that is over."""

QUEUED_FOR = timedelta(minutes=30)
"""So long a run may wait in the queue; a backfill's runs wait for their turn, but not all of them."""

QUIET_FOR = timedelta(minutes=30)
"""So long a run under way may note no event; a large file takes minutes."""

SENSOR_FAILS = timedelta(minutes=3)
"""So long a sensor may fail; while the code server is started again each of them does."""

SENSOR_LATE = timedelta(minutes=10)
"""So long a sensor may not begin a tick; the slowest begins one every five minutes."""

SHUT_FOR = timedelta(minutes=15)
"""So long a breaker may be open without an incident about its system."""

AWAY_FOR = timedelta(minutes=1)
"""So long a cluster's service may not answer; it is somebody else's, and may be started again."""

SYSTEMS = {"namenode": "hdfs", "resourcemanager": "yarn"}
"""The outside system that a cluster's service is known as where a run met that it is away."""

DISK_BYTES, MEMORY_BYTES = GIB, 256 * MIB
"""Below so much free space, or memory, the next large file may find none."""

CONNECTIONS_SHARE = 0.9
"""Beyond this share of the connections that PostgreSQL allows the next run may get none."""


@dataclass(frozen=True)
class Seen:
    """What was seen of the platform in one look; times in seconds.

    Args:
        restarted: by process that was started again, how often, and how long it lives since.
        queued: for how long the oldest queued run waits.
        quiet: of the runs under way, the longest time since one noted an event.
        failing: by sensor whose last tick failed, the time since one did not.
        late: by sensor, the time since it began a tick.
        shut: by breaker that is open and that no incident is about, for how long it is.
        away: by service of an external cluster that does not answer, why, and for how long it does not.
        disk: by place, bytes that are free.
        memory: bytes that can still be given out.
        connections: how many of PostgreSQL's connections are used, and how many there may be.
    """

    restarted: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    queued: float = 0.0
    quiet: float = 0.0
    failing: Mapping[str, float] = field(default_factory=dict)
    late: Mapping[str, float] = field(default_factory=dict)
    shut: Mapping[str, float] = field(default_factory=dict)
    away: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    disk: Mapping[str, int] = field(default_factory=dict)
    memory: int = MEMORY_BYTES
    connections: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Trouble:
    """Something that people are told of.

    Args:
        cause: what it is about; one incident at a time.
        code: stable code.
        message: what is wrong, for people.
        severity: how bad it is.
    """

    cause: str
    code: Code
    message: str
    severity: Severity = Severity.WARNING


def troubles(seen: Seen) -> list[Trouble]:
    """What people are to be told of, as long as it lasts."""
    return [*_restarts(seen), *_runs(seen), *_sensors(seen), *_breakers(seen), *_clusters(seen), *_room(seen)]


def _restarts(seen: Seen) -> Iterator[Trouble]:
    for name, (times, lives) in sorted(seen.restarted.items()):
        if times and lives < CALM.total_seconds():
            often = "" if times == 1 else f", {times} times since the platform was started"
            yield Trouble(f"{PLATFORM}{name}", Code.SERVICE_FAILED, f"{name} ended and was started again{often}.")


def _runs(seen: Seen) -> Iterator[Trouble]:
    if seen.queued > QUEUED_FOR.total_seconds():
        yield _strained("queue", f"A run waits in the queue for {_age(seen.queued)}.")
    if seen.quiet > QUIET_FOR.total_seconds():
        yield _strained("runs", f"A run that is under way has noted nothing for {_age(seen.quiet)}.")


def _sensors(seen: Seen) -> Iterator[Trouble]:
    for name, since in sorted(seen.failing.items()):
        if since > SENSOR_FAILS.total_seconds():
            yield _strained(f"sensor/{name}", f"The sensor {name} has failed for {_age(since)}.")
    for name, since in sorted(seen.late.items()):
        if name not in seen.failing and since > SENSOR_LATE.total_seconds():
            yield _strained(f"sensor/{name}", f"The sensor {name} has not looked for {_age(since)}.")


def _breakers(seen: Seen) -> Iterator[Trouble]:
    for name, since in sorted(seen.shut.items()):
        if since > SHUT_FOR.total_seconds():
            yield Trouble(f"{PLATFORM}breaker/{name}", Code.BREAKER_OPEN, f"{name} is not asked for {_age(since)}.")


def _clusters(seen: Seen) -> Iterator[Trouble]:
    for name, (why, since) in sorted(seen.away.items()):
        if since > AWAY_FOR.total_seconds():
            yield Trouble(f"{PLATFORM}{name}", Code.SINK_UNREACHABLE, f"The cluster's {name} {why}.")


def _room(seen: Seen) -> Iterator[Trouble]:
    for place, free in sorted(seen.disk.items()):
        if free < DISK_BYTES:
            yield _strained(f"disk/{place}", f"{free // MIB} MiB are free where the {place} lies.", Severity.CRITICAL)
    if seen.memory < MEMORY_BYTES:
        yield _strained("memory", f"{seen.memory // MIB} MiB of memory are left.", Severity.CRITICAL)
    used, most = seen.connections
    if used > most * CONNECTIONS_SHARE:
        yield _strained("connections", f"{used} of PostgreSQL's {most} connections are used.")


def _strained(what: str, message: str, severity: Severity = Severity.WARNING) -> Trouble:
    return Trouble(f"{PLATFORM}{what}", Code.PLATFORM_STRAINED, message, severity)


def _age(seconds: float) -> str:
    return age(timedelta(seconds=seconds))
