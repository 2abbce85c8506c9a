"""Which column of the sheet is which column of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shp_core.codes import Code
from shp_core.contract.contract import Contract
from shp_core.drift.names import nearly_equal
from shp_core.errors import Refusal
from shp_core.feeds.names import clean_header


@dataclass(frozen=True)
class Mapping:
    """Where the contract's columns stand in the sheet.

    Args:
        positions: for each contract column, in feed order, its 0-based position among the sheet's columns; None where an
            optional column is missing.
        stray: 0-based positions of columns without a header that must hold no data.
        width: number of the sheet's columns.
        extra_allowed: whether cells to the right of the header are passed over.
    """

    positions: tuple[int | None, ...]
    stray: tuple[int, ...]
    width: int
    extra_allowed: bool


def map_header(header: Sequence[str], contract: Contract) -> Mapping:
    """Find the contract's columns in a header.

    Args:
        header: the header row's texts, one per column, empty where there is none.
        contract: the contract.

    Raises:
        Refusal: `header_missing`, `column_twice`, `column_missing` or `column_unknown`; missing and unknown columns are
            told together, so that a renamed column is seen as one.
    """
    found = [clean_header(text) for text in header]
    if not any(found):
        raise Refusal(Code.HEADER_MISSING, f"Row {contract.header} of the sheet is blank; the header was expected there.")
    _refuse_twins(found, contract)
    titles = {title: column.header for column in contract.columns for title in (column.header, *column.aliases)}
    unknown = [text for text in found if text and text not in titles and text not in contract.ignored]
    if contract.unknown_columns == "map":
        titles |= _nearly(found, contract, titles, unknown)
        unknown = [text for text in unknown if text not in titles]
    places = {titles[text]: place for place, text in enumerate(found) if text in titles}
    missing = [column.header for column in contract.columns if not column.optional and column.header not in places]
    if contract.unknown_columns == "ignore" or _may_be_data(found, contract):
        _refuse_drift(missing, [])
    else:
        _refuse_drift(missing, unknown)
    passes_unnamed = "" in contract.ignored or contract.unknown_columns == "ignore"
    stray = () if passes_unnamed else tuple(place for place, text in enumerate(found) if not text)
    positions = tuple(places.get(column.header) for column in contract.columns)
    return Mapping(positions, stray, len(found), passes_unnamed)


def column_letters(position: int) -> str:
    """A 0-based position as the sheet names the column: 0 → `A`, 27 → `AB`."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _may_be_data(found: list[str], contract: Contract) -> bool:
    """Whether a row without any known header may be a row of personal data, which is never repeated in a message."""
    known = {title for column in contract.columns for title in (column.header, *column.aliases)}
    return any(column.pii for column in contract.columns) and not known & set(found)


def _nearly(found: list[str], contract: Contract, titles: dict[str, str], unknown: list[str]) -> dict[str, str]:
    """Unknown headers that the policy `map` takes for missing ones: names that differ in a slip, and no two that could be meant."""
    there = {titles[text] for text in found if text in titles}
    missing = [column.header for column in contract.columns if column.header not in there]
    return {new: old for old, new in nearly_equal(missing, unknown).items()}


def _refuse_twins(found: list[str], contract: Contract) -> None:
    counts = Counter(found)
    twins = [column.header for column in contract.columns if sum(counts[title] for title in (column.header, *column.aliases)) > 1]
    if twins:
        raise Refusal(Code.COLUMN_TWICE, f"The header has more than one column called {_quoted(twins)}.", {"twice": _bounded(twins)})


def _refuse_drift(missing: list[str], unknown: list[str]) -> None:
    if not missing and not unknown:
        return
    parts = []
    if missing:
        parts.append(f"The header lacks {_quoted(missing)}")
    if unknown:
        parts.append(f"{'it has' if missing else 'The header has'} {_quoted(unknown)}, which the feed does not know")
    code = Code.COLUMN_MISSING if missing else Code.COLUMN_UNKNOWN
    raise Refusal(code, "; ".join(parts) + ".", {"missing": _bounded(missing), "unknown": _bounded(unknown)})


def _bounded(names: list[str]) -> list[str]:
    """Sixteen thousand columns of any length fit into a sheet; what is stored about them stays small."""
    return [name[:100] for name in names[:50]]


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name[:60]}'" for name in names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
