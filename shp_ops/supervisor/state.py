"""What the supervisor tells other processes, in a file; and what `shp status` makes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from shp_ops.supervisor import probes
from shp_ops.supervisor.layout import Layout, feed_names
from shp_resources.processes import ProcessId, is_halted
from shp_resources.settings import Settings

WATCHED = ("postgres", "code", "runs", "web", "daemon")
"""What the watchdog watches, beside the daemons of a Hadoop."""

SERVICES = (*WATCHED, "watchdog")
VIEWERS = "viewers"
"""The second UI, where there is one."""

HADOOP = ("namenode", "datanode", "resourcemanager", "nodemanager", "hive")
"""Shown where they run, or where the settings name a cluster."""

SEEN_SECONDS = 4.0
"""So long a restart is told: twice as long as the watchdog lets pass between two looks at a service."""

HALTED = "its process was halted by a signal; kill -CONT lets it go on"


@dataclass(frozen=True)
class ServiceState:
    """One service as the supervisor sees it.

    Args:
        process: its process (`pid@start`), None when it does not run or is not ours.
        since: when it was started, in seconds since 1970.
        restarts: how often it had to be started again.
        port: the port it listens on, if it does.
    """

    process: str | None = None
    since: float = 0.0
    restarts: int = 0
    port: int | None = None

    @property
    def pid(self) -> int | None:
        """Its number, while this very process lives."""
        process = ProcessId.parse(self.process)
        return process.pid if process is not None and process.alive() else None


@dataclass(frozen=True)
class PlatformState:
    """What the supervisor tells other processes.

    Args:
        supervisor: the supervisor's process (`pid@start`).
        mark: what the environments of all its processes carry.
        ui: address of the UI.
        ready_at: when everything was ready for the first time, in seconds since 1970; None: still starting.
        stopped_at: when everything had been stopped; the process may live on and do something else.
        services: by name.
        failure: why it could not start (`code`, `message`, `next`).
    """

    supervisor: str
    mark: str
    ui: str
    ready_at: float | None = None
    stopped_at: float | None = None
    services: dict[str, ServiceState] = field(default_factory=dict)
    failure: dict[str, str] | None = None

    @property
    def process(self) -> ProcessId | None:
        """The supervisor, while it has a platform."""
        if self.stopped_at is not None:
            return None
        process = ProcessId.parse(self.supervisor)
        return process if process is not None and process.alive() else None

    def save(self, path: Path) -> None:
        """Write the file in one step."""
        draft = path.with_name(f"{path.name}.draft")
        draft.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> PlatformState | None:
        """Read the file; None when there is none."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        services = {name: ServiceState(**fields) for name, fields in found.pop("services").items()}
        return cls(**found, services=services)


def status(settings: Settings) -> dict[str, Any]:
    """Ask every service how it is.

    Returns:
        DESIGN's document: `ready`, `ui`, `services` (`pid`, `ready`, `url`, and `why` it is not ready), `feeds`; beside it `lake`.
    """
    state = PlatformState.load(Layout(settings.home).state)
    running = state if state is not None and state.process is not None else None
    names = [*SERVICES, *([VIEWERS] if running is not None and VIEWERS in running.services else [])]
    services = {name: _look(settings, running, name) for name in names} | _hadoop(settings, running)
    ready = running is not None and running.ready_at is not None and all(service["ready"] for service in services.values())
    feeds = [{"feed": feed, "landing": str(settings.landing / feed)} for feed in feed_names(settings)]
    return {"ready": ready, "ui": running.ui if running else None, "services": services, "feeds": feeds, "lake": _lake(settings)}


def _lake(settings: Settings) -> str:
    """What kind of place the lake is; a local folder that stands in for HDFS is called that."""
    from shp_resources.lake.settings import lake_of

    return lake_of(settings).label


def ask(settings: Settings, name: str) -> str | None:
    """Why a service is not ready, None when it is; one that was ready again between two looks must be seen, too.

    Args:
        settings: the installation.
        name: one of `SERVICES`.
    """
    state = PlatformState.load(Layout(settings.home).state)
    service = state.services.get(name, ServiceState()) if state else ServiceState()
    return _ask(settings, name, service) or _started_again(service)


def _started_again(service: ServiceState) -> str | None:
    age = time.time() - service.since
    return f"its process had died and was started again {age:.1f} s ago" if service.restarts and age < SEEN_SECONDS else None


def probes_of(settings: Settings) -> Mapping[str, Callable[[], str | None]]:
    """What a watchdog asks: by service, why it is not ready; with the daemons of a Hadoop where there is one, ours or not.

    Args:
        settings: the installation.
    """
    state = PlatformState.load(Layout(settings.home).state)
    hadoop = [name for name in HADOOP if state is not None and name in state.services]
    own = {name: partial(_ask_hadoop, settings, name) for name in hadoop}
    watched = [*WATCHED, *([VIEWERS] if state is not None and VIEWERS in state.services else [])]
    return {**{name: partial(ask, settings, name) for name in watched}, **cluster_probes(settings), **own}


def cluster_probes(settings: Settings) -> Mapping[str, Callable[[], str | None]]:
    """What of a cluster that the settings name is asked; empty when they name none."""
    if not (settings.hdfs_urls or settings.hive_url):
        return {}
    from shp_ops.hadoop.status import external_probes

    return external_probes(settings)


def _ask_hadoop(settings: Settings, name: str) -> str | None:
    from shp_ops.hadoop.status import why_not_ready

    state = PlatformState.load(Layout(settings.home).state)
    return why_not_ready(settings, {one: state.services[one] for one in HADOOP if one in state.services} if state else {}, name)


def _look(settings: Settings, state: PlatformState | None, name: str) -> dict[str, Any]:
    if state is None and (name != "postgres" or settings.ledger_dsn() is None):
        return {"pid": None, "ready": False, "url": None, "why": "not running"}
    service = state.services.get(name, ServiceState()) if state else ServiceState()
    why = _ask(settings, name, service)
    fields = {"pid": service.pid, "ready": why is None, "url": _url(settings, name, service)}
    return {**fields, "why": why, "restarts": service.restarts}


def _ask(settings: Settings, name: str, service: ServiceState) -> str | None:
    dsn = settings.ledger_dsn()
    if name == "postgres":
        return probes.postgres(dsn)
    if service.pid is None:
        return "its process has died and will be started again" if service.process else "not started yet"
    if is_halted(service.pid):
        return HALTED
    if name == "watchdog":
        return probes.watchdog(service.port or 0)
    if name == "daemon":
        return probes.daemon(dsn, service.since)
    if name == "runs":
        return probes.forks(settings.home)
    return probes.code(service.port or 0) if name == "code" else probes.web(str(_url(settings, name, service)))


def _hadoop(settings: Settings, state: PlatformState | None) -> dict[str, dict[str, Any]]:
    """Our own daemons while they run, else what the settings name; empty where there is no Hadoop."""
    from shp_ops.hadoop.status import look_at_external, look_at_own

    own = {name: state.services[name] for name in HADOOP if state is not None and name in state.services}
    return look_at_external(settings) | look_at_own(settings, own)


def _url(settings: Settings, name: str, service: ServiceState) -> str | None:
    if name == "postgres":
        return _without_password(settings.ledger_dsn())
    scheme = {"code": "grpc", "web": "http", VIEWERS: "http", "watchdog": "http"}.get(name)
    return f"{scheme}://127.0.0.1:{service.port}" if scheme and service.port else None


def _without_password(dsn: str | None) -> str | None:
    if dsn is None or "@" not in dsn:
        return dsn
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def with_service(state: PlatformState, name: str, service: ServiceState) -> PlatformState:
    """The state with one service replaced."""
    return replace(state, services={**state.services, name: service})
