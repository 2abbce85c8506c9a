"""HiveServer2 as one more service: its configuration, how it is called, how it is asked whether it is ready.

One Java for all of it: the metastore is a Derby database below `SHP_HOME`, and queries run in the server itself.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from shp_ops.hadoop.configuration import SMALL_JVM, Place, write_site
from shp_ops.hadoop.java import Java
from shp_ops.supervisor.services import Service
from shp_resources.processes import LOOPBACK

NAME = "hive"
POM = Path(__file__).with_name("hive-pom.xml")
_CLASS = "org.apache.hive.service.server.HiveServer2"
_HEAP = 512
_SECONDS = 5.0
_OPENED = ("lang", "lang.reflect", "net", "nio", "io", "time", "util", "util.concurrent", "util.concurrent.atomic", "util.regex")
"""Packages of Java's own into which Hive still looks; `java.sql` beside them."""

_LOG4J = """\
status = ERROR
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{2}: %m%n%ex
rootLogger.level = WARN
rootLogger.appenderRefs = console
rootLogger.appenderRef.console.ref = console
"""
_START, _OK, _COMPLETE = 1, 2, 5
"""Words of Thrift's SASL handshake."""


def write_configuration(place: Place, port: int) -> None:
    """Write Hive's files anew.

    Args:
        place: where Hadoop's are.
        port: where HiveServer2 listens.
    """
    folder = _folder(place) / "conf"
    (_folder(place) / "tmp").mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_site(folder / "hive-site.xml", _properties(place, port))
    (folder / "hive-log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    (folder / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")


def service(java: Java, place: Place, jars: Path, port: int, user: str) -> Service:
    """The service.

    Args:
        java: what runs it.
        place: where Hadoop's files are.
        jars: folder of Hive's jars.
        port: where it listens.
        user: who asks it whether it is ready.
    """
    folder = _folder(place)
    opened = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED] + ["--add-opens=java.sql/java.sql=ALL-UNNAMED"]
    homes = {"hadoop.home.dir": folder, "java.io.tmpdir": folder / "tmp", "derby.stream.error.file": folder / "derby.log"}
    told = [f"-D{name}={value}" for name, value in homes.items()]
    path = f"{folder / 'conf'}:{place.conf}:{jars}/*"
    command = [str(java.program), f"-Xmx{_HEAP}m", *SMALL_JVM, *opened, *told, "-cp", path, _CLASS]
    return Service(NAME, command, lambda since: why_not_ready(LOOPBACK, port, user), port, grace=5.0)


def why_not_ready(host: str, port: int, user: str) -> str | None:
    """Whether HiveServer2 lets us in; None, or the reason why not.

    Args:
        host: its host.
        port: its Thrift port.
        user: who asks.
    """
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as connection:
            connection.settimeout(_SECONDS)
            connection.sendall(_message(_START, b"PLAIN") + _message(_OK, f"\0{user}\0-".encode()))
            answer = connection.recv(1)
    except OSError as error:
        return f"does not answer ({error})"
    return None if answer == bytes([_COMPLETE]) else "does not let us in"


def _message(word: int, payload: bytes) -> bytes:
    return struct.pack(">BI", word, len(payload)) + payload


def _folder(place: Place) -> Path:
    return place.folder / "hive"


def _properties(place: Place, port: int) -> dict[str, object]:
    return {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={_folder(place) / 'metastore'};create=true",
        "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
        "datanucleus.schema.autoCreateAll": "true",
        "hive.metastore.schema.verification": "false",
        "metastore.schema.verification": "false",
        "hive.metastore.warehouse.dir": "/hive",
        "hive.server2.thrift.bind.host": LOOPBACK,
        "hive.server2.thrift.port": port,
        "hive.server2.authentication": "NONE",
        "hive.server2.enable.doAs": "false",
        "hive.server2.webui.port": 0,
        # Queries run in the server: a job on YARN would take ten seconds before its first row.
        "hive.execution.engine": "mr",
        "mapreduce.framework.name": "local",
        "hive.exec.mode.local.auto": "true",
        "hive.fetch.task.conversion": "more",
        "hive.exec.scratchdir": "/tmp/hive",
        "hive.exec.local.scratchdir": _folder(place) / "tmp",
        "hive.server2.logging.operation.log.location": _folder(place) / "tmp" / "operations",
        "hive.server2.tez.initialize.default.sessions": "false",
        "hive.llap.execution.mode": "none",
        "hive.stats.autogather": "false",  # files change without Hive's doing
        "hive.compute.query.using.stats": "false",
        "hive.txn.manager": "org.apache.hadoop.hive.ql.lockmgr.DummyTxnManager",
        "hive.support.concurrency": "false",
        "hive.security.authorization.enabled": "false",
    }
