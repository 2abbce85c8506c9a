"""Blocks in memory that is used again are the stream, whatever its lines; and what threads make of them keeps its order."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.lake import rooms
from shp_core.lake.mapper import blocks
from shp_core.lake.rooms import blocks_in_rooms, in_order


@given(
    st.lists(st.text(st.sampled_from("aé𝄞\u0085\u2028\r"), max_size=40), max_size=12), st.integers(1, 8), st.integers(1, 3), st.booleans()
)
def test_blocks_in_rooms_are_the_blocks(lines: list[str], size: int, count: int, ended: bool) -> None:
    """A line would be lost, broken or read twice, on nodes with Arrow only."""
    whole = "\n".join([*lines, *([""] if ended else [])]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "_LINE", 16)
        found = [bytes(block) for block in blocks_in_rooms(io.BytesIO(whole), size, count)]
    assert found == list(blocks(io.BytesIO(whole), size))


def test_a_piece_holds_as_long_as_it_is_promised() -> None:
    """Lines would be mapped that a later block has written over."""
    stream = io.BytesIO(b"".join(b"%d\n" % number for number in range(10, 20)))
    pieces = blocks_in_rooms(stream, 3, 3)
    held = [next(pieces) for _ in range(3)]
    assert [bytes(piece) for piece in held] == [b"10\n", b"11\n", b"12\n"]
    assert bytes(next(pieces)) == b"13\n" and [bytes(piece) for piece in held] == [b"13\n", b"11\n", b"12\n"]


def numbered(count: int) -> Iterator[memoryview]:
    """So many pieces, each with its number."""
    return (memoryview(b"%d" % number) for number in range(count))


def test_what_threads_make_keeps_its_order() -> None:
    """A block that is ready early would overtake another: rows of the lake would stand in no order."""
    second = threading.Event()

    def work(piece: memoryview) -> int:
        number = int(piece)
        assert number or second.wait(60), "the second piece waited for the first"
        if number == 1:
            second.set()
        return number

    assert list(in_order(work, numbered(50), 2)) == list(range(50))


def test_pieces_are_asked_for_as_they_are_done() -> None:
    """A room would be filled anew while its lines are being mapped."""
    asked: list[int] = []
    pieces = (asked.append(int(piece)) or piece for piece in numbered(30))  # type: ignore[func-returns-value]
    for done, number in enumerate(in_order(int, pieces, 2)):
        assert number == done and asked[-1] <= done + 2


def test_an_error_in_a_thread_reaches_who_waits() -> None:
    """A damaged file would look like an empty one, or the task would hang until Hadoop ends it."""
    before = threading.active_count()
    found = in_order(lambda piece: 1 // (3 - int(piece)), numbered(9), 2)
    assert [next(found), next(found), next(found)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        list(found)
    assert threading.active_count() == before


def test_a_thread_that_does_not_start_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node that has no process left for a mapper's second thread the task would hang until Hadoop ends it."""
    before, start = threading.active_count(), threading.Thread.start

    def refused(hand: threading.Thread) -> None:
        if threading.active_count() > before:
            raise RuntimeError("can't start new thread")
        start(hand)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError):
        list(in_order(int, numbered(3), 2))
    assert threading.active_count() == before
