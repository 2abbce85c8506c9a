"""Proxies before HDFS that cut, hold or watch a connection after so many bytes; on the loopback address.

`before_hdfs` stands before a NameNode and the DataNode that it sends writers and readers to: addresses of the DataNode
in the NameNode's answers are replaced by the second proxy's, which is the one that cuts.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Piece = Callable[[bytes], bytes | None]
"""Told each piece of bytes; returns what goes on, None to cut the connection."""

UP, DOWN = "up", "down"


class Proxy:
    """Passes bytes between a client and an upstream port.

    Args:
        upstream: port of the loopback address.
        up: what happens to bytes on their way to the upstream.
        down: what happens to bytes on their way back.
    """

    def __init__(self, upstream: int, up: Piece = lambda piece: piece, down: Piece = lambda piece: piece) -> None:
        self._upstream, self.up, self.down = upstream, up, down
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            for source, target, piece in ((client, server, UP), (server, client, DOWN)):
                threading.Thread(target=self._pass, args=(source, target, piece), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                going_on = (self.up if way == UP else self.down)(data)
                if going_on is None:
                    break
                target.sendall(going_on)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Counter:
    """Lets bytes pass until so many went one way, then does something once.

    Args:
        limit: bytes.
        then: done at the limit; its answer says whether the connection goes on.
    """

    def __init__(self, limit: int, then: Callable[[], bool] = lambda: False) -> None:
        self._limit, self._then = limit, then
        self.passed, self.reached = 0, False

    def __call__(self, piece: bytes) -> bytes | None:
        """Count a piece."""
        self.passed += len(piece)
        if self.passed < self._limit or self.reached:
            return piece
        self.reached = True
        return piece if self._then() else None


@contextmanager
def before_hdfs(namenode: int, datanode: int) -> Iterator[tuple[str, Proxy]]:
    """Address of a NameNode behind a proxy, and the proxy before its DataNode.

    Args:
        namenode: the NameNode's HTTP port.
        datanode: the DataNode's HTTP port.
    """
    data = Proxy(datanode)
    old, new = f":{datanode}/".encode(), f":{data.port}/".encode()
    assert len(old) == len(new), "the answer's length would change"
    names = Proxy(namenode, down=lambda piece: piece.replace(old, new))
    try:
        yield f"http://127.0.0.1:{names.port}", data
    finally:
        names.close()
        data.close()
