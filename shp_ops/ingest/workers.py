"""Files side by side: one forked worker per core, each with runs of its own; a killed worker costs one file, not all.

Workers are forked before anything connects, after everything is imported. They draw the next file from a shared
counter and tell results and progress through a pipe of their own.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from shp_core.codes import Code
from shp_ops.ingest.results import FileResult
from shp_resources.landing import printable
from shp_resources.outside import Outside

_FORK = multiprocessing.get_context("fork")

Take = Callable[[Path], FileResult]
MakeTake = Callable[[Outside], Take]


@dataclass(frozen=True)
class Event:
    """What a worker tells: a file begun, rows read, or a file done.

    Args:
        index: which of the files.
        step: `begun`, the name of a step, or `done`.
        rows: rows so far.
        result: the outcome, when it is done.
    """

    index: int
    step: str
    rows: int = 0
    result: FileResult | None = None


def take_all(
    paths: Sequence[Path], outside: Outside, make_take: MakeTake, on_event: Callable[[Event], None], workers: int | None = None
) -> list[FileResult]:
    """Take all files, side by side.

    Args:
        paths: the files.
        outside: the outside systems, not yet connected.
        make_take: makes, inside a worker, what takes one file.
        on_event: told what happens, in this process.
        workers: how many at once; by default one per core, never more than files.

    Returns:
        A result per file, in order.
    """
    count = min(len(paths), workers or len(os.sched_getaffinity(0)))
    counter = _FORK.Value("i", 0)
    started = [_start(paths, outside, make_take, counter) for _ in range(count)]
    results: dict[int, FileResult] = {}
    try:
        _listen(started, paths, results, on_event)
    finally:
        _end(started)
    return [results.get(index, _never(path)) for index, path in enumerate(paths)]


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    index: int | None = None


def _start(paths: Sequence[Path], outside: Outside, make_take: MakeTake, counter: Any) -> _Worker:
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_work, args=(paths, outside, make_take, counter, theirs))
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(paths: Sequence[Path], outside: Outside, make_take: MakeTake, counter: Any, pipe: Connection) -> None:
    """Inside a worker: draw files until there are none left."""
    current = -1

    def progress(feed: str, partition: str, step: str, rows: int) -> None:
        pipe.send(Event(current, step, rows))

    take = make_take(replace(outside, progress=progress))
    while True:
        with counter.get_lock():
            current, counter.value = counter.value, counter.value + 1
        if current >= len(paths):
            return
        pipe.send(Event(current, "begun"))
        pipe.send(Event(current, "done", result=take(paths[current])))


def _listen(workers: list[_Worker], paths: Sequence[Path], results: dict[int, FileResult], on_event: Callable[[Event], None]) -> None:
    open_pipes = {worker.pipe: worker for worker in workers}
    while open_pipes:
        for pipe in wait(list(open_pipes)):
            worker = open_pipes[pipe]  # type: ignore[index]
            try:
                event: Event = worker.pipe.recv()
            except EOFError:
                del open_pipes[worker.pipe]
                _note_loss(worker, paths, results, on_event)
                continue
            worker.index = None if event.step == "done" else event.index
            if event.result is not None:
                results[event.index] = event.result
            on_event(event)


def _note_loss(worker: _Worker, paths: Sequence[Path], results: dict[int, FileResult], on_event: Callable[[Event], None]) -> None:
    worker.process.join()
    if worker.index is None:
        return
    message = f"The worker that took it ended with status {worker.process.exitcode}."
    lost = FileResult(printable(str(paths[worker.index])), code=str(Code.WORKER_LOST), message=message)
    results[worker.index] = lost
    on_event(Event(worker.index, "done", result=lost))


def _never(path: Path) -> FileResult:
    return FileResult(printable(str(path)), code=str(Code.WORKER_LOST), message="Every worker was lost before its turn came.")


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        if worker.process.is_alive():
            worker.process.terminate()
        worker.process.join()
