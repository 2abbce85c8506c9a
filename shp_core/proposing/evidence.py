"""What the cells of a column say about its type: every cell is looked at, equal ones once.

Must not live here: what follows from it (`decide`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from shp_core.proposing.forms import DATE_FORMS, NOTATIONS, date_forms, mark_of, number_in, split_time
from shp_core.reading.textrow import BOOLEAN, CUT, DATE, ERROR, FORMULA, NUMBER, RAGGED, TEXT

_MEMO = 50_000
_UNUSABLE = (ERROR, FORMULA, CUT, RAGGED)
_MIDNIGHT = "00:00"


@dataclass
class Numbers:
    """The cells of a column as numbers of one notation.

    Args:
        misfits: cells that are none.
        scale: decimals that all of them need.
        largest: the largest absolute value.
        meaning: differs where another notation gives other values.
    """

    misfits: int = 0
    scale: int = 0
    largest: Decimal = Decimal(0)
    meaning: int = 0

    def learn(self, kind: str, text: str, notation: tuple[str, str]) -> bool:
        """Look at a cell; whether it is a number."""
        number = number_in(kind, text, notation)
        if number is None:
            return False
        self.scale = max(self.scale, number.scale)
        self.largest = max(self.largest, number.value.copy_abs())
        self.meaning += hash((text, number.value))
        return True


@dataclass
class Evidence:
    """What was seen of one column.

    Args:
        kinds: how many cells there are of each kind, blank ones left out.
        longest: characters of the longest text.
        numbers: by notation.
        dates: by form, how many cells are no date in it.
        clocks: how many text dates have a time of day of a form behind them; "" for dates without one.
        timed: how many date cells have a time of day.
        booleans: how many cells are no boolean.
        marks: how many numbers have a currency beside them, by its sign or code.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    longest: int = 0
    numbers: dict[tuple[str, str], Numbers] = field(default_factory=lambda: {notation: Numbers() for notation in NOTATIONS})
    dates: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DATE_FORMS, 0))
    clocks: Counter[str] = field(default_factory=Counter)
    timed: int = 0
    booleans: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    _known: dict[tuple[str, str], _Seen] = field(default_factory=dict)

    def see(self, kind: str, text: str) -> None:
        """Look at a cell that is not blank."""
        self.kinds[kind] += 1
        if kind in _UNUSABLE:
            return
        seen = self._known.get((kind, text)) or self._learn(kind, text)
        for notation in seen.no_numbers:
            notation.misfits += 1
        for form in seen.no_dates:
            self.dates[form] += 1
        self.booleans += seen.no_boolean
        self.timed += seen.timed
        if seen.clock is not None:
            self.clocks[seen.clock] += 1
        if seen.mark:
            self.marks[seen.mark] += 1

    def _learn(self, kind: str, text: str) -> _Seen:
        self.longest = max(self.longest, len(text))
        numbers = kind in (NUMBER, TEXT)
        no_numbers = [found for notation, found in self.numbers.items() if not (numbers and found.learn(kind, text, notation))]
        no_dates = _no_dates(kind, text.strip())
        is_boolean = kind == BOOLEAN or (kind == TEXT and text.strip().lower() in ("true", "false"))
        is_text_date = kind == TEXT and len(no_dates) < len(DATE_FORMS)
        seen = _Seen(
            no_numbers,
            no_dates,
            not is_boolean,
            timed=kind == DATE and not _is_midnight(text),
            clock=split_time(text.strip())[1] if is_text_date else None,
            mark=mark_of(text) if kind == TEXT and len(no_numbers) < len(self.numbers) else "",
        )
        if len(self._known) >= _MEMO:
            self._known.clear()
        self._known[kind, text] = seen
        return seen

    @property
    def values(self) -> int:
        """Cells that could be a value of some type."""
        return sum(count for kind, count in self.kinds.items() if kind not in _UNUSABLE)


class _Seen(NamedTuple):
    """What a cell is not, and what it is beside."""

    no_numbers: list[Numbers]
    no_dates: list[str]
    no_boolean: bool
    timed: bool
    clock: str | None
    mark: str


def _no_dates(kind: str, text: str) -> list[str]:
    """The forms in which a cell is no date."""
    if kind == DATE:
        return [] if len(text) >= 10 and text[4] == "-" else list(DATE_FORMS)
    fitting = date_forms(text) if kind == TEXT else []
    return [form for form in DATE_FORMS if form not in fitting]


def _is_midnight(text: str) -> bool:
    return not text[11:] or text[11:].startswith(_MIDNIGHT)
