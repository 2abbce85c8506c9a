"""The fork server's socket: made once, handed on when the server becomes a fresh process under the same pid."""

from __future__ import annotations

import os
import select
import socket
import sys
from typing import NoReturn

from shp_resources.fork_client import ForkClient, ForkServerAway, reachable

_DESCRIPTOR = "SHP_FORKS_FD"


def listen(client: ForkClient) -> socket.socket:
    """The listening socket: the one that was handed on, or a new one that only this user may connect to.

    Raises:
        OSError: another fork server serves this home.
    """
    inherited = os.environ.pop(_DESCRIPTOR, None)
    if inherited is None:
        return _new(client)
    listener = socket.socket(fileno=int(inherited))
    listener.set_inheritable(False)
    return listener


def become_new(listener: socket.socket, module: str) -> NoReturn:
    """Start this process over: same pid, same socket, same children, but everything imported anew.

    Args:
        listener: the listening socket; who connects meanwhile is answered by the fresh process.
        module: holds the definitions.
    """
    os.set_inheritable(listener.fileno(), True)
    os.environ[_DESCRIPTOR] = str(listener.fileno())
    os.execv(sys.executable, [sys.executable, "-m", "shp_ops.forkserver", module])


def hung_up(connection: socket.socket) -> bool:
    """Whether the other side has gone and will never read an answer."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _new(client: ForkClient) -> socket.socket:
    try:
        other = client.ping()
    except ForkServerAway:
        client.socket_path.parent.mkdir(parents=True, exist_ok=True)
        client.socket_path.unlink(missing_ok=True)
    else:
        raise OSError(f"another fork server (pid {other.get('pid')}) serves this home")
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        with reachable(client.socket_path) as path:
            listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(128)
    return listener
