"""How Hadoop is, for `shp status`: the daemons that the supervisor runs, or the cluster that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shp_ops.hadoop import hive, probes
from shp_ops.supervisor.state import HALTED, ServiceState
from shp_resources.hdfs.cluster import Cluster, cluster_of, this_user
from shp_resources.hive import hive_of
from shp_resources.processes import LOOPBACK, is_halted
from shp_resources.settings import Settings


def look_at_own(settings: Settings, services: Mapping[str, ServiceState]) -> dict[str, dict[str, Any]]:
    """What each daemon of ours says.

    Args:
        settings: the installation.
        services: the daemons as the supervisor told of them.
    """
    return {name: _own(settings, services, name) for name in services}


def look_at_external(settings: Settings) -> dict[str, dict[str, Any]]:
    """What the cluster of the settings says; empty when they name none."""
    return {name: _fields(None, *ask()) for name, ask in _external(settings).items()}


def external_probes(settings: Settings) -> dict[str, Callable[[], str | None]]:
    """What the cluster of the settings is asked: by service, why it is not ready; empty when they name none."""
    return {name: partial(_why, ask) for name, ask in _external(settings).items()}


def _external(settings: Settings) -> dict[str, Callable[[], tuple[str, str | None]]]:
    """By service, what tells its address and why it is not ready."""
    cluster = cluster_of(settings)
    server = hive_of(settings) if settings.hive_url else None
    asked: dict[str, Callable[[], tuple[str, str | None]]] = {}
    if cluster is not None and not cluster.own:
        asked["namenode"] = partial(_active, cluster)
        if (url := cluster.yarn_url) is not None:
            asked["resourcemanager"] = lambda: (url, probes.resourcemanager(url, cluster.kerberos))
    if server is not None:
        asked[hive.NAME] = lambda: (server.label, hive.why_not_ready(server.host, server.port, server.user))
    return asked


def _active(cluster: Cluster) -> tuple[str, str | None]:
    """The first NameNode that answers; of several one is active."""
    answers = {url: probes.namenode(url, cluster.user, cluster.kerberos) for url in cluster.hdfs_urls}
    active = next((url for url, why in answers.items() if why is None), None)
    return (active, None) if active else (cluster.hdfs_urls[0], "; ".join(why for why in answers.values() if why))


def _why(ask: Callable[[], tuple[str, str | None]]) -> str | None:
    return ask()[1]


def _own(settings: Settings, services: Mapping[str, ServiceState], name: str) -> dict[str, Any]:
    service, url = services[name], _urls(services)[name]
    shown = url.replace("http://", "hive://") if name == hive.NAME else url
    return {**_fields(service.pid, shown, why_not_ready(settings, services, name)), "restarts": service.restarts}


def why_not_ready(settings: Settings, services: Mapping[str, ServiceState], name: str) -> str | None:
    """Why one of our daemons is not ready, None when it is.

    Args:
        settings: the installation.
        services: the daemons as the supervisor told of them.
        name: which one.
    """
    service = services.get(name, ServiceState())
    if service.pid is None:
        return "its process has died and will be started again" if service.process else "not started yet"
    if is_halted(service.pid):
        return HALTED
    return _ask(name, _urls(services), settings.hdfs_user or this_user())


def _urls(services: Mapping[str, ServiceState]) -> dict[str, str]:
    return {one: f"http://{LOOPBACK}:{state.port}" for one, state in services.items()}


def _ask(name: str, urls: Mapping[str, str], user: str) -> str | None:
    if name == "namenode":
        return probes.namenode(urls[name], user)
    if name == "datanode":
        return probes.datanode(urls["namenode"], user)
    if name == "resourcemanager":
        return probes.resourcemanager(urls[name])
    if name == hive.NAME:
        return hive.why_not_ready(LOOPBACK, int(urls[name].rpartition(":")[2]), user)
    return probes.nodemanager(urls[name], urls["resourcemanager"])


def _fields(pid: int | None, url: str, why: str | None) -> dict[str, Any]:
    return {"pid": pid, "ready": why is None, "url": url, "why": why, "restarts": 0}
