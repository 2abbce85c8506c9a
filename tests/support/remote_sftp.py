"""A real SFTP server (paramiko) on the loopback address, over a folder of this machine; hangs up when it is told to.

Must not live here: expectations.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko

from tests.support.waiting import PATIENCE

USER, PASSWORD = "reader", "s3cr3t"


@dataclass
class RemoteSftp:
    """The server.

    Args:
        folder: what it shows.
        port: where it listens.
        host_key: its key, as `known_hosts` has it.
        cut_after: hang up when so many bytes were read; None: never.
        reads: where each read began.
        at_read: done before each read.
        full: refuse to write.
    """

    folder: Path
    port: int = 0
    host_key: str = ""
    cut_after: int | None = None
    reads: list[int] = field(default_factory=list)
    at_read: Any = None
    full: bool = False
    transports: list[paramiko.Transport] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"sftp://127.0.0.1:{self.port}"


@contextmanager
def remote_sftp(folder: Path) -> Iterator[RemoteSftp]:
    """A server over a folder."""
    key = paramiko.ECDSAKey.generate()
    sftp = RemoteSftp(folder, host_key=f"{key.get_name()} {key.get_base64()}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sftp.port = listener.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listener, key, sftp), daemon=True)
        thread.start()
        try:
            yield sftp
        finally:
            for transport in sftp.transports:
                transport.close()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


def _serve(listener: socket.socket, key: paramiko.PKey, sftp: RemoteSftp) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, sftp)
        sftp.transports.append(transport)
        transport.start_server(event=threading.Event(), server=_Door())


class _Door(paramiko.ServerInterface):
    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if (username, password) == (USER, PASSWORD) else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, sftp: RemoteSftp) -> None:
        super().__init__(server)
        self._sftp = sftp

    def list_folder(self, path: str) -> Any:
        return self._told(lambda: [_status(one) for one in self._real(path).iterdir()])

    def stat(self, path: str) -> Any:
        return self._told(lambda: _status(self._real(path)))

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        return self._told(lambda: _Handle(self._real(path), self._sftp, writes=bool(flags & os.O_WRONLY)))

    def remove(self, path: str) -> Any:
        return self._told(lambda: self._real(path).unlink() or paramiko.SFTP_OK)

    def posix_rename(self, oldpath: str, newpath: str) -> Any:
        return self._told(lambda: self._real(oldpath).rename(self._real(newpath)) and paramiko.SFTP_OK)

    def _real(self, path: str) -> Path:
        return self._sftp.folder / path.lstrip("/")

    def _told(self, do: Any) -> Any:
        try:
            return do()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)


class _Handle(paramiko.SFTPHandle):
    def __init__(self, path: Path, sftp: RemoteSftp, *, writes: bool) -> None:
        super().__init__()
        self._path, self._sftp, self._file = path, sftp, path.open("wb" if writes else "rb", buffering=0)

    def stat(self) -> Any:
        return _status(self._path)

    def read(self, offset: int, length: int) -> Any:
        self._sftp.reads.append(offset)
        if self._sftp.at_read is not None:
            self._sftp.at_read()
        if self._sftp.cut_after is not None and offset >= self._sftp.cut_after:
            for transport in self._sftp.transports:
                transport.close()
            return paramiko.SFTP_FAILURE
        return os.pread(self._file.fileno(), length, offset)

    def write(self, offset: int, data: bytes) -> Any:
        if self._sftp.full:
            return paramiko.SFTP_FAILURE
        os.pwrite(self._file.fileno(), data, offset)
        return paramiko.SFTP_OK

    def close(self) -> None:
        self._file.close()


def _status(path: Path) -> paramiko.SFTPAttributes:
    return paramiko.SFTPAttributes.from_stat(path.lstat(), path.name)
