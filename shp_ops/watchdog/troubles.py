"""Troubles of the platform itself as incidents in the ledger: opened when they are seen, closed when they are not any more.

Must not live here: from when on something is a trouble (`shp_core.watching`), and services that are away now (`emergency`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from shp_core.clock import Clock
from shp_core.healing.inventory import PLATFORM
from shp_core.watching import SYSTEMS, Seen, troubles
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState
from shp_ops.watchdog.readings import DatabaseReading, read_database, read_machine
from shp_resources.ledger import Ledger
from shp_resources.settings import Settings

LOOK = timedelta(seconds=20)
_OVER = "It was looked at again and is over."


class Troubles:
    """Looks from time to time.

    Args:
        ledger: where incidents and breakers are.
        see: what is seen of processes, runs, sensors and the machine; None: the database does not answer.
        clock: tells the time.
    """

    def __init__(self, ledger: Ledger, see: Callable[[], Seen | None], clock: Clock) -> None:
        self._ledger, self._see, self._clock = ledger, see, clock
        self._due = clock.now()

    def look(self) -> None:
        """Look if that is due; open an incident for each new trouble, close those of troubles that are over.

        Raises:
            Fault: the ledger does not answer; the next look sees the same.
        """
        now = self._clock.now()
        if now < self._due:
            return
        self._due = now + LOOK
        seen = self._see()
        if seen is not None:
            self._tell(seen)

    def _tell(self, seen: Seen) -> None:
        now, incidents = self._clock.now(), self._ledger.incidents
        with self._ledger.transaction():
            known = {incident.cause: incident.id for incident in incidents.open()}
            shut = {one.name: one.opened_at for one in self._ledger.breakers.open() if one.name not in known and one.opened_at}
            ages = {name: (now - at).total_seconds() for name, at in shut.items()}
            away = {name: one for name, one in seen.away.items() if f"{PLATFORM}{name}" in known or SYSTEMS.get(name) not in known}
            found = {trouble.cause: trouble for trouble in troubles(replace(seen, shut=ages, away=away))}
            for cause, trouble in found.items():
                if cause not in known:
                    said = {"severity": str(trouble.severity), "code": str(trouble.code), "message": trouble.message}
                    incidents.join_all(cause, "", [], at=now, **said)
            for cause, number in known.items():
                if cause.startswith(PLATFORM) and cause not in found:
                    incidents.close(number, _OVER, now)


def see(settings: Settings, away: Callable[[], Mapping[str, tuple[str, float]]] = dict) -> Seen | None:
    """Look at an installation; None when its database does not answer.

    Args:
        settings: the installation.
        away: by service of an external cluster that does not answer, why, and for how many seconds it does not.
    """
    database = read_database(settings)
    return None if database is None else replace(_seen(settings, database), away=away())


def _seen(settings: Settings, database: DatabaseReading) -> Seen:
    machine = read_machine(settings)
    return Seen(
        restarted=_restarted(settings),
        queued=database.queued_seconds,
        quiet=database.quiet_seconds,
        failing={name: sensor.failing for name, sensor in database.sensors.items() if sensor.failed},
        late={name: sensor.age for name, sensor in database.sensors.items()},
        disk=machine.disk,
        memory=machine.memory_available,
        connections=(database.connections, database.connections_limit),
    )


def _restarted(settings: Settings) -> dict[str, tuple[int, float]]:
    state = PlatformState.load(Layout(settings.home).state)
    services = state.services if state is not None and state.process is not None else {}
    return {name: (service.restarts, time.time() - service.since) for name, service in services.items() if service.restarts}
