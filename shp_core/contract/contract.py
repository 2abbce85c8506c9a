"""The compiled contract: what turns text rows into clean rows, in the form the converters use.

Plain frozen data, standard library only, Python 3.8 syntax: the same modules run on Hadoop nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Tuple, Union

from shp_core.reading.textrow import CsvForm, SheetSpec

CONVERTER_VERSION = 1
"""Raised by hand whenever the same text row could convert to something else; guarded by a golden test."""

NUMERIC_TYPES = ("integer", "bigint", "decimal", "money")


@dataclass(frozen=True)
class ContractColumn:
    """One column of the contract.

    Args:
        header: header as it stands in the sheet, blanks folded.
        name: name in tables.
        type: one of the feed model's column types.
        optional: whether blanks become nulls instead of rejects, and the column may be missing.
        bounds: `min` and `max` as text (a number or an ISO date), None where there is none.
        allowed: the values of `in` as text, or None.
        aliases: other headers under which the column comes.
    """

    header: str
    name: str
    type: str
    optional: bool = False
    pii: bool = False
    description: str = ""
    transforms: Tuple[str, ...] = ()
    formats: Tuple[str, ...] = ()
    scale: int = 0
    precision: int = 0
    currency: Optional[str] = None
    bounds: Tuple[Optional[str], Optional[str]] = (None, None)
    allowed: Optional[Tuple[str, ...]] = None
    pattern: Optional[str] = None
    max_length: Optional[int] = None
    aliases: Tuple[str, ...] = ()

    @property
    def rules(self) -> ContractColumn:
        """The column without what says nothing of its cells: columns of the same rules mean the same by the same text."""
        return replace(self, header="", name="", pii=False, description="", aliases=())

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers."""
        return self.type in NUMERIC_TYPES


@dataclass(frozen=True)
class Contract:
    """A feed's contract.

    Args:
        feed: name of the feed (says where it comes from; not part of the version).
        sheet: number among the visible worksheets, or name.
        header: sheet row of the header.
        until: what ends the table, if anything does.
        columns: the columns that are kept, in feed order.
        ignored: headers that are passed over.
        key: names (in tables) of the key columns.
        version: hash of everything that can change a clean row.
        csv: how the feed's CSV files are spelled; None: it has workbooks.
    """

    feed: str
    sheet: Union[int, str]
    header: int
    until: Optional[str]
    columns: Tuple[ContractColumn, ...]
    ignored: Tuple[str, ...]
    key: Tuple[str, ...]
    decimal: str
    group: str
    max_rejected_share: float
    null_share_below: Optional[float]
    volume_within: Optional[float]
    volume: str
    unknown_columns: str
    allow_empty: bool
    version: str
    csv: Optional[CsvForm] = None

    @property
    def spec(self) -> SheetSpec:
        """Which table of a delivery is read, and how it is spelled."""
        return SheetSpec(self.sheet, self.header, self.until, self.csv)

    @property
    def names(self) -> Tuple[str, ...]:
        """Column names in feed order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> ContractColumn:
        """The column of that name in tables."""
        return next(column for column in self.columns if column.name == name)
