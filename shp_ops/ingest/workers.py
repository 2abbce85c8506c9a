"""Files side by side: one forked worker per core, each with runs of its own; a killed worker costs one file, not all.

Workers are forked before anything connects, after everything is imported. They draw the next queue of files from a
shared counter and tell results and progress through a pipe of their own.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from shp_core.codes import Code
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.stopping import StopSignal
from shp_resources.landing import printable
from shp_resources.outside import Outside

_FORK = multiprocessing.get_context("fork")
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_INTERRUPTED = 128 + signal.SIGINT
_OWN_END_SECONDS, _ASKED_END_SECONDS = 5.0, 30.0

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


@dataclass(frozen=True)
class Order:
    """What workers are to do.

    Args:
        paths: the files.
        queues: indices of the files; those of one queue are taken one after the other.
        outside: the outside systems, not yet connected.
        make_take: makes, inside a worker, what takes one file.
    """

    paths: Sequence[Path]
    queues: Sequence[Sequence[int]]
    outside: Outside
    make_take: MakeTake


def take_all(order: Order, on_event: Callable[[Event], None], workers: int | None = None) -> list[FileResult]:
    """Take all files, side by side.

    Args:
        order: the files, and how to take one.
        on_event: told what happens, in this process.
        workers: how many at once; by default one per core, never more than queues.

    Returns:
        A result per file, in order.
    """
    count = min(len(order.queues), workers or len(os.sched_getaffinity(0)))
    counter = _FORK.Value("i", 0)
    started: list[_Worker] = []
    results: dict[int, FileResult] = {}
    try:
        started += [_start(order, counter) for _ in range(count)]
        _listen(started, order.paths, results, on_event)
    finally:
        _end(started)
    return [results.get(index, _never(path)) for index, path in enumerate(order.paths)]


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    index: int | None = None


def _start(order: Order, counter: Any) -> _Worker:
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_work, args=(order, counter, theirs, os.getpid()))
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(order: Order, counter: Any, pipe: Connection, parent: int) -> None:
    """Inside a worker: draw queues until there are none left, or until it is told to stop."""
    stop = StopSignal()
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))  # whoever kills the command stops its work
    try:
        if os.getppid() != parent:
            return
        _take_queues(order, counter, pipe, stop)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _take_queues(order: Order, counter: Any, pipe: Connection, stop: StopSignal) -> None:
    current = -1

    def tell(step: str, rows: int = 0, result: FileResult | None = None) -> None:
        with suppress(BrokenPipeError):  # the command is gone: what is under way is given back all the same
            pipe.send(Event(current, step, rows, result))

    take = order.make_take(replace(order.outside, progress=lambda feed, partition, step, rows: tell(step, rows)))
    while (number := _next(counter)) < len(order.queues):
        for current in order.queues[number]:
            tell("begun")
            result = take(order.paths[current])
            stop.check()  # a run that was interrupted ends like one that failed
            tell("done", result=result)


def _next(counter: Any) -> int:
    with counter.get_lock():
        counter.value += 1
        return int(counter.value) - 1


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
    status = worker.process.exitcode
    code = Code.INTERRUPTED if status == _INTERRUPTED else Code.WORKER_LOST
    message = f"The worker that took it {f'was killed by signal {-status}' if status < 0 else f'ended with status {status}'}."
    lost = FileResult(printable(str(paths[worker.index])), code=str(code), message=message)
    results[worker.index] = lost
    on_event(Event(worker.index, "done", result=lost))


def _never(path: Path) -> FileResult:
    return FileResult(printable(str(path)), code=str(Code.WORKER_LOST), message="Its worker was lost before its turn came.")


def _end(workers: list[_Worker]) -> None:
    """Wait for all workers; after Ctrl-C the terminal has told them already, after anything else they are told here."""
    if isinstance(sys.exception(), KeyboardInterrupt):
        _join(workers, _OWN_END_SECONDS)
    for worker in workers:
        worker.pipe.close()
        if worker.process.is_alive():
            worker.process.terminate()
    _join(workers, _ASKED_END_SECONDS)
    for worker in workers:
        worker.process.kill()
        worker.process.join()


def _join(workers: list[_Worker], seconds: float) -> None:
    until = time.monotonic() + seconds
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
