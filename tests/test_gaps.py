"""What a sink holds against what it is to hold: the comparison, and whose rows are read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.gaps import MEANINGS, Content, Why, gap, in_turn

INTENDED = Content(("ab", "c1", 1), 5, "00ff")


@pytest.mark.parametrize(
    ("held", "reread", "why"),
    [
        (INTENDED, None, None),
        (INTENDED, (5, "00ff"), None),
        (None, None, Why.MISSING),
        (Content(INTENDED.publication, 0, "00ff"), None, Why.MISSING),
        (Content(INTENDED.publication, 4, "00ff"), None, Why.ROWS),
        (Content(INTENDED.publication, 6, "00ff"), None, Why.ROWS),
        (Content(("cd", "c1", 1), 5, "00ff"), None, Why.OTHER),
        (Content(("ab", "c2", 1), 5, "00ff"), None, Why.OTHER),
        (Content(INTENDED.publication, 5, "1111"), None, Why.OTHER),
        (INTENDED, (5, "1111"), Why.HASH),
        (INTENDED, (4, "00ff"), Why.HASH),
    ],
)
def test_why_a_partition_is_filled(held: Content | None, reread: tuple[int, str] | None, why: Why | None) -> None:
    """Rows that somebody deleted or changed would be reported as published for ever."""
    assert gap(INTENDED, held, reread=reread) is why


def test_an_empty_delivery_is_no_gap() -> None:
    """A day without sales would be filled again every minute."""
    empty = Content(("ab", "c1", 1), 0, "0000")
    assert gap(empty, empty) is None
    assert gap(empty, None) is Why.MISSING, "its record is gone: nobody can tell it from a day that was never published"


def test_every_reason_has_words() -> None:
    """A plan would name a reason that nobody can read."""
    assert set(MEANINGS) == set(Why)


@given(keys=st.sets(st.text("abc", min_size=1, max_size=4), max_size=12), count=st.integers(1, 5))
def test_every_partition_is_read_again_in_turn(keys: set[str], count: int) -> None:
    """Some partition's rows would never be looked at, however long the platform runs."""
    ordered, seen, last = sorted(keys), [], ""
    for _ in range(-(-len(ordered) // count)):
        chosen = in_turn(ordered, last, count)
        assert len(chosen) == len(set(chosen)) == min(count, len(ordered))
        seen += chosen
        last = chosen[-1]
    assert set(seen) == keys
