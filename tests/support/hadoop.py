"""A real Hadoop for tests: the four daemons as `shp up --hadoop` starts them, without the rest of the platform.

`SHP_HADOOP_CACHE` names a cache of jars that test runs share; without it they are fetched once a session.
Must not live here: expectations.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shp_ops.hadoop.jars import fetch_jars
from shp_ops.hadoop.machine import HadoopMachine
from shp_ops.supervisor.parts import ServiceProcess
from shp_ops.supervisor.scribe import Scribe
from shp_ops.supervisor.services import Service
from shp_resources.hdfs import Cluster
from shp_resources.processes import MARK, free_port, sweep, wait_until
from shp_resources.settings import Settings
from tests.support.waiting import PATIENCE

_READY_SECONDS = 90.0
_SHARE = {
    "hadoop-streaming": "tools/lib",
    "hadoop-yarn-server-timelineservice": "yarn/timelineservice",
    "hadoop-yarn": "yarn",
    "hadoop-mapreduce": "mapreduce",
    "hadoop-hdfs": "hdfs",
    "hadoop-common": "common",
    "hadoop-registry": "common",
    "commons-lang-": "yarn/timelineservice/lib",
    "netty-": "hdfs/lib",
    "guice-": "yarn/lib",
    "": "common/lib",
}
"""Which folder of Apache's archive a jar lies in, by how its name begins."""


def unpacked(home: Path) -> Path:
    """A folder like that of Apache's archive, made of Maven's jars; its scripts and tests are left out."""
    jars = fetch_jars(Settings.load(_cache(), home=home.with_name("maven")).hadoop_cache)
    for jar in jars.glob("*.jar"):
        place(home, jar.name).symlink_to(jar)
    return home


def place(home: Path, jar: str) -> Path:
    """Where a jar belongs in a folder like that of Apache's archive; the folder around it is made."""
    folder = next(folder for begins, folder in _SHARE.items() if jar.startswith(begins))
    path = home / "share" / "hadoop" / folder / jar
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _cache() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name == "SHP_HADOOP_CACHE"}


class Daemons:
    """The daemons of one home.

    Args:
        home: where they keep everything.
        names: which to run, the four by default; `hive` too where it is named.
        variables: what its settings are made of; Maven's jars by default.
    """

    def __init__(
        self,
        home: Path,
        names: tuple[str, ...] = ("namenode", "datanode", "resourcemanager", "nodemanager"),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = Settings.load(_cache() if variables is None else variables, home=home)
        self._machine = HadoopMachine(self.settings, with_hive="hive" in names)
        self.mark = f"test-{os.getpid()}-{home.name}"
        self.ports: dict[str, int] = {}
        for name in self._machine.port_names:
            self.ports[name] = free_port(taken=self.ports.values())
        self._machine.prepare(self.ports, lambda line: None)
        services = [service for service in self._machine.services(self.ports) if service.name in names]
        self.environ = self._machine.environment({MARK: self.mark})
        self.parts = {service.name: self._part(service, home) for service in services}

    def _part(self, service: Service, home: Path) -> ServiceProcess:
        return ServiceProcess(service, Scribe.over(home / f"{service.name}.log"), lambda: self.environ, home)

    @property
    def cluster(self) -> Cluster:
        """What the platform is told of it."""
        return self._machine.cluster(self.ports)

    def start(self, *names: str) -> None:
        """Start these daemons (all of them by default) and wait until they are ready."""
        chosen = [self.parts[name] for name in names or self.parts]
        for part in chosen:
            part.start()
        for part in chosen:
            self.await_ready(part.name)

    def await_ready(self, name: str) -> None:
        """Wait until a daemon says that it is ready."""
        part = self.parts[name]
        assert wait_until(lambda: part.why_not_ready(0.0) is None, _READY_SECONDS, 0.1), f"{name}: {part.why_not_ready(0.0)}"

    def revive(self) -> None:
        """Start again what a test killed and left."""
        dead = [name for name, part in self.parts.items() if part.process is None]
        if dead:
            self.start(*dead)
            self.await_ready("datanode")  # a NameNode with blocks is in safe mode until its DataNode has reported

    def kill(self, name: str) -> None:
        """End a daemon with a signal that it cannot catch, and wait until it is gone."""
        process = self.parts[name].process
        assert process is not None, f"{name} does not run"
        process.send(signal.SIGKILL)
        assert process.gone_within(PATIENCE)

    def freeze(self, name: str, frozen: bool = True) -> None:
        """Let a daemon hang, or go on."""
        process = self.parts[name].process
        assert process is not None
        process.send(signal.SIGSTOP if frozen else signal.SIGCONT)

    def stop(self) -> None:
        """End all of them, and whatever tasks they left."""
        for part in reversed(list(self.parts.values())):
            part.stop()
        sweep(self.mark)


@contextmanager
def daemons(home: Path, *names: str, variables: Mapping[str, str] | None = None) -> Iterator[Daemons]:
    """Daemons that run through a block."""
    made = Daemons(home, *([names] if names else []), variables=variables)
    try:
        made.start()
        yield made
    finally:
        made.stop()
