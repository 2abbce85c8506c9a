"""Which Dagster processes the platform consists of, how each is called and how it is asked whether it is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shp_ops.supervisor import probes
from shp_ops.supervisor.layout import LOCATION, Layout, python
from shp_resources.processes import LOOPBACK

_SPARING = "shp_ops.sparing"
"""Runs the program named after it."""


@dataclass(frozen=True)
class Service:
    """One process of the platform.

    Args:
        name: its name in `shp status`, and of its log file.
        command: how it is started.
        ready: None when it is ready, else the reason why not; gets the time of its start (seconds since 1970).
        port: the port it listens on.
        grace: seconds it has to end by itself.
        with_workers: its own children get the signal to end too.
    """

    name: str
    command: list[str]
    ready: Callable[[float], str | None]
    port: int | None = None
    grace: float = 10.0
    with_workers: bool = False


def code_server(port: int) -> Service:
    """The process that holds our definitions and starts the runs' workers."""
    where = ["--host", LOOPBACK, "--port", str(port), "--location-name", LOCATION, "--use-python-environment-entry-point"]
    command = python(_SPARING, "dagster", "api", "grpc", "--module-name", "shp_ops.definitions", *where)
    # A worker that is told to end writes down that its run was interrupted; that needs the code server no more, but the database.
    return Service("code", command, lambda since: probes.listening(port), port, grace=20.0, with_workers=True)


def fork_server(layout: Layout) -> Service:
    """The process that forks a worker for each run; without it runs go through the code server, only slower."""
    # When it is told to end it interrupts its workers and waits until they have written that down.
    return Service("runs", python("shp_ops.forkserver"), lambda since: probes.forks(layout.home), grace=25.0)


def webserver(layout: Layout, port: int) -> Service:
    """The process that serves the UI."""
    where = ["--host", LOOPBACK, "--port", str(port), "--workspace", str(layout.workspace)]
    return Service("web", python(_SPARING, "dagster_webserver", *where), lambda since: probes.web(f"http://{LOOPBACK}:{port}"), port)


def viewers(layout: Layout, port: int) -> Service:
    """The process that serves the UI to those who may only look: whatever would change something is refused."""
    where = ["--host", LOOPBACK, "--port", str(port), "--workspace", str(layout.workspace)]
    return Service(
        "viewers", python(_SPARING, "dagster_webserver", "--read-only", *where), lambda since: probes.web(f"http://{LOOPBACK}:{port}"), port
    )


def watchdog(port: int) -> Service:
    """The process that watches the others, tells people and answers monitoring."""
    command = python("shp_ops.watchdog", "--port", str(port))
    return Service("watchdog", command, lambda since: probes.watchdog(port), port)


def daemon(layout: Layout, dsn: str) -> Service:
    """The process that evaluates sensors, launches queued runs and works off backfills."""
    command = python(_SPARING, "shp_ops.daemon", "run", "--workspace", str(layout.workspace))
    return Service("daemon", command, lambda since: probes.daemon(dsn, since))
