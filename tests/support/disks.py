"""A disk that fails, or a process that dies, at the Nth of the calls with which the store changes anything.

A documented fake: a full disk of a test's own needs rights that a test machine does not give. The calls themselves
are real; only the Nth does not happen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq

_CALLS: tuple[tuple[Any, str], ...] = (
    (os, "mkdir"),
    (os, "rename"),
    (os, "fsync"),
    (Path, "write_text"),
    (pq.ParquetWriter, "write_table"),
    (pq.ParquetWriter, "close"),
)
DIED = 9
"""Exit status of a process that was made to die."""


class Calls:
    """Counts the calls, and makes one of them go wrong.

    Args:
        at: which one, from 1; 0: none.
        instead: what happens instead of it.
    """

    def __init__(self, at: int, instead: Callable[[], Any]) -> None:
        self.seen = 0
        self._at, self._instead = at, instead

    @contextmanager
    def counted(self) -> Iterator[Calls]:
        """Count while the block lasts."""
        patches = [mock.patch.object(owner, name, self._counting(getattr(owner, name))) for owner, name in _CALLS]
        for patch in patches:
            patch.start()
        try:
            yield self
        finally:
            for patch in patches:
                patch.stop()

    def _counting(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.seen += 1
            if self.seen == self._at:
                self._instead()
            return real(*args, **kwargs)

        return call


def refusing(at: int, number: int) -> Calls:
    """The operating system refuses the Nth call with this error number."""

    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    return Calls(at, refuse)


def died_at(at: int, work: Callable[[], object]) -> bool:
    """Let a process of its own do the work and die at the Nth call; whether there was an Nth."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with Calls(at, lambda: os._exit(DIED)).counted():
                work()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    assert code in (0, DIED), "the work failed by itself"
    return code == DIED
