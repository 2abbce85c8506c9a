"""A Hadoop for one machine, all of it: prepared before anything starts, then four services and what others are told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import ShpError, UsageError
from shp_ops.hadoop import daemons, hive
from shp_ops.hadoop.configuration import PORTS, Place, write_configuration
from shp_ops.hadoop.installed import Installed, installed_hadoop
from shp_ops.hadoop.jars import Tell, fetch_jars, jar_folder
from shp_ops.hadoop.java import Java, find_java
from shp_ops.supervisor.services import Service
from shp_resources.hdfs.cluster import Cluster, seal, this_user
from shp_resources.processes import LOOPBACK
from shp_resources.settings import Settings

_FORMAT_SECONDS = 120.0
_CLIENT_HEAP = 256
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")


class HadoopMachine:
    """The Hadoop of one installation.

    Args:
        settings: the installation.
        with_hive: whether a HiveServer2 belongs to it.

    Raises:
        UsageError: this machine cannot run it, or `HADOOP_HOME` names something else.
    """

    def __init__(self, settings: Settings, with_hive: bool = False) -> None:
        self._java: Java = find_java()
        self.with_hive = with_hive
        self.port_names = (*PORTS, hive.NAME) if with_hive else PORTS
        self._settings = settings
        self.installed = _installed(settings)
        self._place = Place(_plain(settings.home / "hadoop"), self._classes())
        self._user = settings.hdfs_user or this_user()

    def _classes(self) -> tuple[str, ...]:
        return self.installed.classes if self.installed else (f"{_plain(jar_folder(self._settings.hadoop_cache))}/*",)

    def prepare(self, ports: Mapping[str, int], tell: Tell) -> None:
        """Fetch what is not there yet, write the configuration, format once.

        Args:
            ports: a port for each of `port_names`.
            tell: told what happens, in one line each.

        Raises:
            ShpError: something of that failed.
        """
        if self.installed is None:
            fetch_jars(self._settings.hadoop_cache, tell)
        daemons.make_folders(self._place)
        write_configuration(self._place, ports)
        if self.with_hive:
            fetch_jars(self._settings.hadoop_cache, tell, hive.POM, "Hive (280 MB, once)")
            hive.write_configuration(self._place, ports[hive.NAME])
        if not self._formatted():
            self._format()

    def services(self, ports: Mapping[str, int]) -> list[Service]:
        """The daemons, in the order in which they are started; they end in the opposite order."""
        four = daemons.daemons(self._java, self._place, ports, self._user)
        if not self.with_hive:
            return four
        jars = _plain(jar_folder(self._settings.hadoop_cache, hive.POM))
        return [*four, hive.service(self._java, self._place, jars, ports[hive.NAME], self._user)]

    def environment(self, mark: Mapping[str, str]) -> dict[str, str]:
        """A daemon's whole environment: none of the installation's secrets.

        Args:
            mark: by which the guardian finds the platform's processes.
        """
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {**inherited, **self._client_environment(), **mark}

    def cluster(self, ports: Mapping[str, int]) -> Cluster:
        """What other processes are told of it."""
        client = daemons.java_command(self._java, self._place, _CLIENT_HEAP)
        return Cluster(
            hdfs_urls=(f"http://{LOOPBACK}:{ports['namenode']}",),
            user=self._user,
            root=self._settings.hdfs_root,
            yarn_url=f"http://{LOOPBACK}:{ports['resourcemanager']}",
            streaming=(*client, "org.apache.hadoop.streaming.HadoopStreaming"),
            environ=self._client_environment(),
            own=True,
            hive_port=ports[hive.NAME] if self.with_hive else None,
        )

    def _client_environment(self) -> dict[str, str]:
        return {"JAVA_HOME": str(self._java.home), "HADOOP_CONF_DIR": str(self._place.conf), "HADOOP_USER_NAME": self._user}

    def _formatted(self) -> bool:
        """Whether there is a file system; one that lost its names is never formatted over.

        Raises:
            ShpError: there was one, and its names are gone.
        """
        there = (self._place.folder / "name" / "current" / "VERSION").is_file()
        if not there and self._seal.exists():
            raise ShpError(
                Code.SERVICE_FAILED,
                f"The NameNode's folder {self._place.folder / 'name'} has lost its content.",
                f"Restore it, or delete {self._place.folder} to start with an empty HDFS: the lake is made again from the store.",
            )
        return there and self._seal.exists()

    @property
    def _seal(self) -> Path:
        return seal(self._settings)

    def _format(self) -> None:
        done = subprocess.run(
            daemons.format_command(self._java, self._place),
            cwd=self._place.folder,
            env=self.environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FORMAT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ShpError(Code.SERVICE_FAILED, f"HDFS could not be formatted: {done.stdout[-1500:]}")
        self._seal.touch()


def _installed(settings: Settings) -> Installed | None:
    """The Hadoop that the settings name, None: Maven fetches one."""
    return installed_hadoop(_plain(settings.hadoop_home.absolute())) if settings.hadoop_home else None


def _plain(path: Path) -> Path:
    """A path that Hadoop's class paths and lists of folders can hold.

    Raises:
        UsageError: it cannot.
    """
    if any(sign in str(path) for sign in " ,:;%*"):
        raise UsageError(
            f"Hadoop cannot work in {path}: its lists of folders know no blank and none of , : ; % *",
            "Choose another folder with --home or SHP_HOME (and SHP_HADOOP_CACHE, HADOOP_HOME).",
            Code.SETTINGS_INVALID,
        )
    return path
