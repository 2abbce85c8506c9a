"""A web server that holds files and fails as it is told: the faults of real ones, over real sockets.

Must not live here: expectations.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with which a close is a reset."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one answer that would have brought bytes.

    Args:
        status: answer this status instead.
        retry_after: the header of that name.
        cut_after: send so many bytes of the body, then hang up.
        reset: hang up with a reset.
        then: done before the answer ends, so that it never meets the next test.
        ignores_if_range: send the rest of whatever file there is now.
        says_nothing: send neither a length nor chunks.
        chunked: send chunks, without a length.
    """

    status: int | None = None
    retry_after: str | None = None
    cut_after: int | None = None
    reset: bool = False
    then: Callable[[], None] | None = None
    ignores_if_range: bool = False
    says_nothing: bool = False
    chunked: bool = False


@dataclass
class RemoteWeb:
    """The server.

    Args:
        url: its address.
        files: what it holds, by path.
        troubles: what goes wrong with the next answers to GET, in order.
        asked: (method, path, Range header or "", status) of each request.
        etags: whether it tells ETags.
        dates: the Last-Modified of every file, None: it tells none.
        needs: the Authorization header without which it answers 401.
        heads: whether it answers HEAD.
        away: answer every request so.
        delays: how long a path's answers take, in seconds.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    asked: list[tuple[str, str, str, int]] = field(default_factory=list)
    etags: bool = True
    dates: str | None = None
    needs: str | None = None
    heads: bool = True
    away: Trouble | None = None
    delays: dict[str, float] = field(default_factory=dict)

    def put(self, path: str, content: bytes) -> str:
        """Hold a file; its address."""
        self.files[path] = content
        return self.url + path

    def etag(self, path: str) -> str:
        """The ETag of what it holds."""
        return f'"{md5(self.files[path]).hexdigest()}"'

    @property
    def gets(self) -> list[tuple[str, int]]:
        """(Range, status) of each GET."""
        return [(ranged, status) for method, _, ranged, status in self.asked if method == "GET"]


@contextmanager
def remote_web(port: int = 0) -> Iterator[RemoteWeb]:
    """A server on the loopback address, at this port or any."""
    web = RemoteWeb()

    class Handler(_Handler):
        remote = web

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    remote: RemoteWeb

    def do_HEAD(self) -> None:
        """Headers only."""
        if not self.remote.heads:
            self._end(405)
        elif self._may():
            self._answer(self.remote.files[self.path], body=False, trouble=Trouble())

    def do_GET(self) -> None:
        """The file, or a part of it, or trouble."""
        if not self._may():
            return
        trouble = self.remote.troubles.pop(0) if self.remote.troubles else Trouble()
        if trouble.status is not None:
            self._then(trouble)
            self._end(trouble.status, trouble.retry_after)
        else:
            self._answer(self.remote.files[self.path], body=True, trouble=trouble)

    def log_message(self, format: str, *args: Any) -> None:
        """A test's output is its own."""

    def _may(self) -> bool:
        self.path = self.path.partition("?")[0]
        time.sleep(self.remote.delays.get(self.path, 0.0))
        if self.remote.away is not None:
            self._end(self.remote.away.status or 503, self.remote.away.retry_after)
        elif self.remote.needs is not None and self.headers.get("Authorization") != self.remote.needs:
            self._end(401)
        elif self.path not in self.remote.files:
            self._end(404)
        else:
            return True
        return False

    def _answer(self, content: bytes, *, body: bool, trouble: Trouble) -> None:
        start = self._start(content, trouble)
        rest = content[start:]
        self._note(206 if start else 200)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.remote.etags:
            self.send_header("ETag", self.remote.etag(self.path))
        if self.remote.dates:
            self.send_header("Last-Modified", self.remote.dates)
        if trouble.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif not trouble.says_nothing:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self._then(trouble)
        if body:
            self._send(rest, trouble)

    @staticmethod
    def _then(trouble: Trouble) -> None:
        """While the client still waits for bytes: what happens after the answer would happen to the next test."""
        if trouble.then is not None:
            trouble.then()

    def _start(self, content: bytes, trouble: Trouble) -> int:
        """Where the answer begins: a range counts only while the file is the one that the client knows."""
        ranged = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, self.remote.etag(self.path) if self.remote.etags else None, self.remote.dates)
        return int(ranged[1]) if ranged and (same or trouble.ignores_if_range) and int(ranged[1]) < len(content) else 0

    def _send(self, rest: bytes, trouble: Trouble) -> None:
        whole = trouble.cut_after is None
        sent = rest if whole else rest[: trouble.cut_after]
        self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) if trouble.chunked else sent)
        if trouble.chunked and whole:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        if trouble.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close_connection = True

    def _end(self, status: int, retry_after: str | None = None) -> None:
        self._note(status)
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _note(self, status: int) -> None:
        self.remote.asked.append((self.command, self.path, self.headers.get("Range", ""), status))
