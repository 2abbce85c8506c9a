"""Hadoop's own configuration files for one machine: everything below one folder, everything on the loopback address.

Lives here: which property, and why that value. Each name is Hadoop's own (core-default.xml and its siblings describe it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from shp_resources.processes import LOOPBACK, MARK

PORTS = (
    "namenode_rpc",
    "namenode",
    "datanode_data",
    "datanode",
    "datanode_rpc",
    "resourcemanager_rpc",
    "resourcemanager_scheduler",
    "resourcemanager_tracker",
    "resourcemanager_admin",
    "resourcemanager",
    "nodemanager_rpc",
    "nodemanager_localizer",
    "nodemanager",
    "nodemanager_shuffle",
)
"""Every port that a daemon listens on; those named like a daemon answer HTTP."""

SMALL_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true")
"""Four of them and a job share a laptop: one collector thread, the quick compiler, no files in the machine's /tmp."""

_JOB_JVM = " ".join(SMALL_JVM[:3])
_INHERITED = "JAVA_HOME,HADOOP_CONF_DIR,PATH,LANG,LC_ALL,TZ"
_LOG4J = """\
log4j.rootLogger=INFO,A
log4j.logger.http.requests=WARN
log4j.appender.A=org.apache.log4j.ConsoleAppender
log4j.appender.A.target=System.err
log4j.appender.A.layout=org.apache.log4j.PatternLayout
log4j.appender.A.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""


@dataclass(frozen=True)
class Place:
    """Where a Hadoop for one machine keeps everything.

    Args:
        folder: its folder below `SHP_HOME`.
        classes: the entries of a class path that hold Hadoop's classes.
    """

    folder: Path
    classes: tuple[str, ...]

    @property
    def conf(self) -> Path:
        """Hadoop's configuration files."""
        return self.folder / "conf"

    @property
    def web(self) -> Path:
        """What NameNode and DataNode serve as their (empty) pages; WebHDFS does not start without."""
        return self.folder / "web"

    @property
    def class_path(self) -> str:
        """What a daemon or a client is started with."""
        return ":".join((str(self.conf), str(self.web), *self.classes))

    @property
    def job_class_path(self) -> str:
        """What a container of YARN is started with, in the form of Hadoop's properties."""
        return ",".join((str(self.conf), *self.classes))


def write_configuration(place: Place, ports: Mapping[str, int], heap: int = 200) -> None:
    """Write all files anew, so that an upgrade and another port reach them.

    Args:
        place: where.
        ports: a port for each of `PORTS`.
        heap: MiB for a map task; its Java only carries lines to the mapper.
    """
    place.conf.mkdir(parents=True, exist_ok=True)
    _site(place, "core", _core(place, ports))
    _site(place, "hdfs", _hdfs(place, ports))
    _site(place, "yarn", _yarn(place, ports))
    _site(place, "mapred", _mapred(place, ports, heap))
    (place.conf / "log4j.properties").write_text(_LOG4J, encoding="utf-8")
    for page in ("hdfs", "datanode"):
        inner = place.web / "webapps" / page / "WEB-INF"
        inner.mkdir(parents=True, exist_ok=True)
        (inner / "web.xml").write_text("<web-app/>\n", encoding="utf-8")


def _core(place: Place, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "fs.defaultFS": f"hdfs://{_at(ports, 'namenode_rpc')}",
        "hadoop.tmp.dir": place.folder / "data",
        "fs.permissions.umask-mode": "027",
    }


def _hdfs(place: Place, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "dfs.replication": 1,
        "dfs.namenode.name.dir": place.folder / "name",
        "dfs.datanode.data.dir": place.folder / "data" / "blocks",
        "dfs.namenode.http-address": _at(ports, "namenode"),
        "dfs.datanode.address": _at(ports, "datanode_data"),
        "dfs.datanode.http.address": _at(ports, "datanode"),
        "dfs.datanode.ipc.address": _at(ports, "datanode_rpc"),
        "dfs.datanode.hostname": LOOPBACK,
        "dfs.permissions.enabled": "true",
        "dfs.checksum.type": "CRC32",  # which the platform computes while it sends, and so need not read back
        "dfs.namenode.safemode.extension": 0,  # milliseconds after the only DataNode has reported; the default makes 3 s 33
        "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 10,
        # The one DataNode is never left out for being slow or suspected: there is no other.
        "dfs.client.block.write.replace-datanode-on-failure.enable": "false",
    }


def _yarn(place: Place, ports: Mapping[str, int]) -> dict[str, object]:
    logs = place.folder / "container-logs"
    return {
        "yarn.resourcemanager.hostname": LOOPBACK,
        "yarn.resourcemanager.address": _at(ports, "resourcemanager_rpc"),
        "yarn.resourcemanager.scheduler.address": _at(ports, "resourcemanager_scheduler"),
        "yarn.resourcemanager.resource-tracker.address": _at(ports, "resourcemanager_tracker"),
        "yarn.resourcemanager.admin.address": _at(ports, "resourcemanager_admin"),
        "yarn.resourcemanager.webapp.address": _at(ports, "resourcemanager"),
        "yarn.resourcemanager.scheduler.class": "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler",
        "yarn.resourcemanager.am.max-attempts": 2,
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": 200,
        "yarn.nm.liveness-monitor.expiry-interval-ms": 15000,
        "yarn.am.liveness-monitor.expiry-interval-ms": 30000,  # a Java that starts on a busy machine says nothing for 15 s
        "yarn.node-attribute.fs-store.root-dir": (place.folder / "data" / "node-attributes").as_uri(),
        "yarn.nodemanager.hostname": LOOPBACK,
        "yarn.nodemanager.bind-host": LOOPBACK,
        "yarn.nodemanager.address": _at(ports, "nodemanager_rpc"),
        "yarn.nodemanager.localizer.address": _at(ports, "nodemanager_localizer"),
        "yarn.nodemanager.webapp.address": _at(ports, "nodemanager"),
        # No job of ours shuffles, yet every map task asks for the service by this name. It listens on all addresses.
        "yarn.nodemanager.aux-services": "mapreduce_shuffle",
        "yarn.nodemanager.resource.memory-mb": 3072,
        "yarn.nodemanager.resource.cpu-vcores": 4,
        "yarn.scheduler.minimum-allocation-mb": 128,
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
        "yarn.nodemanager.local-dirs": place.folder / "data" / "containers",
        "yarn.nodemanager.log-dirs": logs,
        # Tasks carry the platform's mark, so that the guardian finds them when their NodeManager was killed.
        "yarn.nodemanager.env-whitelist": f"{_INHERITED},{MARK}",
        "yarn.application.classpath": place.job_class_path,
    }


def _mapred(place: Place, ports: Mapping[str, int], heap: int) -> dict[str, object]:
    return {
        "mapreduce.framework.name": "yarn",
        "mapreduce.application.classpath": place.job_class_path,
        "mapreduce.shuffle.port": ports["nodemanager_shuffle"],
        "yarn.app.mapreduce.am.resource.mb": 512,
        "yarn.app.mapreduce.am.command-opts": f"-Xmx256m {_JOB_JVM}",
        "yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms": 200,
        "mapreduce.map.memory.mb": 384,
        "mapreduce.map.java.opts": f"-Xmx{heap}m {_JOB_JVM}",
        "mapreduce.task.io.sort.mb": 16,
    }


def _at(ports: Mapping[str, int], name: str) -> str:
    return f"{LOOPBACK}:{ports[name]}"


def _site(place: Place, name: str, properties: Mapping[str, object]) -> None:
    write_site(place.conf / f"{name}-site.xml", properties)


def write_site(path: Path, properties: Mapping[str, object]) -> None:
    """Write one of Hadoop's files of properties."""
    lines = [f"  <property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>" for key, value in properties.items()]
    text = "\n".join(
        ["<!-- Written by shp; edits are overwritten by the next start. -->", "<configuration>", *lines, "</configuration>", ""]
    )
    path.write_text(text, encoding="utf-8")
