"""What every kind of remote source can do, and how its failures are told."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.landing import Seen

PIECE = 1 << 18
"""Bytes that are held in memory at a time."""

_TEXT = 300
_NOBODY = frozenset({"ConnectTimeout", "ConnectTimeoutError", "EndpointConnectionError", "NoValidConnectionsError"})
"""What clients call it when nobody answers at all, whatever the operating system said."""

_USERINFO = re.compile(r"://[^/@\s]*@")
_QUERY = re.compile(r"\?[^\s'\")]*")


@dataclass(frozen=True)
class Stream:
    """The bytes of one version of a file, from some place on.

    Args:
        version: names the version, so that a later stream can go on in it; empty where the source cannot promise that.
        start: where these bytes begin.
        size: bytes of the whole file.
        pieces: the bytes; at the end it is certain that they are of that version, or a fault is raised.
    """

    version: str
    start: int
    size: int | None
    pieces: Iterator[bytes]


class RemoteSource(Protocol):
    """A place that files come from; nothing connects before the first call. Every method raises `Fault` when it fails.

    Attributes:
        system: the outside system, as evidence and breakers name it.
    """

    system: str

    def look(self) -> list[Seen]:
        """The files that are there, in order of names.

        Raises:
            Fault: `source_missing`, there is no such folder or file; or the source failed.
        """

    def open(self, uri: str, version: str = "", start: int = 0) -> AbstractContextManager[Stream]:
        """Read a file from some place on, if it still is of that version, else from its beginning.

        Args:
            uri: of a file that was seen.
            version: of the bytes that are there already.
            start: their number.
        """


class Keeper(RemoteSource, Protocol):
    """A folder that files may be put into, too."""

    def size(self, name: str) -> int:
        """Bytes of one of its files.

        Raises:
            Fault: `source_missing`, there is none of that name; or the place failed.
        """

    def keep(self, name: str, path: Path) -> None:
        """Put a file there, whole or not at all, over one of that name.

        Args:
            name: how it is called there.
            path: the file.
        """

    def remove(self, name: str) -> None:
        """Take a file away; nothing happens when there is none."""


@contextmanager
def told(system: str, doing: str, foreign: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Tell failures of a source as faults.

    Args:
        system: the outside system.
        doing: what was tried, for people.
        foreign: exceptions of its client beside those of the operating system.

    Raises:
        Fault: as `classify` names it.
    """
    try:
        yield
    except Fault:
        raise
    except (OSError, *foreign) as error:  # type: ignore[misc]  # a tuple made of classes
        raise fault(Evidence(system, errno=number_behind(error), text=words(error)), doing) from None  # its message may quote an address


def fault(evidence: Evidence, doing: str) -> Fault:
    """A failure of a source."""
    code = classify(evidence)
    return Fault(Code.TRANSIENT if code is Code.CODE_BUG else code, f"{evidence.system} failed while {doing}: {evidence.text}", evidence)


def missing(system: str, name: str) -> Fault:
    """There is no such file or folder."""
    return Fault(Code.SOURCE_MISSING, f"{name} is not there.", Evidence(system, errno=errno.ENOENT, text="not there"))


def moving(system: str, name: str) -> Fault:
    """A file changed while it was read."""
    return Fault(Code.STILL_MOVING, f"{name} changed while it was fetched.", Evidence(system, text="another version"))


def words(error: BaseException) -> str:
    """An exception's class and first words, without secrets."""
    said = _QUERY.sub("?…", _USERINFO.sub("://", " ".join(str(error).split())))
    return f"{type(error).__name__}: {said}"[:_TEXT]


def number_behind(error: BaseException) -> int:
    """The operating system's number behind a broken connection, however deep it is wrapped."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        number = _number(one)
        if number is not None:
            return number
        waiting += [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
    return errno.ECONNRESET


def _number(error: BaseException) -> int | None:
    if isinstance(error, socket.gaierror) or type(error).__name__ in _NOBODY:
        return errno.EHOSTUNREACH
    if isinstance(error, ssl.SSLCertVerificationError):
        return errno.EACCES
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT
    if isinstance(error, ssl.SSLError):
        return errno.ECONNRESET
    return error.errno if isinstance(error, OSError) and isinstance(error.errno, int) else None
