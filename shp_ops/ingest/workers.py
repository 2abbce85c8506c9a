"""Files side by side: one forked worker per core, each with runs of its own; a killed worker costs one file, not all.

Workers are forked before anything connects, after everything is imported; what forks a worker's reading processes may
have been begun before. This process hands them one file after the other and hears of progress and results, through a pipe
per worker; nothing is shared that a killed worker could hold.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from shp_core.codes import Code
from shp_ops.ingest.files import File
from shp_ops.ingest.results import FileResult
from shp_ops.ingest.stopping import ASKED_END_SECONDS, INTERRUPTED, OWN_END_SECONDS, StopSignal, end_with
from shp_resources.landing import printable
from shp_resources.nursery import take_one

if TYPE_CHECKING:
    from shp_ops.ingest.head_start import Ahead
    from shp_resources.nursery import Nursery
    from shp_resources.outside import Outside

_FORK = multiprocessing.get_context("fork")

LAKE = "lake"
"""What a file is at whose rows the warehouse holds, and which the lake is to follow with."""

Take = Callable[[File], FileResult]
MakeTake = Callable[["Outside"], Take]


@dataclass(frozen=True)
class Event:
    """What a worker tells: a file begun, rows read, or a file done.

    Args:
        index: which of the files.
        step: `begun`, the name of a step, `lake`, or `done`.
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
        nurseries: warm processes that workers take over, one each.
        ahead: files that are being read ahead; a worker waits for each, and goes on with its file and its nursery.
    """

    paths: Sequence[File]
    queues: Sequence[Sequence[int]]
    outside: Outside
    make_take: MakeTake
    nurseries: Sequence[Nursery] = ()
    ahead: Sequence[Ahead] = ()


def hands(queues: Sequence[Sequence[int]]) -> int:
    """How many workers take these queues at once: one per core, never more than queues."""
    return min(len(queues), len(os.sched_getaffinity(0)))


def take_all(order: Order, on_event: Callable[[Event], None], workers: int | None = None) -> list[FileResult]:
    """Take all files, side by side.

    Args:
        order: the files, and how to take one.
        on_event: told what happens, in this process.
        workers: how many at once; by default one per core, never more than queues.

    Returns:
        A result per file, in order.
    """
    crew = _Crew(order, on_event)
    try:
        crew.work(min(len(order.queues), workers) if workers else hands(order.queues))
    finally:
        crew.end()
    return [crew.results[index] for index in range(len(order.paths))]


@dataclass(eq=False)
class _Worker:
    """A worker as its parent sees it: process, pipe, nursery, and the queue it is at, whose first file it has in hand."""

    process: Any
    pipe: Connection
    nursery: Nursery | None
    queue: deque[int] = field(default_factory=deque)


class _Crew:
    """All workers of an order."""

    def __init__(self, order: Order, on_event: Callable[[Event], None]) -> None:
        self.results: dict[int, FileResult] = {}
        self._order, self._on_event = order, on_event
        queues = {queue[0]: deque(queue) for queue in order.queues}
        self._ahead = {ahead.pipe: (ahead, queues.pop(ahead.index)) for ahead in order.ahead}
        self._waiting = deque(queues.values())
        self._workers: list[_Worker] = []
        self._begun: set[int] = set()
        self._count = 0

    def work(self, count: int) -> None:
        """Take all files, so many at once, those included that are being read ahead."""
        self._count = count
        for number in range(count - len(self._ahead)):
            self._hand(self._hired(self._order.nurseries[number] if number < len(self._order.nurseries) else None))
        for ahead in self._order.ahead:  # its worker waits for it
            self._hired(ahead.nursery)
        while busy := [worker.pipe for worker in self._workers if worker.queue] + list(self._ahead):
            for pipe in wait(busy):
                if pipe in self._ahead:
                    self._hear_ahead(pipe)
                else:
                    self._hear(next(worker for worker in self._workers if worker.pipe is pipe))

    def end(self) -> None:
        """Wait for all workers; after Ctrl-C the terminal has told them already, after anything else they are told here."""
        if isinstance(sys.exception(), KeyboardInterrupt):
            self._join(OWN_END_SECONDS)
        for worker in self._workers:
            worker.pipe.close()
            if worker.queue and worker.process.is_alive():
                worker.process.terminate()
        self._join(ASKED_END_SECONDS)
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()

    def _hired(self, nursery: Nursery | None = None) -> _Worker:
        ours, theirs = _FORK.Pipe()
        process = _FORK.Process(target=_work, args=(self._order, theirs, ours, nursery, os.getpid()))
        process.start()
        theirs.close()
        if nursery is not None:
            nursery.hand_over()
        worker = _Worker(process, ours, nursery)
        self._workers.append(worker)
        return worker

    def _hand(self, worker: _Worker) -> None:
        """Give a worker its next file; when there is none it has nothing to do, and ends with the others."""
        if not worker.queue and self._waiting and self._busy < self._count:
            worker.queue = self._waiting.popleft()
        if worker.queue:
            with suppress(BrokenPipeError):  # its end is heard next
                worker.pipe.send(worker.queue[0])

    @property
    def _busy(self) -> int:
        return sum(bool(worker.queue) for worker in self._workers) + len(self._ahead)

    def _hear_ahead(self, pipe: Any) -> None:
        """What is being read ahead gets on, or ends: a worker is free then, and its queue comes next."""
        try:
            self._tell(pipe.recv())
        except (EOFError, ConnectionResetError):
            ahead, queue = self._ahead.pop(pipe)
            ahead.process.join()
            if ahead.process.exitcode:
                ahead.nursery.stop()  # it may be forking still
            self._waiting.appendleft(queue)
            self._hand(next(worker for worker in self._workers if worker.nursery is ahead.nursery))

    def _tell(self, event: Event) -> None:
        """A file begins once, also if it was read ahead."""
        if event.step != "begun" or event.index not in self._begun:
            self._on_event(event)
        self._begun.add(event.index)

    def _hear(self, worker: _Worker) -> None:
        try:
            event: Event = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._lose(worker)
            return
        if event.result is not None:
            self.results[worker.queue.popleft()] = event.result
        self._tell(event)
        if event.result is not None:
            self._hand(worker)

    def _lose(self, worker: _Worker) -> None:
        """One file is lost with its worker; another worker goes on with the rest."""
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        index = worker.queue.popleft()
        self.results[index] = _lost(self._order.paths[index], worker.process.exitcode)
        self._on_event(Event(index, "done", result=self.results[index]))
        if worker.queue:
            self._waiting.appendleft(worker.queue)
        if self._waiting:
            self._hand(self._hired())

    def _join(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))


def _lost(path: File, status: int) -> FileResult:
    code = Code.INTERRUPTED if status == INTERRUPTED else Code.WORKER_LOST
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return FileResult(printable(str(path)), code=str(code), message=f"The worker that took it {how}.")


def _work(order: Order, pipe: Connection, parents: Connection, nursery: Nursery | None, parent: int) -> None:
    """Inside a worker: take files until there are none left, or until it is told to stop."""
    stop = StopSignal()
    parents.close()
    take_one([*order.nurseries, *(ahead.nursery for ahead in order.ahead)], nursery)
    try:
        if end_with(parent):
            _take_files(replace(order, outside=replace(order.outside, nursery=nursery)), pipe, stop)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _take_files(order: Order, pipe: Connection, stop: StopSignal) -> None:
    index = -1

    def tell(step: str, rows: int = 0, result: FileResult | None = None) -> None:
        with suppress(BrokenPipeError):  # the command is gone: what is under way is given back all the same
            pipe.send(Event(index, step, rows, result))

    take = order.make_take(replace(order.outside, progress=lambda feed, partition, step, rows: tell(step, rows)))
    with suppress(EOFError):  # there is nothing left to take
        while True:
            index = pipe.recv()
            tell("begun")
            result = _safely(take, order.paths[index])
            stop.check()  # a run that was interrupted ends like one that failed
            tell("done", result=result)


def _safely(take: Take, path: File) -> FileResult:
    try:
        return take(path)
    except Exception as error:  # noqa: BLE001 - boundary: what nobody named costs one file and is told, not a worker
        if os.environ.get("SHP_DEBUG") == "1":
            traceback.print_exc()
        first_line = str(error).partition("\n")[0][:200]
        message = f"{type(error).__name__}: {first_line} (SHP_DEBUG=1 shows where.)"
        return FileResult(printable(str(path)), code=str(Code.CODE_BUG), message=message)
