"""Which Hadoop there is: one that the settings name, else the one that `shp up --hadoop` runs for this home.

A running platform tells it in a file, as the embedded PostgreSQL does with its address. A home that has an HDFS keeps it while
it does not run: what is to go there waits, and no folder takes its place.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shp_resources.kerberos import KERBEROS
from shp_resources.settings import Settings

STREAMING = "share/hadoop/tools/lib/hadoop-streaming-*.jar"
"""Where an installed Hadoop keeps what submits a streaming job."""


@dataclass(frozen=True)
class Cluster:
    """A Hadoop.

    Args:
        hdfs_urls: WebHDFS addresses of its NameNodes; one of them is active. Empty: it is the home's own, and does not run.
        user: who we are there.
        root: the folder in HDFS below which everything of ours lies.
        yarn_url: address of its ResourceManager, None: no jobs.
        streaming: the command that submits a Hadoop Streaming job, without its options; empty: there is no client that could.
        environ: what that command needs in its environment.
        own: whether `shp up --hadoop` runs it.
        kerberos: whether it asks for Kerberos, and a ticket says who we are.
        hive_port: where the HiveServer2 of `shp up --hadoop --hive` listens, None: there is none.
    """

    hdfs_urls: tuple[str, ...]
    user: str
    root: str
    yarn_url: str | None = None
    streaming: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    own: bool = False
    kerberos: bool = False
    hive_port: int | None = None

    @property
    def rests(self) -> bool:
        """Whether it is the home's own and does not run now."""
        return not self.hdfs_urls

    @property
    def label(self) -> str:
        """What kind of place the lake in it is, for people."""
        return f"hdfs {self.hdfs_urls[0]}{self.root}" if self.hdfs_urls else f"hdfs of this home, which does not run, {self.root}"

    @property
    def runs_jobs(self) -> bool:
        """Whether jobs are to be submitted to it."""
        return self.yarn_url is not None


def cluster_of(settings: Settings) -> Cluster | None:
    """The Hadoop of an installation, None when it has none: then a local folder stands in for the lake."""
    if settings.hdfs_urls:
        return _named(settings)
    try:
        found = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return Cluster((), settings.hdfs_user or this_user(), settings.hdfs_root, own=True) if seal(settings).exists() else None
    return Cluster(**{**found, "hdfs_urls": tuple(found["hdfs_urls"]), "streaming": tuple(found["streaming"])})


def tell_cluster(settings: Settings, cluster: Cluster) -> None:
    """Let other processes of the installation find a cluster that this one runs."""
    path = _file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps(asdict(cluster)), encoding="utf-8")
    draft.replace(path)


def forget_cluster(settings: Settings) -> None:
    """The cluster that this process ran is gone."""
    _file(settings).unlink(missing_ok=True)


def seal(settings: Settings) -> Path:
    """The file that says that the home has an HDFS of its own; it is made when the file system is, and goes with it."""
    return settings.home / "hadoop" / "formatted"


def this_user() -> str:
    """The operating system's name for us; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"u{os.getuid()}"


def _named(settings: Settings) -> Cluster:
    user = settings.hdfs_user or this_user()
    streaming = _of_installation(settings.hadoop_home) if settings.hadoop_home else ()
    kerberos = settings.hadoop_auth == KERBEROS
    environ = {} if kerberos else {"HADOOP_USER_NAME": user}
    if settings.hadoop_conf is not None:
        environ["HADOOP_CONF_DIR"] = str(settings.hadoop_conf)
    return Cluster(settings.hdfs_urls, user, settings.hdfs_root, settings.yarn_url, streaming, environ, kerberos=kerberos)


def _of_installation(home: Path) -> tuple[str, ...]:
    """How an installed Hadoop submits a streaming job."""
    found = sorted(home.glob(STREAMING))
    return (str(home / "bin" / "hadoop"), "jar", str(found[-1])) if found else ()


def _file(settings: Settings) -> Path:
    return settings.home / "hadoop" / "cluster.json"
