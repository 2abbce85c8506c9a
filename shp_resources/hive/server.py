"""Which HiveServer2 there is, and one statement with its answer, behind our errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.hdfs.cluster import cluster_of, this_user
from shp_resources.settings import Settings

SYSTEM = "hive"
DATABASE = "curated"
SECONDS = 60.0
_SCHEME, _PORT = "hive", 10000
_TIMED_OUT = 3
"""What Thrift calls a timeout among the types of its transport's errors."""


@dataclass(frozen=True)
class HiveServer:
    """A HiveServer2 with plain authentication (`hive.server2.authentication` NONE).

    Args:
        host: its host.
        port: its Thrift port.
        user: who we are there.
        database: where our tables are.
    """

    host: str
    port: int
    user: str
    database: str = DATABASE

    @property
    def label(self) -> str:
        """How it is called wherever it shows."""
        return f"{_SCHEME}://{self.host}:{self.port}/{self.database}"

    @contextmanager
    def session(self, seconds: float = SECONDS) -> Iterator[Session]:
        """A connection through a block.

        Args:
            seconds: how long each answer may take; the client itself would wait for ever.

        Raises:
            Fault: Hive does not answer.
            UsageError: its client is not installed.
        """
        with told_as_faults("connecting"):
            transport, connection = self._connect(seconds)
        with closing(transport):  # whose session broke off gets no farewell: it may not answer that either
            yield Session(connection)
            with told_as_faults("closing"):
                connection.close()

    def _connect(self, seconds: float) -> tuple[Any, Any]:
        """The connection, and what it goes through."""
        try:
            from pyhive import hive
            from thrift.transport.TSocket import TSocket
            from thrift_sasl import TSaslClientTransport
        except ImportError as error:
            raise UsageError("Hive's client is not installed.", "Run: pip install 'shp[hive]'", Code.SETTINGS_INVALID) from error
        socket = TSocket(self.host, self.port)
        socket.setTimeout(seconds * 1000)
        login = partial(hive.get_installed_sasl, host=self.host, sasl_auth="PLAIN", username=self.user, password="-")
        transport = TSaslClientTransport(login, "PLAIN", socket)
        return transport, hive.connect(username=self.user, thrift_transport=transport)


class Session:
    """One connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, statement: str) -> None:
        """Execute a statement that answers nothing.

        Raises:
            Fault: Hive failed, or refused it.
        """
        with told_as_faults(statement[:80]), self._cursor() as cursor:
            cursor.execute(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a query; its rows.

        Raises:
            Fault: Hive failed, or refused it.
        """
        with told_as_faults(statement[:80]), self._cursor() as cursor:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def hive_of(settings: Settings) -> HiveServer | None:
    """The HiveServer2 of an installation: the one that the settings name, else the one that `shp up --hive` runs.

    Raises:
        UsageError: SHP_HIVE_URL is no address.
    """
    if settings.hive_url:
        return _named(settings.hive_url)
    cluster = cluster_of(settings)
    if cluster is None or cluster.hive_port is None:
        return None
    return HiveServer("127.0.0.1", cluster.hive_port, cluster.user)


def _named(url: str) -> HiveServer:
    """`hive://[user@]host[:port][/database]`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        host, port = None, 0
    if host is None or parts.scheme != _SCHEME:
        raise UsageError("SHP_HIVE_URL is no address of a HiveServer2.", "Write hive://user@host:10000/database.", Code.SETTINGS_INVALID)
    return HiveServer(host, port, parts.username or this_user(), parts.path.strip("/") or DATABASE)


@contextmanager
def told_as_faults(doing: str) -> Iterator[None]:
    """Tell failures of Hive as faults.

    Args:
        doing: what was tried, for people.

    Raises:
        Fault: as `classify` names it.
    """
    try:
        yield
    except _client_errors() as error:
        text = _words(error)
        evidence = Evidence(SYSTEM, errno=_number(error), text=text)
        raise Fault(classify(evidence), f"Hive failed ({doing}): {text}", evidence, "See: shp status") from error


def _client_errors() -> tuple[type[Exception], ...]:
    try:
        from pyhive.exc import Error
        from thrift.Thrift import TException
    except ImportError:
        return (OSError,)
    return Error, TException, OSError


def _words(error: Exception) -> str:
    """What Hive says of it: its own message, when it answered."""
    status = getattr(error.args[0], "status", None) if error.args else None
    return str(getattr(status, "errorMessage", None) or f"{type(error).__name__}: {error}").partition("\n")[0][:300]


def _number(error: Exception) -> int | None:
    """The operating system's number of what failed; Hive's own refusals have none."""
    if type(error).__name__ == "TTransportException":
        return errno.ETIMEDOUT if getattr(error, "type", None) == _TIMED_OUT else errno.ECONNREFUSED
    return error.errno or errno.ECONNRESET if isinstance(error, OSError) else None
