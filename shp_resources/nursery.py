"""Reading processes, started cold or forked from a warm one: the parent's side.

Lives here: how they begin and end, the warm process, who may use it and for how long. Must not live here: what reading
processes say (`reader`), and what they do (`nursery_process`, `shp_core.reading.child`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shp_resources.nursery_process import IDLE_SECONDS

_COMMAND = (sys.executable, "-S", "-P", "-m", "shp_resources.nursery_process")
_ANSWER_BYTES = 4096
_END_SECONDS = 5.0  # a reading process that has said its verdict has nothing left to do


class Nursery:
    """A warm process that forks reading processes, one at a time.

    It belongs to the thread that started it and dies with it, so only that thread may use it; or, if it was begun for a
    worker that is forked later, one fork may take it over. After any accident it is ended; whoever comes next gets a new one.

    Args:
        environment: of its process.
        idle_seconds: after that long without a job it ends by itself.
    """

    def __init__(self, environment: Mapping[str, str], idle_seconds: float = IDLE_SECONDS) -> None:
        self._environment = dict(environment)
        self._idle_seconds = idle_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._owner = (0, 0)
        self._fork: Fork | None = None

    def begin(self) -> None:
        """Start now, so that it is warm when the first job comes; if the system refuses, the first job tries again."""
        with contextlib.suppress(OSError):
            self._running(_me())

    def hand_over(self) -> None:
        """It was begun here and belongs to a forked worker from now on; it ends with that worker, or with this process."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def take_over(self) -> None:
        """In the forked worker: it is this one's now."""
        self._owner = _me()

    def fork(self, job: dict[str, Any], rows: int, verdict: int, timeout: float) -> Fork | None:
        """Fork a reading process.

        Args:
            job: what it reads.
            rows: the descriptor that it writes rows to; it has its own copy afterwards.
            verdict: the same for its verdict.
            timeout: how long to wait for it, in seconds.

        Returns:
            The process; None if the nursery is busy, or belongs to another thread or process.
        """
        me = _me()
        if self._process is not None and self._owner[0] != me[0]:  # this is a fork of the process that it belongs to
            self._forget()
        if self._fork is not None or (self._process is not None and self._owner != me):
            return None
        for _ in range(2):  # it may have ended by itself
            with contextlib.suppress(OSError, ValueError, KeyError):
                channel = self._running(me)
                socket.send_fds(channel, [json.dumps(job).encode()], [rows, verdict])
                self._fork = Fork(self, channel, int(_answer(channel, timeout)["pid"]))
                return self._fork
            self.stop()
        return None

    def _running(self, me: tuple[int, int]) -> socket.socket:
        if self._channel is None:
            self._owner = me
            self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    (*_COMMAND, str(me[0]), str(self._idle_seconds)),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=self._environment,
                    cwd="/",
                )
        return self._channel

    def given_back(self, fork: Fork, *, well: bool) -> None:
        """A reading process has ended; unless it ended well, this one ends, too."""
        if self._fork is fork:
            self._fork = None
            if not well:
                self.stop()

    def stop(self) -> None:
        """End the warm process, and a reading process with it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)  # `Popen.kill` spares what is a child of another process
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.returncode = self._process.returncode or 0  # not a child of this process: nothing to wait for
        self._process = self._channel = self._fork = None


def take_one(nurseries: Iterable[Nursery], mine: Nursery | None) -> None:
    """In a forked worker: take one nursery over, and leave the others to other workers."""
    for nursery in nurseries:
        nursery.take_over() if nursery is mine else nursery.hand_over()


class Fork:
    """A reading process that a nursery forked.

    Attributes:
        pid: its process number.
    """

    def __init__(self, nursery: Nursery, channel: socket.socket, pid: int) -> None:
        self._nursery = nursery
        self._channel = channel
        self._status: int | None = None
        self.pid = pid

    def wait(self, timeout: float) -> int:
        """Its exit status, as `subprocess.Popen.wait` gives it.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self._status is None:
            try:
                self._status = int(_answer(self._channel, timeout)["status"])
            except TimeoutError:
                raise subprocess.TimeoutExpired("reading process", timeout) from None
            except (OSError, ValueError, KeyError):
                self._status = -signal.SIGKILL  # the warm process was killed, and this one with it
            self._nursery.given_back(self, well=self._status == 0)
        return self._status

    def close(self, *, ended: bool) -> None:
        """End it.

        Args:
            ended: it has said its verdict, and is about to end by itself.
        """
        if self._status is None and ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(_END_SECONDS)
        if self._status is None:
            self._nursery.given_back(self, well=False)


class Started:
    """A reading process that was started cold, for one job.

    Attributes:
        pid: its process number.

    Args:
        command: its command line.
        environment: its whole environment.
        job: what it reads.
        rows: the descriptor that it writes rows to.
        verdict: the same for its verdict.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], job: dict[str, Any], rows: int, verdict: int) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=rows,
            stderr=subprocess.DEVNULL,
            pass_fds=(verdict,),
            env=dict(environment),
            cwd="/",
            bufsize=0,
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(json.dumps({**job, "verdict": verdict}).encode())

    def wait(self, timeout: float) -> int:
        """Its exit status; see `Fork.wait`."""
        return self._process.wait(timeout)

    def close(self, *, ended: bool) -> None:
        """End it; one that is about to end may be killed, too."""
        self._process.kill()
        self._process.wait()


def _me() -> tuple[int, int]:
    """This process and thread."""
    return os.getpid(), threading.get_ident()


def _answer(channel: socket.socket, timeout: float) -> dict[str, Any]:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    if not poll.poll(max(timeout, 0) * 1000):
        raise TimeoutError
    packet = channel.recv(_ANSWER_BYTES)
    if not packet:
        raise ConnectionResetError("the warm process has ended")
    answer: dict[str, Any] = json.loads(packet)
    return answer
