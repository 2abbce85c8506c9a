"""What sources that tell a file's length and version beforehand share: looking at a folder or a file, reading from some place on.

Must not live here: how one of them is spoken to (`s3`, `sftp`, `webhdfs`).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from shp_core.feeds.origin import Origin
from shp_resources import landing
from shp_resources.landing import Seen, is_delivery, printable
from shp_resources.ledger import Source
from shp_resources.sources.protocol import Stream, moving
from shp_resources.sources.settings import SourceSettings


@dataclass(frozen=True)
class Status:
    """What a place says of a file.

    Args:
        size: bytes.
        changed_ns: when it last changed, nanoseconds since 1970.
        version: names its bytes, so that a later stream can go on in them.
        etag: the version, where it is an ETag.
        is_file: whether it is a file that counts.
    """

    size: int
    changed_ns: int
    version: str
    etag: str = ""
    is_file: bool = True

    @property
    def quiet(self) -> bool:
        """Whether nobody writes to it: an object is there when it is whole; others have not changed for a while."""
        return bool(self.etag) or abs(time.time() - self.changed_ns / 1e9) >= landing.QUIET_SECONDS


class ListedSource(ABC):
    """A folder of such a place, or a file.

    Args:
        origin: its address.
        settings: credentials and deadlines.
        match: which of a folder's files count.
    """

    def __init__(self, origin: Origin, settings: SourceSettings, match: str) -> None:
        self.system = origin.system
        self._origin, self._settings, self._match = origin, settings, match

    def look(self) -> list[Seen]:
        """The files, without their bytes."""
        with self._connected("looking") as client:
            if not self._origin.is_folder:
                return [_seen(self._origin, self._status(client, self._origin))]
            found = self._listed(client)
        counted = sorted(name for name, status in found.items() if status.is_file and is_delivery(name, self._match))
        return [_seen(self._origin.below(name), found[name]) for name in counted]

    def size(self, name: str) -> int:
        """Bytes of a file in the folder."""
        with self._connected("looking") as client:
            return self._status(client, self._origin.below(name)).size

    @contextmanager
    def open(self, uri: str, version: str = "", start: int = 0) -> Iterator[Stream]:
        """The bytes, from `start` on if the file is of that version."""
        origin = Origin(uri)
        with self._connected("fetching") as client:
            status = self._status(client, origin)
            begin = start if version and version == status.version else 0
            with self._reading(client, origin, status, begin) as pieces:
                yield Stream(status.version, begin, status.size, self._unchanged(client, origin, status, pieces))

    def _unchanged(self, client: Any, origin: Origin, status: Status, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield from pieces
        if not status.etag and self._status(client, origin).version != status.version:
            raise moving(self.system, printable(origin.name))

    @abstractmethod
    def _connected(self, doing: str) -> AbstractContextManager[Any]:
        """Its client; failures are told as faults."""

    @abstractmethod
    def _status(self, client: Any, origin: Origin) -> Status:
        """What it says of one file."""

    @abstractmethod
    def _listed(self, client: Any) -> Mapping[str, Status]:
        """What lies in the folder, by name."""

    @abstractmethod
    def _reading(self, client: Any, origin: Origin, status: Status, begin: int) -> AbstractContextManager[Iterator[bytes]]:
        """A file's bytes from some place on; where there is an ETag, of that version only."""


def _seen(origin: Origin, status: Status) -> Seen:
    source = Source(origin.uri, printable(origin.name), status.size, status.changed_ns, 0, status.etag)
    return Seen(source, status.quiet, status.is_file)
