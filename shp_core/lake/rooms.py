"""Blocks of whole lines in memory that is used again, and their work on several threads.

Every page that a process touches for the first time is one that the kernel must find and clear: blocks in memory of their own
cost more by that than by their bytes. Must not live here: what the lines mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, TypeVar

Made = TypeVar("Made")
_LF = ord("\n")
_LINE = 1 << 14
"""So much of a block's last line lies in its room; a longer one costs the block memory of its own."""


def blocks_in_rooms(stream: BinaryIO, size: int, rooms: int) -> Iterator[memoryview]:
    """A stream in pieces of whole lines; what a piece holds is lost when as many more have been asked for as there are rooms.

    Args:
        stream: lines; the last one may lack its LF.
        size: bytes to read at once, before the rest of the last line.
        rooms: how many pieces are in use at once.
    """
    for room in cycle(bytearray(size + _LINE) for _ in range(rooms)):
        read = stream.readinto(memoryview(room)[:size])  # type: ignore[attr-defined]
        if not read:
            return
        yield _whole(room, read, b"" if room[read - 1] == _LF else stream.readline().rstrip(b"\n") + b"\n")


def _whole(room: bytearray, read: int, rest: bytes) -> memoryview:
    """What was read, and the rest of its last line."""
    end = read + len(rest)
    if end > len(room):
        return memoryview(bytes(room[:read]) + rest)
    room[read:end] = rest
    return memoryview(room)[:end]


def in_order(work: Callable[[memoryview], Made], pieces: Iterable[memoryview], threads: int) -> Iterator[Made]:
    """What some work makes of pieces, in their order; while one is asked for, at most so many others are in work as there are threads.

    Args:
        work: is done by several threads at once.
        pieces: what it is done to.
        threads: how many do it.

    Raises:
        Exception: what the work raised.
    """
    tasks: SimpleQueue[Any] = SimpleQueue()
    hands: list[Thread] = []
    waiting: deque[SimpleQueue[Any]] = deque()
    try:
        for _ in range(threads):
            hands.append(_started(Thread(target=_work, args=(work, tasks))))
        for piece in pieces:
            waiting.append(SimpleQueue())
            tasks.put((piece, waiting[-1]))
            if len(waiting) > threads:
                yield _outcome(waiting.popleft())
        while waiting:
            yield _outcome(waiting.popleft())
    finally:
        for _ in hands:
            tasks.put(None)
        for hand in hands:
            hand.join()


def _started(hand: Thread) -> Thread:
    hand.start()
    return hand


def _work(work: Callable[[memoryview], Made], tasks: SimpleQueue[Any]) -> None:
    while (task := tasks.get()) is not None:
        piece, told = task
        try:
            told.put((work(piece), None))
        except Exception as error:  # noqa: BLE001 - who waits for the piece raises it: a thread has nobody to tell
            told.put((None, error))


def _outcome(told: SimpleQueue[Any]) -> Any:
    made, error = told.get()
    if error is not None:
        raise error
    return made
