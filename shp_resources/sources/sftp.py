"""Files on an SFTP server, by paramiko (the extra `sftp`); a server whose key nobody vouched for is refused."""

from __future__ import annotations

import base64
import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.healing.faults import Evidence
from shp_resources.landing import printable
from shp_resources.sources.listed import ListedSource, Status
from shp_resources.sources.protocol import fault, missing, told, words
from shp_resources.sources.settings import Access

PORT = 22
READ, WINDOW = 32 << 10, 2 << 20
"""Bytes of one read, as servers allow it, and of all that are under way."""


class SftpSource(ListedSource):
    """A folder on an SFTP server, or a file."""

    def keep(self, name: str, path: Path) -> None:
        """Put a file into the folder: sent under a hidden name, its length asked for, renamed."""
        folder = self._origin.path
        draft = f"{folder}.{name}.{uuid4().hex[:8]}"
        with self._connected("keeping") as client:
            try:
                client.put(str(path), draft, confirm=True)
                client.posix_rename(draft, f"{folder}{name}")
            except (OSError, EOFError):
                with suppress(OSError, EOFError):  # the connection may be what failed
                    client.remove(draft)
                raise

    def remove(self, name: str) -> None:
        """Take a file away."""
        with self._connected("removing") as client, suppress(FileNotFoundError):
            client.remove(f"{self._origin.path}{name}")

    def _status(self, client: Any, origin: Origin) -> Status:
        return _status(client.stat(origin.path))

    def _listed(self, client: Any) -> dict[str, Status]:
        return {entry.filename: _status(entry) for entry in client.listdir_attr(self._origin.path) if not stat.S_ISDIR(entry.st_mode or 0)}

    @contextmanager
    def _reading(self, client: Any, origin: Origin, status: Status, begin: int) -> Iterator[Iterator[bytes]]:
        with client.open(origin.path, "rb") as file:
            yield (piece for window in _windows(begin, status.size) for piece in file.readv(window))

    @contextmanager
    def _connected(self, doing: str) -> Iterator[Any]:
        import paramiko

        with told(self.system, doing, (paramiko.SSHException, EOFError)):
            try:
                with paramiko.SSHClient() as ssh:
                    self._log_in(ssh)
                    with ssh.open_sftp() as client:
                        client.get_channel().settimeout(self._settings.read_seconds)
                        yield client
            except FileNotFoundError:
                raise missing(self.system, printable(self._origin.name or self._origin.path)) from None
            except (paramiko.AuthenticationException, paramiko.BadHostKeyException, _UnknownHost) as error:
                raise self._refused(error, doing) from None

    def _log_in(self, ssh: Any) -> None:
        access, (host, port) = self._settings.access(self._origin.place), _host_and_port(self._origin.place)
        ssh.set_missing_host_key_policy(_Unknown())
        _know(ssh, access, host, port)
        connect, read = self._settings.timeout
        ssh.connect(
            host,
            port,
            username=access.user,
            password=access.password,
            key_filename=access.key_file,
            timeout=connect,
            banner_timeout=read,
            auth_timeout=read,
            look_for_keys=access.password is None and access.key_file is None,
            allow_agent=access.password is None and access.key_file is None,
        )

    def _refused(self, error: Exception, doing: str) -> Fault:
        return fault(Evidence(self.system, errno=errno.EACCES, text=words(error)), doing)


class _UnknownHost(Exception):
    """Nobody vouched for the server's key."""


class _Unknown:
    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        raise _UnknownHost(f"the server's key {key.get_name()} {key.get_base64()} is not known")


def _know(ssh: Any, access: Access, host: str, port: int) -> None:
    """Let the key that the environment names count, and no other; else those in `~/.ssh/known_hosts`."""
    if access.host_key is None:
        ssh.load_system_host_keys()
        return
    import paramiko

    kind, _, body = access.host_key.strip().partition(" ")
    key = paramiko.PKey.from_type_string(kind, _decoded(body))
    ssh.get_host_keys().add(host if port == PORT else f"[{host}]:{port}", kind, key)


def _decoded(body: str) -> bytes:
    return base64.b64decode(body.split()[0]) if body.strip() else b""


def _host_and_port(place: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdigit() else (place.strip("[]"), PORT)


def _windows(begin: int, size: int) -> Iterator[list[tuple[int, int]]]:
    """What is asked for at a time: many small reads at once for speed, and never so many that memory grows with the file."""
    for start in range(begin, size, WINDOW):
        end = min(start + WINDOW, size)
        yield [(place, min(READ, end - place)) for place in range(start, end, READ)]


def _status(found: Any) -> Status:
    size, changed = found.st_size or 0, found.st_mtime or 0
    return Status(size, changed * 1_000_000_000, f"{size}-{changed}", is_file=stat.S_ISREG(found.st_mode or 0))
