"""Which lake an installation has: HDFS where there is one, else a folder below its home; and what maps its rows."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.mapper import ARROW, STANDARD
from shp_core.lake.place import Place
from shp_resources.hdfs.client import Hdfs
from shp_resources.hdfs.cluster import STREAMING, Cluster, cluster_of
from shp_resources.lake.engine import LocalEngine
from shp_resources.lake.local import LocalFolder
from shp_resources.settings import Settings
from shp_resources.yarn.engine import YarnEngine
from shp_resources.yarn.rest import Yarn

HDFS, YARN = "hdfs", "yarn"


def lake_of(settings: Settings) -> Place:
    """The lake's place; nothing connects until it is used."""
    cluster = cluster_of(settings)
    return LocalFolder(settings.home / "lake") if cluster is None else Hdfs(cluster)


def engine_of(settings: Settings, place: Place) -> LocalEngine | YarnEngine:
    """What runs the mapper: YARN where there is one, else a process of this machine; with Arrow where a python is named for it.

    Args:
        settings: the installation.
        place: its lake.

    Raises:
        Fault: there is a YARN, and no client that submits jobs.
    """
    cluster = cluster_of(settings)
    engine = ARROW if settings.mapper_python else STANDARD
    if cluster is None or not cluster.runs_jobs:
        return LocalEngine(place, python=settings.mapper_python or sys.executable, engine=engine)
    _require_client(settings, cluster)
    return YarnEngine(cluster, place, python=settings.mapper_python or "python3", engine=engine)


def lake_systems(settings: Settings) -> tuple[str, ...]:
    """The outside systems whose breakers stand before an installation's lake."""
    cluster = cluster_of(settings)
    if cluster is None:
        return ("lake",)
    return (HDFS, YARN) if cluster.runs_jobs else (HDFS,)


def try_lake(place: Place) -> None:
    """Write a small file into the lake and take it away again.

    Raises:
        Fault: the lake fails.
    """
    path = f"_probe/{uuid4().hex}"
    with TemporaryDirectory(prefix="shp-probe-") as folder:
        probe = Path(folder) / "probe"
        probe.write_bytes(b"probe")
        place.put(probe, path)
    place.remove(path)


def try_yarn(settings: Settings) -> None:
    """Ask the ResourceManager for something small.

    Raises:
        Fault: it does not answer, or there is no client that submits jobs.
    """
    cluster = cluster_of(settings)
    if cluster is not None and cluster.yarn_url is not None:
        _require_client(settings, cluster)
        Yarn(cluster.yarn_url, cluster.user, cluster.kerberos).newest("shp-probe")


def _require_client(settings: Settings, cluster: Cluster) -> None:
    """Whoever names a ResourceManager wants its jobs: a process of this machine would take their place without a word."""
    if cluster.streaming:
        return
    where = f"HADOOP_HOME ({settings.hadoop_home}) holds no {STREAMING}" if settings.hadoop_home else "HADOOP_HOME is not set"
    text = f"SHP_YARN_URL names a ResourceManager, but {where}"
    next_step = "Let HADOOP_HOME name an installed Hadoop, whose client submits jobs, or leave SHP_YARN_URL out."
    raise Fault(Code.SINK_REFUSED, f"{text}.", Evidence(YARN, text=text), next_step)
