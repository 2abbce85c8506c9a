"""What goes wrong with WebHDFS, as evidence.

WebHDFS answers almost everything with 403 and says in the body what it was; so its exceptions' names become errnos, and
the table in `shp_core.healing.classify` decides by those.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.kerberos import NoProof

SYSTEM = "hdfs"
LOGIN = "It asks who we are: set SHP_HADOOP_AUTH=kerberos and get a ticket of its realm (kinit, klist; docs/hadoop.md)."
START = "Start it: shp up --hadoop (docs/hadoop.md tells how to do without it again)."

_BY_NAME = {
    "SafeModeException": errno.EAGAIN,
    "StandbyException": errno.EAGAIN,
    "RetriableException": errno.EAGAIN,
    "ObserverRetryOnActiveException": errno.EAGAIN,
    "RecoveryInProgressException": errno.EBUSY,
    "AlreadyBeingCreatedException": errno.EBUSY,
    "LeaseExpiredException": errno.EBUSY,
    "NotReplicatedYetException": errno.EBUSY,
    "SocketTimeoutException": errno.ETIMEDOUT,
    "ConnectTimeoutException": errno.ETIMEDOUT,
    "ConnectException": errno.ECONNREFUSED,
    "NoRouteToHostException": errno.EHOSTUNREACH,
    "IOException": errno.EIO,
    "SocketException": errno.ECONNRESET,
    "EOFException": errno.ECONNRESET,
    "ClosedChannelException": errno.ECONNRESET,
    "AccessControlException": errno.EACCES,
    "AuthorizationException": errno.EACCES,
    "SecurityException": errno.EACCES,
    "NSQuotaExceededException": errno.EDQUOT,
    "DSQuotaExceededException": errno.EDQUOT,
    "QuotaByStorageTypeExceededException": errno.EDQUOT,
    "DiskOutOfSpaceException": errno.ENOSPC,
    "ParentNotDirectoryException": errno.ENOTDIR,
    "FileNotFoundException": errno.ENOENT,
}
_NO_DATANODE = ("There are 0 datanode(s) running", "Failed to find datanode", "minReplication nodes")
"""A NameNode that finds no DataNode for a block says so in a plain IOException, whether none is there or none has room."""


class Answer(Exception):
    """WebHDFS answered that it did not do it.

    Args:
        status: HTTP status.
        name: Hadoop's exception, "" when somebody else (a proxy) answered.
        message: its first line.
    """

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(f"HTTP {status} {name}: {message}")
        self.status, self.name, self.message = status, name, message

    @property
    def is_absence(self) -> bool:
        """Whether HDFS knows no such path; a 404 of somebody else (a gateway, a wrong address) says nothing about that."""
        return self.status == 404 and self.name == "FileNotFoundException"

    @property
    def found_no_datanode(self) -> bool:
        """Whether the NameNode found no DataNode that takes a block."""
        return self.name == "IOException" and any(words in self.message for words in _NO_DATANODE)


class NotWhole(Exception):
    """What lies in HDFS is not what was sent."""


class NoRoom(Exception):
    """The DataNodes are there, and full."""


def client_errors() -> tuple[type[Exception], ...]:
    """What the client raises when HDFS fails: its own error, ours, the connection's."""
    import requests
    from hdfs import HdfsError

    return Answer, NotWhole, NoRoom, HdfsError, requests.RequestException, OSError


@contextmanager
def told_as_faults(doing: str) -> Iterator[None]:
    """Tell failures of HDFS as faults; also a decorator.

    Args:
        doing: what was tried, for people; goes on after "HDFS failed while ".

    Raises:
        Fault: as `classify` names it.
    """
    try:
        yield
    except client_errors() as error:
        found = evidence(error)
        raise Fault(classify(found), f"HDFS failed while {doing}: {found.text}", found, next_step(error, found)) from error


def next_step(error: Exception, found: Evidence) -> str:
    """What the operator can do about a failure of HDFS or YARN: a sentence of its own where a login is missing."""
    if isinstance(error, NoProof):
        return error.next_step
    return LOGIN if found.http_status == 401 else "See: shp status"


def at_rest() -> Fault:
    """The home's own HDFS does not run; told at once, nobody is asked."""
    seen = Evidence(SYSTEM, errno=errno.ECONNREFUSED, text="does not run")
    return Fault(Code.SINK_UNREACHABLE, "The HDFS of this home does not run.", seen, START)


def evidence(error: Exception) -> Evidence:
    """What an error of the client shows; no file's content is in it.

    Args:
        error: an `Answer`, `NotWhole`, `NoRoom`, or what `requests` or the operating system raised.
    """
    if isinstance(error, Answer):
        return Evidence(SYSTEM, http_status=error.status, errno=_number(error), text=str(error)[:300])
    if hasattr(error, "exception"):  # the client's own error: the last of several NameNodes said no
        return evidence(Answer(403, str(error.exception or ""), str(error).partition("\n")[0]))
    if isinstance(error, NotWhole):
        return Evidence(SYSTEM, errno=errno.EIO, text=f"NotWhole: {error}"[:300])
    if isinstance(error, NoRoom):
        return Evidence(SYSTEM, errno=errno.ENOSPC, text=f"NoRoom: {error}"[:300])
    return Evidence(SYSTEM, errno=_of_connection(error), text=f"{type(error).__name__}: {error}"[:300])


def _number(answer: Answer) -> int | None:
    if answer.found_no_datanode:
        return errno.EHOSTUNREACH
    return _BY_NAME.get(answer.name)


def _of_connection(error: BaseException) -> int:
    """The operating system's number behind a broken connection, however deep it is wrapped."""
    import requests

    if isinstance(error, requests.ReadTimeout):
        return errno.ETIMEDOUT
    if isinstance(error, requests.ConnectTimeout):
        return errno.EHOSTUNREACH
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        if isinstance(one, OSError) and one.errno and not isinstance(one, requests.RequestException):
            return int(one.errno)
        waiting += [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
    return errno.ECONNRESET
