"""The kernels of shared strings and of columns one by one: what they write is what stands there."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plain_kernels import Numbers, Room, padded, plain

strings, columns, layout = plain("strings"), plain("columns"), plain("layout")
TEXT = st.text(st.sampled_from(list("ab 0<>&'\"ä€😀\n\t]")), max_size=12).filter(lambda text: "]]>" not in text)
ROOM, BYTES = 20, 4000


def scanned(markup: str, room: int = ROOM, cut: int | None = None) -> tuple[int, list[str], list[int], list[int]]:
    """Scan the inside of a part of shared strings.

    Returns:
        Why the kernel stopped, the strings, whether each holds more than blanks, and the kernel's state.
    """
    data, state, facts = padded(markup + "</sst>"), [0, 0, 0, 0], [0] * layout.FACTS
    facts[layout.TOKEN_BYTES], facts[layout.TEXT_CHARS] = 1 << 20, 32_767
    starts, ink, out = [0] * (room + 1), [0] * room, Room(BYTES)
    end = len(markup.encode()) if cut is None else cut
    why = strings.scan_strings(data, len(data), end + 1, state, facts, Room(), 0, starts, ink, room, out, BYTES, [0] * layout.NAMES)
    found = [out[starts[place] : starts[place + 1]].decode() for place in range(state[layout.FOUND])]
    return why, found, ink[: len(found)], state


def item(text: str, blank: str = "") -> str:
    """Markup of a shared string."""
    spelled = escape(text, {"'": "&apos;", '"': "&quot;"})
    return f"{blank}<si>{blank}<t>{spelled}</t>{blank}</si>"


@given(st.lists(TEXT.map(str.strip), max_size=8), st.sampled_from(["", " ", "\n  "]))
def test_strings_come_back(texts: list[str], blank: str) -> None:
    """A customer's name would be that of another one."""
    markup = "".join(item(text, blank) for text in texts)
    why, found, ink, state = scanned(markup)
    assert (why, found) == (layout.END, texts)
    assert ink == [int(bool(text.strip())) for text in texts]
    assert state[layout.BYTES] == sum(len(text.encode()) for text in texts)
    assert state[layout.CHARACTERS] == sum(map(len, texts))


def test_a_full_output_stops_before_the_next_string() -> None:
    """Strings would be written over each other."""
    why, found, _, state = scanned("".join(item(str(number)) for number in range(5)), room=3)
    assert (why, found) == (layout.FULL, ["0", "1", "2"])
    assert state[layout.POSITION] == 3 * len(item("0"))


def test_the_end_of_a_window_stops_before_the_next_string() -> None:
    """A string that is cut in two by the window's end would become two."""
    one = item("one")
    why, found, _, state = scanned(one + item("two"), cut=len(one) - 1)
    assert (why, found, state[layout.POSITION]) == (layout.MORE, ["one"], len(one))


@pytest.mark.parametrize(
    "odd",
    [
        "<si><r><t>rich</t></r></si>",
        "<si><t>_x000D_</t></si>",
        "<si><t>a</t><t>b</t></si>",
        "<si/>",
        "<si><t>&#65;</t></si>",
        "<x/>",
        "text",
    ],
)
def test_what_is_not_plain_is_left_to_the_reference(odd: str) -> None:
    """Rich text would lose its runs, an escape stay as it is spelled."""
    why, found, _, state = scanned(item("before") + odd + item("behind"))
    assert (why, found) == (layout.UNKNOWN, ["before"])
    assert state[layout.POSITION] == len(item("before"))


def test_what_japanese_excel_adds_is_passed_over() -> None:
    """Every string of such a workbook would be read slowly."""
    why, found, _, _ = scanned('<si><t>a</t><phoneticPr fontId="1"/></si>' + item("b"))
    assert (why, found) == (layout.END, ["a", "b"])


CELLS = st.lists(st.lists(st.one_of(st.none(), st.text("abä", max_size=4)), min_size=3, max_size=3), min_size=1, max_size=9)


@given(CELLS, st.integers(1, 9), st.integers(1, 60))
def test_batches_are_the_rows_that_hold_something(cells: list[list[str | None]], most_rows: int, most_bytes: int) -> None:
    """Rows would be left out at the border of two batches, or be there twice."""
    rows, width, window = len(cells), 3, Room()
    kinds, places = ([0] * (rows * width) for _ in range(2))
    for place, text in enumerate(text for row in cells for text in row):
        data, source = (text or "").encode(), layout.NOTHING if text is None else layout.WINDOW
        kinds[place] = layout.ABSENT if text is None else layout.STRING
        places[place] = len(window) << layout.START | len(data) << layout.LENGTH | source
        window += data
    holds = [layout.INK if any(text is not None for text in row) else layout.EMPTY for row in cells]
    state, found = [0, 0, 0, 0], []
    while state[layout.NEXT] < rows:
        kept, sizes = [0] * rows, Numbers([0] * width)
        count = columns.measure(state, rows, width, most_rows, most_bytes, kinds, places, [0] * rows, holds, kept, sizes)
        assert count <= most_rows
        found += list(zip(*_columns(rows, count, kept, window, places, sizes), strict=True))
    assert found == [tuple(row) for row in cells if any(text is not None for text in row)]
    assert state[layout.COUNTED_CELLS] == sum(text is not None for row in cells for text in row)


def _columns(rows: int, count: int, kept: list[int], window: Room, places: list[int], sizes: list[int]) -> list[list[str | None]]:
    """The columns of a batch, as the kernel fills its buffers."""
    width, valid_step, step = len(sizes), 8, count + 3
    valid, offsets, absent, out = Numbers([0] * (width * valid_step)), [0] * (width * step), [0] * width, Room(sum(sizes))
    texts = (window, len(window), b"", 0, b"", 0, b"", 0)
    size = columns.fill_columns(width, rows, count, kept, *texts, places, absent, valid, valid_step, offsets, step, out, len(out))
    assert size == len(out)
    found, at = [], 0
    for place in range(width):
        ends, bits = offsets[place * step :][: count + 1], valid[place * valid_step :]
        column = [out[at + ends[k] : at + ends[k + 1]].decode() if bits[k >> 3] >> (k & 7) & 1 else None for k in range(count)]
        assert absent[place] == column.count(None)
        assert ends[count] == sizes[place]
        found.append(column)
        at += sizes[place]
    return found
