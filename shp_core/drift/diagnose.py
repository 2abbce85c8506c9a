"""What changed its shape: a sheet's name, the header's row, columns - told apart, each with what could be done.

Must not live here: the text of feed files (`patch`), sentences (`words`), and whether anything is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shp_core.contract.contract import Contract, ContractColumn
from shp_core.drift.columns import ENOUGH_CELLS, SheetColumn, fitting, matched
from shp_core.drift.earlier import Earlier
from shp_core.drift.names import NEARLY_EQUAL, likeness
from shp_core.drift.tops import SheetTop
from shp_core.proposing.decide import Answers, ProposedColumn, decide, questions
from shp_core.proposing.sample import SheetSample

_HEADER_WITHIN = 40
_KNOWN_SHARE = 0.5
_RETYPED_BELOW = 0.5


class Change(StrEnum):
    """The ways in which a sheet changes its shape."""

    SHEET_RENAMED = "sheet_renamed"
    HEADER_MOVED = "header_moved"
    RENAMED = "renamed"
    MISSING = "missing"
    ADDED = "added"
    RETYPED = "retyped"
    REORDERED = "reordered"


@dataclass(frozen=True)
class Finding:
    """One thing that changed.

    Args:
        change: how.
        column: header in the feed file; of an added column, in the sheet; "" where it is not about a column.
        found: what the sheet has instead: a header, a sheet's name, a row number; None where it has nothing.
        keys: what the feed file would say of the column; None where a person must say it.
    """

    change: Change
    column: str = ""
    found: str | int | None = None
    keys: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields that say something."""
        told = {"change": str(self.change), "column": self.column, "found": self.found, "keys": self.keys}
        return {name: value for name, value in told.items() if value not in ("", None)}


@dataclass(frozen=True)
class Drift:
    """All that changed.

    Args:
        findings: in the order in which they are told.
    """

    findings: tuple[Finding, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What keeps the delivery out: columns may stand in any order."""
        return tuple(finding for finding in self.findings if finding.change is not Change.REORDERED)


@dataclass(frozen=True)
class _Place:
    """A row that may be the header: sheet, row number, its texts, and how much of the contract it has."""

    top: SheetTop
    row: int
    header: list[str] = field(default_factory=list)
    known: float = 0.0


def diagnose(contract: Contract, tops: Sequence[SheetTop], known: Mapping[str, Earlier] | None = None) -> Drift:
    """Tell what changed in a delivery.

    Args:
        contract: what was agreed.
        tops: the tops of the visible sheets, in the order of the workbook.
        known: what columns held in earlier deliveries, by the contract's header.

    Returns:
        The findings; none where nothing changed, or where nothing of the contract is recognised.
    """
    own = _own_sheet(contract, tops)
    agreed = _place(contract, own, contract.header) if own is not None else None
    place = agreed if agreed is not None and agreed.known >= _KNOWN_SHARE else _elsewhere(contract, tops, own)
    if place is None:
        return Drift()
    return Drift((*_moved(contract, own, place), *_columns(contract, place, known)))


def _own_sheet(contract: Contract, tops: Sequence[SheetTop]) -> SheetTop | None:
    if contract.csv is not None or isinstance(contract.sheet, int):
        number = 1 if contract.csv is not None else int(contract.sheet)
        return tops[number - 1] if number <= len(tops) else None
    return next((top for top in tops if top.name == contract.sheet), None)


def _place(contract: Contract, top: SheetTop, row: int) -> _Place:
    header = top.header(row)
    required = [column for column in contract.columns if not column.optional] or list(contract.columns)
    known = sum(any(_is_called(column, text) for text in header) for column in required)
    return _Place(top, row, header, known / len(required))


def _is_called(column: ContractColumn, text: str) -> bool:
    return bool(text) and any(likeness(title, text) >= NEARLY_EQUAL for title in (column.header, *column.aliases))


def _elsewhere(contract: Contract, tops: Sequence[SheetTop], own: SheetTop | None) -> _Place | None:
    """The row that has most of the contract; of equals the first, on the agreed sheet if it is there."""
    candidates = [own] if own is not None and own.rows else []
    candidates += [top for top in tops if top is not own]
    places = [_place(contract, top, row.number) for top in candidates for row in top.rows if row.number <= _HEADER_WITHIN]
    best = max(places, key=lambda place: place.known, default=None)
    return best if best is not None and best.known >= _KNOWN_SHARE else None


def _moved(contract: Contract, own: SheetTop | None, place: _Place) -> Iterator[Finding]:
    if place.top is not own and contract.csv is None:
        yield Finding(Change.SHEET_RENAMED, found=place.top.name)
    if place.row != contract.header:
        yield Finding(Change.HEADER_MOVED, found=place.row)


def _columns(contract: Contract, place: _Place, earlier: Mapping[str, Earlier] | None) -> Iterator[Finding]:
    header = place.header
    present = {column.header: title for column in contract.columns for title in (column.header, *column.aliases) if title in header}
    known = {*present.values(), *contract.ignored, ""}
    unknown = [_sheet_column(place, position) for position, text in enumerate(header) if text not in known]
    missing = [column for column in contract.columns if column.header not in present]
    renamed = matched(contract, missing, unknown, earlier)
    for column in missing:
        if column.header in renamed:
            new = renamed[column.header]
            yield Finding(Change.RENAMED, column.header, new, {"aliases": [new]})
    for column in missing:
        if column.header not in renamed and not column.optional:
            yield Finding(Change.MISSING, column.header, keys=None if column.name in contract.key else {"optional": True})
    proposed = _Proposed(place)
    if contract.unknown_columns != "ignore":
        for column_ in dict.fromkeys(column.header for column in unknown if column.header not in renamed.values()):
            yield Finding(Change.ADDED, column_, keys=proposed.keys(column_))
    yield from _retyped(contract, place, present | renamed, proposed)
    if _reordered(contract, header, present | renamed):
        yield Finding(Change.REORDERED)


def _sheet_column(place: _Place, position: int) -> SheetColumn:
    before = place.header[position - 1] if position else ""
    return SheetColumn(place.header[position], before, tuple(place.top.below(place.row, position)))


def _retyped(contract: Contract, place: _Place, present: dict[str, str], proposed: _Proposed) -> Iterator[Finding]:
    for column in contract.columns:
        title = present.get(column.header)
        fit = None if title is None else fitting(contract, column, place.top.below(place.row, place.header.index(title)))
        if title is not None and fit is not None and fit < _RETYPED_BELOW:
            keys = proposed.keys(title)
            kind = keys["type"] if keys else "something else"
            yield Finding(Change.RETYPED, column.header, kind, _only_type(keys))


def _only_type(keys: dict[str, Any] | None) -> dict[str, Any] | None:
    return {key: value for key, value in keys.items() if key not in ("name", "optional")} if keys else None


def _reordered(contract: Contract, header: list[str], present: dict[str, str]) -> bool:
    places = [header.index(present[column.header]) for column in contract.columns if column.header in present]
    return places != sorted(places)


class _Proposed:
    """What the cells below a header propose for each column, as `shp feeds new` would."""

    def __init__(self, place: _Place) -> None:
        sample = SheetSample(place.top.name, place.row)
        for row in place.top.rows:
            for column, (kind, text) in row.cells.items():
                sample.hear(row.number, column, kind, text)
        sample.end()
        self._open = {header for question in questions(sample, Answers()) for header in question.columns}
        self._columns = {column.header: column for column in decide(sample, Answers()).columns}
        self._rows = sample.rows

    def keys(self, header: str) -> dict[str, Any] | None:
        """The keys of a column that may be blank; None where its cells can be read in two ways, or it stands twice."""
        found: ProposedColumn | None = self._columns.get(header)
        if found is None or header in self._open or "type" not in found.keys:
            return None
        usual = found.keys if self._rows >= ENOUGH_CELLS else {"type": "text"}
        return {**usual, "optional": True}
