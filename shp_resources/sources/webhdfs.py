"""Files in HDFS that somebody else puts there, or that the store keeps there, by WebHDFS.

The lake is another thing (`shp_resources.hdfs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from shp_core.feeds.origin import Origin
from shp_resources.hdfs.client import Hdfs
from shp_resources.hdfs.cluster import Cluster, this_user
from shp_resources.hdfs.errors import Answer, client_errors, evidence
from shp_resources.landing import printable
from shp_resources.sources.listed import ListedSource, Status
from shp_resources.sources.protocol import PIECE, fault, missing

_UNFINISHED = "._COPYING_"
"""What Hadoop's own client lets the name of a file end with until it is whole."""


class HdfsSource(ListedSource):
    """A folder in HDFS, or a file; the address names the host and port of WebHDFS."""

    def keep(self, name: str, path: Path) -> None:
        """Put a file into the folder, as the lake's are: held to HDFS's own checksum, then renamed."""
        self._folder.put(path, name)

    def remove(self, name: str) -> None:
        """Take a file away."""
        self._folder.remove(name)

    def _status(self, client: Any, origin: Origin) -> Status:
        return _status(client.status(origin.path))

    def _listed(self, client: Any) -> dict[str, Status]:
        found = client.list(self._origin.path.rstrip("/") or "/", status=True)
        return {name: _status(told) for name, told in found if not name.endswith(_UNFINISHED)}

    @contextmanager
    def _reading(self, client: Any, origin: Origin, status: Status, begin: int) -> Iterator[Iterator[bytes]]:
        with client.read(origin.path, offset=begin, chunk_size=PIECE) as pieces:
            yield pieces

    @contextmanager
    def _connected(self, doing: str) -> Iterator[Any]:
        try:
            yield self._client
        except client_errors() as error:
            if isinstance(error, Answer) and error.status == 404:
                raise missing(self.system, printable(self._origin.name or self._origin.path)) from None
            raise fault(replace(evidence(error), system=self.system), doing) from error

    @cached_property
    def _client(self) -> Any:
        from shp_resources.hdfs.web import LakeClient

        return LakeClient((f"http://{self._origin.place}",), self._user, self._settings.timeout)

    @cached_property
    def _folder(self) -> Hdfs:
        return Hdfs(Cluster((f"http://{self._origin.place}",), self._user, self._origin.path.rstrip("/")), self._settings.timeout)

    @property
    def _user(self) -> str:
        return self._settings.access(self._origin.place).user or this_user()


def _status(told: dict[str, Any]) -> Status:
    size, changed = told["length"], told["modificationTime"]
    return Status(size, changed * 1_000_000, f"{size}-{changed}", is_file=told["type"] == "FILE")
