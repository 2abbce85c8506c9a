"""A platform that heals under a clock that tests move: ticks of the sensors that matter, and the runs they ask for.

Must not live here: expectations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from shp_core.clock import ManualClock
from shp_core.healing.breaker import Breaker, Phase
from shp_resources.ledger import Incident
from shp_resources.warehouse import Warehouse
from tests.support.platforms import Platform, Tick, order
from tests.support.postgres import rows

SENSORS = ("lost_runs", "recovery", "arrivals", "redrives", "lake")


@dataclass
class Ward:
    """A platform, its clock, and every request that its sensors made.

    Args:
        platform: the installation.
        clock: its clock.
        asked: the runs that were asked for, by sensor.
        slept: pauses between tries of a call, seconds.
    """

    platform: Platform
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime.now(UTC)))
    asked: list[tuple[str, dg.RunRequest]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.platform.change(clock=self.clock, sleep=self.slept.append, chance=lambda: 0.5)

    def look(self, *sensors: str) -> list[dg.ExecuteInProcessResult]:
        """Evaluate sensors once each, and run what they ask for."""
        return [result for sensor in sensors or SENSORS for result in self.fulfil(sensor)]

    def fulfil(self, sensor: str) -> list[dg.ExecuteInProcessResult]:
        """Evaluate one sensor and run what it asks for."""
        tick = self.platform.tick(sensor)
        self.asked += [(sensor, request) for request in tick.requests]
        return self.platform.fulfil(tick, sensor)

    def until(self, done: Any, *, seconds: float = 4 * 3600, step: float = 5.0) -> None:
        """Let time pass, and the sensors look, until something holds; the clock makes no run faster."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while not done():
            assert self.clock.now() < end, self.story()
            if not self.look():
                self.clock.advance(timedelta(seconds=step))

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(seconds=seconds))

    def story(self) -> str:
        """What the ledger says, for a failing test."""
        states = self.platform.sql("select partition, state, code, cause, next_attempt_at from shp.partitions order by 1 limit 20")
        return f"{states}\n{self.platform.outside.ledger.breakers.all()}\n{self.platform.outside.ledger.incidents.open()}"

    def drop(self, *names: str) -> None:
        """Put a workbook of one order into the drop folder for each name; the order's number is the name's."""
        for name in names:
            self.platform.drop(f"{name}.xlsx", [order(number_of(name))])

    def breaker(self, name: str = "warehouse") -> Breaker:
        """A breaker; one that never failed is closed."""
        return next((found for found in self.platform.outside.ledger.breakers.all() if found.name == name), Breaker(name))

    def phase(self, name: str = "warehouse") -> Phase:
        """Where a breaker stands."""
        return self.breaker(name).phase

    def incidents(self) -> list[Incident]:
        """All incidents, open ones first."""
        return self.platform.outside.ledger.incidents.newest(100)

    def states(self) -> dict[str, str]:
        """The state of every partition of the feed by file."""
        return {record.partition: str(record.state) for record in self.platform.outside.ledger.partitions.list("orders")}

    def tick(self, sensor: str) -> Tick:
        """Evaluate a sensor and run nothing."""
        return self.platform.tick(sensor)

    def events(self, sensor: str) -> list[Any]:
        """What a sensor tells Dagster of assets and checks, without a run."""
        platform = self.platform
        definition = next(found for found in platform.definitions.sensors or () if found.name == sensor)
        resources = {"outside": platform.outside}
        with dg.build_sensor_context(instance=platform.instance, definitions=platform.definitions, resources=resources) as context:
            answer = definition(context)
        assert isinstance(answer, dg.SensorResult)
        return list(answer.asset_events)


def number_of(name: str) -> int:
    """The order number of a partition made by `drop`."""
    return sum(byte * 256**place for place, byte in enumerate(name.encode()[-3:])) + 1


@contextmanager
def calls_counted() -> Iterator[list[str]]:
    """Every transaction of the warehouse that begins inside the block."""
    begun: list[str] = []
    plain = Warehouse.transaction

    @contextmanager
    def counting(self: Warehouse, *args: Any, **options: Any) -> Iterator[Any]:
        begun.append("transaction")
        with plain(self, *args, **options) as cursor:
            yield cursor

    Warehouse.transaction = counting  # type: ignore[method-assign,assignment]
    try:
        yield begun
    finally:
        Warehouse.transaction = plain  # type: ignore[method-assign]


def role_of(dsn: str, name: str) -> str:
    """The address of a database for a role of its own that may not write yet."""
    rows(dsn, f"create role {name} login password 'secret'")
    database = dsn.rpartition("/")[2]
    place = dsn.rpartition("@")[2].rpartition("/")[0]
    return f"postgresql://{name}:secret@{place}/{database}"
