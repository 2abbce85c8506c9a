"""Files in HDFS that somebody else puts there, by WebHDFS; read only. The lake is another thing (`shp_resources.hdfs`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from shp_core.feeds.origin import Origin
from shp_resources import landing
from shp_resources.hdfs.cluster import this_user
from shp_resources.hdfs.errors import Answer, client_errors, evidence
from shp_resources.landing import Seen, is_delivery, printable
from shp_resources.ledger import Source
from shp_resources.sources.protocol import PIECE, Stream, fault, missing, moving
from shp_resources.sources.settings import SourceSettings

_UNFINISHED = "._COPYING_"
"""What Hadoop's own client lets the name of a file end with until it is whole."""


class HdfsSource:
    """A folder in HDFS, or a file.

    Args:
        origin: its address, with the host and port of WebHDFS.
        settings: who we are there, and deadlines.
        match: which of a folder's files count.
    """

    def __init__(self, origin: Origin, settings: SourceSettings, match: str) -> None:
        self.system = origin.system
        self._origin, self._settings, self._match = origin, settings, match

    def look(self) -> list[Seen]:
        """The files, without their bytes."""
        with self._told("looking"):
            if not self._origin.is_folder:
                return [self._seen(self._origin, self._client.status(self._origin.path))]
            found = dict(self._client.list(self._origin.path.rstrip("/") or "/", status=True))
        return [self._seen(self._origin.below(name), found[name]) for name in sorted(found) if self._counts(name, found[name])]

    @contextmanager
    def open(self, uri: str, version: str = "", start: int = 0) -> Iterator[Stream]:
        """The bytes, from `start` on if the file has not changed."""
        path = Origin(uri).path
        with self._told("fetching"):
            status = self._client.status(path)
            now = _version(status)
            begin = start if version and version == now else 0
            with self._client.read(path, offset=begin, chunk_size=PIECE) as pieces:
                yield Stream(now, begin, status["length"], self._pieces(pieces, path, now))

    def _pieces(self, pieces: Any, path: str, version: str) -> Iterator[bytes]:
        yield from pieces
        if _version(self._client.status(path)) != version:
            raise moving(self.system, printable(Origin(path).name))

    def _seen(self, origin: Origin, status: dict[str, Any]) -> Seen:
        changed = status["modificationTime"] / 1000
        quiet = abs(time.time() - changed) >= landing.QUIET_SECONDS
        source = Source(origin.uri, printable(origin.name), status["length"], status["modificationTime"] * 1_000_000, 0)
        return Seen(source, quiet, status["type"] == "FILE")

    def _counts(self, name: str, status: dict[str, Any]) -> bool:
        return is_delivery(name, self._match) and not name.endswith(_UNFINISHED) and status["type"] == "FILE"

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except client_errors() as error:
            if isinstance(error, Answer) and error.status == 404:
                raise missing(self.system, printable(self._origin.name or self._origin.path)) from None
            raise fault(replace(evidence(error), system=self.system), doing) from error

    @cached_property
    def _client(self) -> Any:
        from shp_resources.hdfs.insecure import LakeClient

        user = self._settings.access(self._origin.place).user or this_user()
        return LakeClient(f"http://{self._origin.place}", user=user, timeout=self._settings.timeout)


def _version(status: dict[str, Any]) -> str:
    return f"{status['length']}-{status['modificationTime']}"
