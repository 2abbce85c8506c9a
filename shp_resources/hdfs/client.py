"""HDFS as a place of the lake: the `hdfs` client behind our errors, and files that come into place whole or not at all.

Never used of that client: `with client.write()` (an exception makes a short file that looks complete) and
`upload(overwrite=True)` (deletes before it renames).
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from shp_core.errors import Fault
from shp_core.lake.place import DRAFT, Entry, require_path
from shp_resources.hdfs.checksums import Sent
from shp_resources.hdfs.cluster import Cluster
from shp_resources.hdfs.errors import Answer, NoRoom, NotWhole, at_rest, client_errors, told_as_faults

CONNECT_SECONDS, READ_SECONDS = 3.05, 60.0
_CHUNK = 1 << 20
_ROOM = 256 << 20
"""Less is none: a DataNode takes a block only with room for whole ones, of 128 MiB mostly."""
_FILE_MODE, _FOLDER_MODE = "640", "750"


class Hdfs:
    """The lake in HDFS; connects at its first use.

    Args:
        cluster: where, and as whom.
        timeout: seconds to wait for a connection, and between two pieces of an answer.
    """

    stands_in = False

    def __init__(self, cluster: Cluster, timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS)) -> None:
        self._cluster, self._timeout = cluster, timeout
        self.label = cluster.label

    def absolute(self, path: str) -> str:
        """A path of the lake as HDFS knows it.

        Raises:
            ValueError: it is none.
        """
        return f"{self._cluster.root}/{require_path(path)}"

    def put(self, source: Path, path: str) -> None:
        """Publish a file: under a hidden name, held to HDFS's own checksum or read back, then renamed over what is there.

        Raises:
            Fault: HDFS failed, or holds other bytes than were sent; what was under the path is there as it was.
        """
        target = self.absolute(path)
        folder, name = posixpath.split(target)
        draft = f"{folder}/.{name}.{uuid4().hex}{DRAFT}"
        try:
            with told_as_faults(f"writing {target}"):
                self._client.makedirs(folder, permission=_FOLDER_MODE)
                sent = self._send(source, draft)
                self._require(draft, sent, source)
                self._rename_over(draft, target, sent, source)
        except Fault:
            with suppress(Fault):
                self._delete(draft)
            raise

    def read(self, path: str) -> bytes | None:
        """The content of a small file, None when there is none."""
        target = self.absolute(path)
        with told_as_faults(f"reading {target}"):
            return self._content(target) if self._status(target) is not None else None

    def fetch(self, path: str, target: Path) -> str:
        """Copy a file out of HDFS; returns the SHA-256 of what came.

        Raises:
            Fault: HDFS failed, or what came is shorter than the file.
        """
        source = self.absolute(path)
        with told_as_faults(f"reading {source}"), target.open("wb") as file:
            digest, size = sha256(), 0
            with self._client.read(source, chunk_size=_CHUNK) as pieces:
                for piece in pieces:
                    digest.update(piece)
                    size += file.write(piece)
            self._require_size(source, size)
        return digest.hexdigest()

    def entries(self, folder: str) -> list[Entry]:
        """What a folder holds, by name; empty when there is no such folder."""
        target = self.absolute(folder)
        with told_as_faults(f"listing {target}"):
            found = self._listed(target)
        return sorted((_entry(name, status) for name, status in found), key=lambda entry: entry.name)

    def read_elsewhere(self, folder: str, begins: str, ends: str) -> bytes | None:
        """The content of a small file that is not of the lake, None when there is none.

        Args:
            folder: the folder that it lies in, as HDFS knows it.
            begins: how its name begins.
            ends: how its name ends.
        """
        with told_as_faults(f"reading {folder}"):
            names = [name for name, _ in self._listed(folder) if name.startswith(begins) and name.endswith(ends)]
            return self._content(f"{folder}/{names[0]}") if names else None

    def move_folder(self, source: str, target: str) -> None:
        """Rename a folder into a name that is free; one that was moved already stays where it is.

        Raises:
            Fault: HDFS failed, or the name is taken.
        """
        before, after = self.absolute(source), self.absolute(target)
        with told_as_faults(f"moving {before}"):
            self._client.makedirs(posixpath.dirname(after), permission=_FOLDER_MODE)
            try:  # without this option a folder that exists would take the moved one into itself
                self._client._rename(before, destination=after, renameoptions="NONE")
            except client_errors():  # the answer may have got lost
                if self._status(before) is not None or self._status(after) is None:
                    raise

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all it holds; nothing happens when there is none."""
        self._delete(self.absolute(path))

    @cached_property
    def _client(self) -> Any:
        from shp_resources.hdfs.web import LakeClient

        if self._cluster.rests:
            raise at_rest()
        return LakeClient(self._cluster.hdfs_urls, self._cluster.user, self._timeout, self._cluster.kerberos)

    def _send(self, source: Path, draft: str) -> Sent:
        """Stream a file into HDFS; returns what was sent."""
        with source.open("rb") as file:
            reader = _Watched(file)
            try:
                self._client.write(draft, data=reader, permission=_FILE_MODE)
            except Answer as answer:
                self._require_room(answer)
                raise
        return reader.sent

    def _require_room(self, answer: Answer) -> None:
        """A NameNode that found no DataNode does not say whether they are away or full: it is asked for the room that there is."""
        if not answer.found_no_datanode:
            return
        capacity, left = 0, 0
        with suppress(*client_errors(), LookupError, ValueError):  # Hadoop before 3.4 does not know the question
            told = self._client._get_status("/").json()["FsStatus"]
            capacity, left = told["capacity"], told["remaining"]
        if capacity > 0 and left < _ROOM:
            raise NoRoom(f"{left:,} of {capacity:,} bytes are left; HDFS says: {answer.message}") from answer

    def _require(self, path: str, sent: Sent, source: Path) -> None:
        """Hold what lies there to what was sent, and that to the file: its length, and every byte of it."""
        if sent.size != source.stat().st_size:
            raise NotWhole(f"{sent.size} bytes of {source.name} were sent to {path}")
        status = self._require_size(path, sent.size)
        same = sent.is_told_by(self._client.checksum(path), status["blockSize"]) if sent.size else True
        if not (self._reads_as(path, source) if same is None else same):
            raise NotWhole(f"{path} holds other bytes than were sent")

    def _reads_as(self, path: str, source: Path) -> bool:
        """Read back what lies there, where HDFS's checksum is of a kind that cannot be computed here."""
        with source.open("rb") as file, self._client.read(path, chunk_size=_CHUNK) as pieces:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)

    def _require_size(self, path: str, size: int) -> Any:
        status = self._status(path)
        if status is None or status["length"] != size:
            raise NotWhole(f"{path} holds {status['length'] if status else 'no'} bytes of {size}")
        return status

    def _rename_over(self, draft: str, target: str, sent: Sent, source: Path) -> None:
        """Let the draft take the target's place; an answer that got lost is asked for."""
        try:
            self._client._rename(draft, destination=target, renameoptions="OVERWRITE")
        except client_errors():
            if self._status(draft) is not None or self._status(target) is None:
                raise
            self._require(target, sent, source)

    def _content(self, path: str) -> bytes:
        with self._client.read(path) as stream:
            content: bytes = stream.read()
            return content

    def _listed(self, path: str) -> list[tuple[str, Any]]:
        """What HDFS knows of each name in a folder; empty when there is no such folder."""
        try:
            found: list[tuple[str, Any]] = self._client.list(path, status=True)
        except Answer as answer:
            if answer.is_absence:
                return []
            raise
        return found

    def _status(self, path: str) -> Any:
        """What HDFS knows of a path, None when there is nothing."""
        try:
            return self._client.status(path)
        except Answer as answer:
            if answer.is_absence:
                return None
            raise

    def _delete(self, path: str) -> None:
        with told_as_faults(f"removing {path}"):
            self._client.delete(path, recursive=True)


class _Watched:
    """A file whose checksum is made while it is read; its length lets the other side notice that something is missing."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sent = Sent()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece: bytes = self._file.read(max(size, _CHUNK) if size > 0 else size)
        self.sent.update(piece)
        return piece

    def __iter__(self) -> Any:
        return iter(lambda: self.read(_CHUNK), b"")

    def __len__(self) -> int:
        return Path(self._file.name).stat().st_size


def _entry(name: str, status: dict[str, Any]) -> Entry:
    return Entry(name, status["type"] == "DIRECTORY", status["length"], status["modificationTime"] / 1000)
