"""Files on an SFTP server, by paramiko (the extra `sftp`); a server whose key nobody vouched for is refused."""

from __future__ import annotations

import base64
import errno
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.healing.faults import Evidence
from shp_resources import landing
from shp_resources.landing import Seen, is_delivery, printable
from shp_resources.ledger import Source
from shp_resources.sources.protocol import Stream, fault, missing, moving, told, words
from shp_resources.sources.settings import Access, SourceSettings

PORT = 22
READ, WINDOW = 32 << 10, 2 << 20
"""Bytes of one read, as servers allow it, and of all that are under way."""


class SftpSource:
    """A folder on an SFTP server, or a file.

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
                return [self._seen(self._origin, client.stat(self._origin.path))]
            found = {entry.filename: entry for entry in client.listdir_attr(self._origin.path)}
        return [self._seen(self._origin.below(name), found[name]) for name in sorted(found) if self._counts(name, found[name])]

    @contextmanager
    def open(self, uri: str, version: str = "", start: int = 0) -> Iterator[Stream]:
        """The bytes, from `start` on if the file has not changed."""
        path = Origin(uri).path
        with self._connected("fetching") as client, client.open(path, "rb") as file:
            before = file.stat()
            now = _version(before)
            begin = start if version and version == now else 0
            windows = _windows(begin, before.st_size)
            pieces = (piece for window in windows for piece in file.readv(window))
            yield Stream(now, begin, before.st_size, self._pieces(client, pieces, path, now))

    def _pieces(self, client: Any, pieces: Iterator[bytes], path: str, version: str) -> Iterator[bytes]:
        yield from pieces
        if _version(client.stat(path)) != version:
            raise moving(self.system, printable(Origin(path).name))

    def _seen(self, origin: Origin, status: Any) -> Seen:
        quiet = abs(time.time() - (status.st_mtime or 0)) >= landing.QUIET_SECONDS
        source = Source(origin.uri, printable(origin.name), status.st_size or 0, (status.st_mtime or 0) * 1_000_000_000, 0)
        return Seen(source, quiet, stat.S_ISREG(status.st_mode or 0))

    def _counts(self, name: str, status: Any) -> bool:
        return is_delivery(name, self._match) and not stat.S_ISDIR(status.st_mode or 0)

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


def _version(status: Any) -> str:
    return f"{status.st_size}-{status.st_mtime}"
