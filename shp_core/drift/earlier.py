"""How alike the cells of a column are to those that a column held before: the same values, or at least the same look.

Must not live here: where earlier deliveries are kept, and what a likeness leads to (`columns`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from shp_core.proposing.header import Cell

EARLIER_CELLS = 1000
"""So many cells of a column say what it usually holds."""

_REPEATS, _TELLING = 4, 3
_SAME_LOOK = 0.75
_LETTER, _DIGIT = "a", "9"


@dataclass(frozen=True)
class Earlier:
    """What a column held in earlier deliveries.

    Args:
        values: its texts, without case.
        looks: how they are spelled: runs of letters and of digits count as one.
        closed: whether they repeat so often that a new value would be a surprise.
    """

    values: frozenset[str]
    looks: frozenset[str]
    closed: bool

    @property
    def telling(self) -> bool:
        """Whether the same values in another column are no accident; every flag is yes or no."""
        return self.closed and len(self.values) >= _TELLING


def earlier(cells: Sequence[Cell]) -> Earlier:
    """What these cells say of their column.

    Args:
        cells: those that are not blank.
    """
    values = frozenset(_plain(text) for _, text in cells)
    return Earlier(values, frozenset(map(_look, values)), len(values) * _REPEATS <= len(cells))


def alike(before: Earlier, cells: Iterable[Cell]) -> float:
    """How alike cells are to those of a column, from 0 to 1.

    Args:
        before: of the column.
        cells: of another one, those that are not blank.
    """
    texts = [_plain(text) for _, text in cells]
    if not texts:
        return 0.0
    same = sum(text in before.values for text in texts) / len(texts)
    if before.closed:
        return same
    return max(same, _SAME_LOOK * sum(_look(text) in before.looks for text in texts) / len(texts))


def _plain(text: str | None) -> str:
    return (text or "").strip().casefold()


def _look(text: str) -> str:
    signs = (_LETTER if sign.isalpha() else _DIGIT if sign.isdigit() else sign for sign in text)
    return "".join(sign for sign, _ in groupby(signs))
