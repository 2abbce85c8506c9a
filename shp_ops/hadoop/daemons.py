"""The four daemons as services of the supervisor: how each is called and how it is asked whether it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shp_ops.hadoop import probes
from shp_ops.hadoop.configuration import SMALL_JVM, Place
from shp_ops.hadoop.java import Java
from shp_ops.supervisor.services import Service
from shp_resources.processes import LOOPBACK

NAMES = ("namenode", "datanode", "resourcemanager", "nodemanager")
_CLASSES = {
    "namenode": "org.apache.hadoop.hdfs.server.namenode.NameNode",
    "datanode": "org.apache.hadoop.hdfs.server.datanode.DataNode",
    "resourcemanager": "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
    "nodemanager": "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
}
_HEAP = 160  # MiB; four of them take 860 MB together after a job
# A NodeManager that ran a job takes 17 s to end by itself, and what it would tidy up is tidied at its next start.
_GRACE = {"nodemanager": 2.0}


def daemons(java: Java, place: Place, ports: Mapping[str, int], user: str) -> list[Service]:
    """The services, in the order in which they are started.

    Args:
        java: what runs them.
        place: where their files are.
        ports: a port for each of `configuration.PORTS`.
        user: who they run as, in Hadoop's eyes.
    """
    urls = {name: f"http://{LOOPBACK}:{ports[name]}" for name in NAMES}
    ready = {
        "namenode": lambda since: probes.namenode(urls["namenode"], user),
        "datanode": lambda since: probes.datanode(urls["namenode"], user),
        "resourcemanager": lambda since: probes.resourcemanager(urls["resourcemanager"]),
        "nodemanager": lambda since: probes.nodemanager(urls["nodemanager"], urls["resourcemanager"]),
    }
    return [Service(name, _command(java, place, name), ready[name], ports[name], _GRACE.get(name, 5.0)) for name in NAMES]


def format_command(java: Java, place: Place) -> list[str]:
    """The command that makes an empty file system."""
    return [*java_command(java, place, _HEAP), _CLASSES["namenode"], "-format", "-force", "-nonInteractive"]


def java_command(java: Java, place: Place, heap: int) -> list[str]:
    """A Java with our class path and configuration, without a class to run.

    Args:
        java: what runs it.
        place: where jars and configuration are.
        heap: MiB at most.
    """
    aside = f"-Djava.io.tmpdir={place.folder / 'tmp'}"
    homes = [f"-Dhadoop.home.dir={place.folder / 'no-home'}", f"-Dhadoop.log.dir={place.folder / 'data'}"]
    return [str(java.program), f"-Xmx{heap}m", *SMALL_JVM, aside, *homes, "-cp", place.class_path]


def _command(java: Java, place: Place, name: str) -> list[str]:
    return [*java_command(java, place, _HEAP), _CLASSES[name]]


def make_folders(place: Place) -> None:
    """The folders that a daemon expects."""
    for folder in (place.folder / "tmp", place.folder / "no-home", place.folder / "data", place.folder / "container-logs"):
        Path(folder).mkdir(parents=True, exist_ok=True)
