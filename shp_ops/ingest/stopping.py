"""Whether this process was told to stop, also while Dagster has its own signal handlers in place."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 128 + signal.SIGINT
"""Exit status of a process that ended because it was told to."""

OWN_END_SECONDS, ASKED_END_SECONDS = 5.0, 30.0
"""How long a process may take to end that the terminal has told to, and one that is told to by the command."""

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> bool:
    """In a forked process: be told to stop when the command dies; whoever kills it stops its work.

    Args:
        parent: the command's process number.

    Returns:
        Whether it lives still.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    return os.getppid() == parent


def end(process: Any, *, told: bool) -> None:
    """End a forked process, so that it can tidy up.

    Args:
        process: the process, a `multiprocessing` one.
        told: whether the terminal has told it to stop already, as Ctrl-C does.
    """
    if told:
        process.join(OWN_END_SECONDS)
    if process.is_alive():
        process.terminate()
    process.join(ASKED_END_SECONDS)
    process.kill()
    process.join()


class StopSignal:
    """Remembers SIGINT and SIGTERM, whoever handled them; made in a worker's main thread."""

    def __init__(self) -> None:
        self._pipe, written = os.pipe()
        for end in (self._pipe, written):
            os.set_blocking(end, False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def check(self) -> None:
        """Stop now if this process was told to.

        Raises:
            KeyboardInterrupt: it was.
        """
        try:
            told = os.read(self._pipe, 1)
        except BlockingIOError:
            return
        if told:
            raise KeyboardInterrupt


@contextmanager
def undisturbed() -> Iterator[None]:
    """Be told to stop only after the block: the kernel tells the death of a command again for each of its threads.

    Raises:
        KeyboardInterrupt: this process was told to stop meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    told: list[int] = []
    before = {number: signal.signal(number, lambda number, _: told.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise KeyboardInterrupt
