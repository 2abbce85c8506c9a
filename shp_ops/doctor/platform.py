"""The running platform: its services, its sensors, and the Hadoop beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_ops.doctor.check import Check, ok, wrong
from shp_ops.doctor.machine import java
from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState, status
from shp_ops.watchdog.readings import sensors_of
from shp_resources.database import make_engine, translate
from shp_resources.hdfs.cluster import cluster_of
from shp_resources.kerberos import NoProof
from shp_resources.lake.settings import lake_of, try_lake, try_yarn
from shp_resources.processes import port_is_free
from shp_resources.settings import Settings

_STOPPED = sa.text("SELECT instigator_body FROM instigators WHERE instigator_type = 'SENSOR' AND status = 'STOPPED'")
_NAMED_BY = {"namenode": "SHP_HDFS_URL", "resourcemanager": "SHP_YARN_URL", "hive": "SHP_HIVE_URL"}
_HAS_SENSORS = sa.text("SELECT to_regclass('instigators') IS NOT NULL")


def platform(settings: Settings) -> Iterator[Check]:
    """The services, each asked how it is; one line where none runs."""
    state = PlatformState.load(Layout(settings.home).state)
    if state is None or state.process is None:
        yield ok("platform", "It does not run now; shp up starts it.")
        return
    for name, service in status(settings)["services"].items():
        if service["ready"]:
            yield ok(f"service_{name}", f"{name} is ready.")
        else:
            yield wrong(f"service_{name}", f"{name}: {service['why']}", _mend(settings, name, ours=name in state.services))


def _mend(settings: Settings, name: str, *, ours: bool) -> str:
    """What mends a service: of one that is not ours there is neither a log here nor a start."""
    if ours or name not in _NAMED_BY:
        return f"Read {Layout(settings.home).log(name)}; then: shp down && shp up"
    return f"Start it, or correct {_NAMED_BY[name]}; a started platform goes on by itself when it answers."


def sensors(dsn: str) -> Check:
    """Whether somebody turned a sensor off, or one fails: then nothing is taken up, or nothing heals.

    Args:
        dsn: address of Dagster's database.
    """
    try:
        off, failing = _stopped(dsn), _failing(dsn)
    except ShpError as error:
        return wrong("sensors", error.message, error.next_step)
    if failing:
        why = "Its ticks in the UI (Automation) say why; so does: shp logs daemon"
        return wrong("sensors", f"The last tick failed of: {', '.join(sorted(failing))}.", why)
    if not off:
        return ok("sensors", "No sensor is turned off, and none fails.")
    return wrong("sensors", f"Turned off: {', '.join(sorted(off))}.", "Turn them on in the UI: Automation, then the switch beside each.")


def _stopped(dsn: str) -> set[str]:
    with translate("ledger"), make_engine(dsn, pooled=False).connect() as connection:
        if not connection.execute(_HAS_SENSORS).scalar_one():
            return set()
        bodies = connection.execute(_STOPPED).scalars()
        return {str(json.loads(body)["origin"]["job_name"]) for body in bodies}


def _failing(dsn: str) -> set[str]:
    with translate("ledger"), make_engine(dsn, pooled=False).connect() as connection:
        there = connection.execute(_HAS_SENSORS).scalar_one()
    return {name for name, sensor in sensors_of(dsn).items() if sensor.failed} if there else set()


def ports(settings: Settings) -> Check:
    """Whether the ports that this home used last are its own, or free for it.

    Args:
        settings: the installation.
    """
    layout = Layout(settings.home)
    state, known = PlatformState.load(layout.state), layout.remembered_ports()
    if state is not None and state.process is not None:
        own = ", ".join(f"{name} {service.port}" for name, service in sorted(state.services.items()) if service.port)
        return ok("ports", f"The platform's ports are {own}.")
    taken = sorted(f"{port} ({name})" for name, port in known.items() if not port_is_free(port))
    if not taken:
        return ok("ports", "The ports of the last start are free." if known else "Free ports are chosen by the first start.")
    return wrong(
        "ports", f"Another program listens on {', '.join(taken)}.", "End it, or run shp up: it takes other ports, and prints them."
    )


def lake(settings: Settings) -> Iterator[Check]:
    """The lake's place, and what runs its jobs, as the settings name them."""
    place, cluster = lake_of(settings), cluster_of(settings)
    if cluster is None:
        yield ok("lake", f"The lake is {place.label}.")
        return
    yield java()
    if cluster.rests:
        yield _at_rest(settings)
        return
    yield _of_cluster("lake", "SHP_HDFS_URL", lambda: _tried(settings))
    yield _of_cluster("yarn", "SHP_YARN_URL", lambda: _asked(settings))


def _at_rest(settings: Settings) -> Check:
    """The home's own HDFS does not run: as it should be where nothing runs, and forgotten where a platform does."""
    state = PlatformState.load(Layout(settings.home).state)
    if state is None or state.process is None:
        return ok("lake", "The lake is this home's HDFS, which does not run now; shp up --hadoop starts it.")
    return wrong("lake", "The lake is this home's HDFS, and the platform was started without it.", "Run: shp down && shp up --hadoop")


def _of_cluster(name: str, variable: str, ask: Callable[[], str]) -> Check:
    """What a Hadoop answers; of one that the settings name and that nobody finds, the setting is to blame or the cluster."""
    try:
        return ok(name, ask())
    except ShpError as error:
        away = error.code is Code.SINK_UNREACHABLE and not isinstance(error.__cause__, NoProof)
        return wrong(name, error.message, f"Start it, or correct {variable}." if away else error.next_step)


def _tried(settings: Settings) -> str:
    place = lake_of(settings)
    try_lake(place)
    return f"The lake is {place.label}, and can be written."


def _asked(settings: Settings) -> str:
    try_yarn(settings)
    cluster = cluster_of(settings)
    return "YARN answers." if cluster is not None and cluster.runs_jobs else "There is no YARN; a process of this machine maps rows."
