"""How Hadoop is, for `shp status`: the daemons that the supervisor runs, or the cluster that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shp_ops.hadoop import hive, probes
from shp_ops.supervisor.state import HALTED, ServiceState
from shp_resources.hdfs.cluster import cluster_of, this_user
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
    cluster = cluster_of(settings)
    if cluster is None or cluster.own:
        return _external_hive(settings)
    answers = [probes.namenode(url, cluster.user) for url in cluster.hdfs_urls]
    active = next((url for url, why in zip(cluster.hdfs_urls, answers, strict=True) if why is None), None)
    found = {"namenode": _fields(None, active or cluster.hdfs_urls[0], None if active else "; ".join(why for why in answers if why))}
    if cluster.yarn_url is not None:
        found["resourcemanager"] = _fields(None, cluster.yarn_url, probes.resourcemanager(cluster.yarn_url))
    return found | _external_hive(settings)


def _external_hive(settings: Settings) -> dict[str, dict[str, Any]]:
    server = hive_of(settings) if settings.hive_url else None
    return {} if server is None else {hive.NAME: _fields(None, server.label, hive.why_not_ready(server.host, server.port, server.user))}


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
