"""Which column of a sheet is which column of a contract, where headers alone do not say: by name, by content, by neighbours.

Must not live here: what the cells' bytes mean, and what is proposed (`diagnose`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.numbers import Notation
from shp_core.drift.earlier import Earlier, alike
from shp_core.drift.names import likeness
from shp_core.proposing.header import Cell

ENOUGH_CELLS = 10
"""Fewer cells say nothing about a column's type."""

_SURE = 0.6
_CLEARLY = 0.05
_NEIGHBOUR = 0.15
_SAME_KIND = 0.8
_TELLS_LITTLE = 0.5
_BY_VALUES = 0.7
"""What the very values of a column say that has only so many, whatever its name is."""

_OF_VALUES = 0.4
"""How much of what typed cells say is whether they look like those that were there before."""


@dataclass(frozen=True)
class SheetColumn:
    """A column of the sheet.

    Args:
        header: its header, blanks folded.
        before: header of the column left of it, "" at the edge.
        cells: its first cells that are not blank.
    """

    header: str
    before: str = ""
    cells: Sequence[Cell] = field(default_factory=tuple)


def fitting(contract: Contract, column: ContractColumn, cells: Iterable[Cell]) -> float | None:
    """The share of cells that are values of a contract column's type and keep its rules; None without enough cells.

    Args:
        contract: says how numbers are spelled.
        column: the column.
        cells: of one column of the sheet, those that are not blank.
    """
    judge = CellJudge(column, Notation(contract.decimal, contract.group))
    judged = [not judge.judge(kind, text).reasons for kind, text in cells]
    return sum(judged) / len(judged) if len(judged) >= ENOUGH_CELLS else None


def matched(
    contract: Contract, missing: Sequence[ContractColumn], unknown: Sequence[SheetColumn], known: Mapping[str, Earlier] | None = None
) -> dict[str, str]:
    """The missing columns that an unknown one seems to be, by header; none where two would do about as well.

    Args:
        contract: the contract.
        missing: columns of the contract whose header the sheet lacks.
        unknown: columns of the sheet whose header the contract does not know.
        known: what columns held in earlier deliveries, by header.
    """
    known = known or {}
    before = {
        column.header: left for column, left in zip(contract.columns, ("", *(left.header for left in contract.columns)), strict=False)
    }
    scores = {
        (old.header, new.header): _score(contract, old, new, known.get(old.header), before[old.header] == new.before)
        for old in missing
        for new in unknown
    }
    found: dict[str, str] = {}
    for (old, new), score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        free = old not in found and new not in found.values()
        if free and score >= _SURE and not _rivals(scores, old, new, score, found):
            found[old] = new
    return found


def _rivals(scores: dict[tuple[str, str], float], old: str, new: str, score: float, found: dict[str, str]) -> bool:
    """Whether another pair, still possible, is about as likely."""
    others = [pair for pair in scores if pair != (old, new) and (pair[0] == old) != (pair[1] == new)]
    possible = [pair for pair in others if pair[0] not in found and pair[1] not in found.values()]
    return any(scores[pair] > score - _CLEARLY for pair in possible)


def _score(contract: Contract, old: ContractColumn, new: SheetColumn, known: Earlier | None, neighbours: bool) -> float:
    name = max(likeness(title, new.header) for title in (old.header, *old.aliases))
    fit = fitting(contract, old, new.cells)
    if fit is not None and fit < _SAME_KIND:
        return 0.0
    same = alike(known, new.cells) if known is not None and fit is not None else None
    told = _BY_VALUES * same if same is not None and known is not None and known.telling else 0.0
    return max(name, (name + _content(old, fit, same)) / 2, told) + (_NEIGHBOUR if neighbours else 0.0)


def _content(column: ContractColumn, fit: float | None, same: float | None) -> float:
    """How much the cells say: everything is a text, few things are one of four letters, or have been there before."""
    if fit is None or (column.type == "text" and column.allowed is None and column.pattern is None):
        return _TELLS_LITTLE if same is None else same
    return fit if same is None else fit * (1 - _OF_VALUES * (1 - same))
