"""The mapper's columns: a block's cells of one contract column, converted together, by what was said of such texts before.

Must not live here: lines, counters and streams (`mapper`), and what a text means (`shp_core.contract`). Standard library
only, Python 3.8 syntax.
"""

# ruff: noqa: B905, UP006, UP035, UP045 (Python 3.8 knows neither `zip(strict=)` nor the younger spellings of types)

from __future__ import annotations

from operator import itemgetter
from typing import Dict, List, Optional, Sequence, Set, Tuple

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.numbers import Notation
from shp_core.lake.bulk import BulkNumbers, bulk_of, differ
from shp_core.lake.shipped import Shipment
from shp_core.lake.shortcut import Shortcut, shortcut_of
from shp_core.publishing.dialect import NULL, unescape

_MEMO_ENTRIES = 65536

Bad = Dict[int, List[str]]
"""By place in the block: `column:code` for each reason."""


Fields = Sequence[Optional[str]]
"""The fields of a column's cells in a block; None where there are reasons."""


class _Memo(Dict[str, Optional[str]]):
    """The fields of one column and kind by their escaped text; None where there are reasons, which `why` keeps.

    `same` are the texts that are their own fields.
    """

    def __init__(self, judge: CellJudge, kind: str, shortcut: Optional[Shortcut]) -> None:
        super().__init__()
        self._judge, self._kind, self._shortcut = judge, kind, shortcut
        self.why: Dict[str, Tuple[str, ...]] = {}
        self.same: Set[str] = set()

    def __missing__(self, escaped: str) -> Optional[str]:
        field = self._shortcut(escaped) if self._shortcut is not None else None
        if field is None:
            return self._by_reference(escaped)
        self._keep(escaped, field)
        return field

    def _keep(self, escaped: str, field: Optional[str]) -> None:
        self[escaped] = field
        if field == escaped:
            self.same.add(escaped)

    def _by_reference(self, escaped: str) -> Optional[str]:
        judged = self._judge.judge(self._kind, unescape(escaped))
        if judged.reasons:
            self.why[escaped] = judged.reasons
        field = None if judged.reasons else judged.field
        self._keep(escaped, field)
        return field

    def trim(self) -> None:
        """Memory must not grow with the file."""
        if len(self) > _MEMO_ENTRIES:
            self.clear()
            self.why.clear()
            self.same.clear()


class _Rules:
    """What converts cells by one column's rules; columns with the same rules share it, and so what it remembers."""

    def __init__(self, column: ContractColumn, contract: Contract) -> None:
        self._column, self._contract = column, contract
        self._judge = CellJudge(column, Notation(contract.decimal, contract.group))
        self.memos: Dict[str, _Memo] = {}
        self.bulks: Dict[str, Optional[BulkNumbers]] = {}

    def memo(self, letter: str) -> _Memo:
        """What is remembered of cells of one kind."""
        if letter not in self.memos:
            self.memos[letter] = _Memo(self._judge, letter, shortcut_of(self._column, letter, self._contract.decimal))
            self.bulks[letter] = bulk_of(self._column, letter, self._contract)
        return self.memos[letter]


class Column:
    """Converts the cells of one contract column, a block at a time."""

    def __init__(self, name: str, rules: _Rules, position: Optional[int]) -> None:
        self._name, self._position = name, position
        self._memos, self._bulks, self._memo = rules.memos, rules.bulks, rules.memo

    def fields(self, kinds: Sequence[str], patterns: Set[str], cells: Sequence[List[str]], bad: Bad) -> Fields:
        """The column's fields; rows with reasons are entered into `bad`.

        Args:
            kinds: the rows' kind letters.
            patterns: those that there are.
            cells: the sheet's columns.
            bad: gets the reasons.
        """
        if self._position is None:
            return [NULL] * len(kinds)
        texts, letters = cells[self._position], {pattern[self._position] for pattern in patterns}
        found = self._of_one_kind(letters.pop(), texts) if len(letters) == 1 else self._of_many(kinds, texts)
        for memo in self._memos.values():
            if memo.why and None in found:
                self._enter(kinds, texts, found, bad)
                break
        for memo in self._memos.values():
            memo.trim()
        return found

    def _of_one_kind(self, letter: str, texts: List[str]) -> Fields:
        memo = self._memo(letter)
        bulk = self._bulks[letter]
        told = bulk.fields(texts) if bulk is not None and differ(texts) else None
        if told is None:
            return texts if memo.same.issuperset(texts) else list(map(memo.__getitem__, texts))
        fields, odd = told
        if not odd:
            return fields
        found: List[Optional[str]] = list(fields)
        for place in odd:
            found[place] = memo[texts[place]]
        return found

    def _of_many(self, kinds: Sequence[str], texts: Sequence[str]) -> Fields:
        letters = list(map(itemgetter(self._position), kinds))
        memos = {letter: self._memo(letter) for letter in set(letters)}
        return [memos[letter][text] for letter, text in zip(letters, texts)]

    def _enter(self, kinds: Sequence[str], texts: Sequence[str], found: Fields, bad: Bad) -> None:
        for place, field in enumerate(found):
            if field is None:
                why = self._memos[kinds[place][self._position]].why[texts[place]]  # type: ignore[index]
                bad.setdefault(place, []).extend(f"{self._name}:{code}" for code in why)


def columns_of(shipment: Shipment) -> List[Column]:
    """What converts the columns of a sheet's contract, in feed order."""
    contract, rules = shipment.contract, {}  # type: Tuple[Contract, Dict[ContractColumn, _Rules]]
    made = []
    for column, position in zip(contract.columns, shipment.positions):
        made.append(Column(column.name, rules.setdefault(column.rules, _Rules(column, contract)), position))
    return made
