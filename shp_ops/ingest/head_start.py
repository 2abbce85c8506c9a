"""A head start: while this process imports Dagster, which takes a second, other cores read and check the first files.

What comes of it lies in the store under the hash of the bytes and the version of the contract, where a run looks before it
reads; so the run has only to publish. Nobody else is told: what is refused, or ends its reader, is left to the run, which
reads it again and says so in its own words. Must not live here: the ledger, runs.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from shp_core.feeds.model import Feed
from shp_ops.ingest.files import File
from shp_ops.ingest.stopping import INTERRUPTED, StopSignal, end, end_with
from shp_ops.ingest.workers import Event
from shp_resources.nursery import Nursery, take_one
from shp_resources.reader_ends import reader_environment
from shp_resources.settings import Settings

if TYPE_CHECKING:
    from shp_resources.outside import Outside

_FORK = multiprocessing.get_context("fork")
_WORTH_BYTES = 1 << 20
"""A smaller workbook is read in less time than it takes to begin."""


@dataclass(frozen=True, eq=False)
class Ahead:
    """A file that is being read ahead.

    Args:
        index: which of the files.
        process: who reads it.
        pipe: where its events come from; it ends with the process.
        nursery: what its reading process is forked from; a worker's, when it has ended well.
    """

    index: int
    process: Any
    pipe: Connection
    nursery: Nursery


class HeadStart:
    """The files that are read ahead, as long as the block lasts: processes get warm when it begins, and read after `go`.

    Args:
        settings: the installation's.
        files: all files.
        waiting: indices of the files, those of one partition together; only the first of each may be read ahead.
    """

    def __init__(self, settings: Settings, files: Sequence[File], waiting: Sequence[Sequence[int]]) -> None:
        self._files = files
        self._chosen = [] if settings.faults else _worth_it(files, [queue[0] for queue in waiting])
        self._nurseries: list[Nursery] = []
        self.under_way: list[Ahead] = []

    def __enter__(self) -> HeadStart:
        self._nurseries = begun_nurseries(len(self._chosen))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for ahead in self.under_way:
            end(ahead.process, told=isinstance(error, KeyboardInterrupt))
            ahead.pipe.close()
        for nursery in self._nurseries:
            nursery.stop()

    def go(self, outside: Outside, feed: Feed) -> None:
        """Read now, each file in a process of its own; nothing may be connected yet, for it would be shared."""
        for index, nursery in zip(self._chosen, self._nurseries, strict=True):
            ours, theirs = _FORK.Pipe(duplex=False)
            job = (replace(outside, nursery=nursery), feed, self._files[index], index, theirs)
            process = _FORK.Process(target=_read_ahead, args=(*job, self._nurseries, os.getpid()))
            process.start()
            theirs.close()
            self.under_way.append(Ahead(index, process, ours, nursery))


def begun_nurseries(count: int) -> list[Nursery]:
    """What readers are forked from, getting warm on other cores while this process imports for a second."""
    nurseries = [Nursery(reader_environment()) for _ in range(count)]
    for nursery in nurseries:
        nursery.begin()
    return nurseries


def _worth_it(files: Sequence[File], first: Sequence[int]) -> list[int]:
    """Which files: those that take long to read, as many as there are cores beside the one that imports."""
    cores = len(os.sched_getaffinity(0)) - 1
    return [index for index in first if _size(files[index]) >= _WORTH_BYTES][:cores]


def _size(file: File) -> int:
    try:
        return file.lstat().st_size if isinstance(file, Path) else 0
    except OSError:
        return 0


def _read_ahead(outside: Outside, feed: Feed, file: Path, index: int, pipe: Connection, nurseries: Sequence[Nursery], parent: int) -> None:
    """Inside such a process: read one file, unless it was here before."""
    StopSignal()
    end_with(parent)
    take_one(nurseries, outside.nursery)

    def tell(step: str, rows: int = 0) -> None:
        with suppress(BrokenPipeError):
            pipe.send(Event(index, step, rows))

    try:
        tell("begun")
        _keep_artefacts(outside, feed, file, lambda rows: tell("validated", rows))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:  # noqa: BLE001 - boundary: whatever it is, the run meets it too, and tells it
        sys.exit(1)


def _keep_artefacts(outside: Outside, feed: Feed, file: Path, tell: Callable[[int], None]) -> None:
    from shp_assets.artefacts import make_artefacts
    from shp_core.contract.compile import compile_contract
    from shp_resources.intake import private_copy

    contract, store = compile_contract(feed), outside.store
    with store.scratch() as folder:
        copied = private_copy(file, folder, outside.limits)
        if store.raw(copied.sha256) is None:  # what is kept was tried before: its run knows how it ended
            make_artefacts(outside, contract, copied.path, copied.sha256, tell)
