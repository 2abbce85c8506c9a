"""The pipe between the reading process and its parent, both ends: what goes in comes out, and promises cost nothing."""

from __future__ import annotations

import os
import random
import signal
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from shp_core.reading.outlet import Outlet
from shp_resources import reader
from tests.support.waiting import PATIENCE


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def pieces_of(seed: int, count: int, most: int) -> list[bytes]:
    """Pieces of some lengths, many of them empty or short."""
    chance = random.Random(seed)
    return [chance.randbytes(chance.choice([0, 1, 7, chance.randrange(most)])) for _ in range(count)]


@pytest.mark.parametrize(("count", "most"), [(3, 10), (60, 90_000), (1_500, 900)])
def test_what_is_written_arrives_in_order(pipe: tuple[int, int], count: int, most: int) -> None:
    """Rows of wide tables, or of batches larger than a pipe, would arrive mixed up or not at all."""
    pieces = pieces_of(count, count, most)

    def write() -> None:
        with Outlet(pipe[1]) as outlet:
            for place, piece in enumerate(pieces):
                outlet.write(piece)
                if place % 700 == 699:
                    outlet.flush()
        os.close(pipe[1])

    writer = threading.Thread(target=write)
    writer.start()
    whole = b"".join(pieces)
    assert end_of(pipe[0]).read(len(whole) + 1) == whole
    writer.join(PATIENCE)


def end_of(descriptor: int) -> reader._Pipe:
    """The reading end, as the parent has it."""
    return reader._Pipe(os.dup(descriptor), reader._Patience(PATIENCE))


def test_nothing_is_written_before_it_is_asked_for(pipe: tuple[int, int]) -> None:
    """The parent would be woken for every piece of a batch."""
    os.set_blocking(pipe[0], False)
    with Outlet(pipe[1]) as outlet:
        outlet.write(b"rows")
        with pytest.raises(BlockingIOError):
            os.read(pipe[0], 10)
    assert os.read(pipe[0], 10) == b"rows"


def test_a_reader_that_is_gone_is_heard_of(pipe: tuple[int, int]) -> None:
    """A reading process would go on for a parent that has given up."""
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    os.close(pipe[0])
    outlet = Outlet(pipe[1])
    outlet.write(b"rows")
    with pytest.raises(BrokenPipeError):
        outlet.flush()


@pytest.mark.parametrize("sent", [0, 5, 10, 19, 20, 21, 30, 31, 40])
def test_the_parent_reads_what_there_is(pipe: tuple[int, int], sent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch larger than what is read at once would be cut off, or waited for after its process has died."""
    monkeypatch.setattr(reader, "_AT_ONCE", 10)
    data = bytes(range(sent))
    os.write(pipe[1], data)
    os.close(pipe[1])
    parent = end_of(pipe[0])
    assert parent.read(31) == data[:31]
    assert parent.read(31) == data[31:]


def test_a_promise_takes_no_memory(pipe: tuple[int, int]) -> None:
    """A reading process that was taken over could make its parent allocate a terabyte."""
    os.write(pipe[1], b"little")
    os.close(pipe[1])
    tracemalloc.start()
    try:
        assert end_of(pipe[0]).read(1 << 40) == b"little"
        assert tracemalloc.get_traced_memory()[1] < 3 * reader._AT_ONCE
    finally:
        tracemalloc.stop()
