"""The workbooks and the feed of the rehearsal: small, made on the spot, each row known beforehand.

Must not live here: what is done to them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

FEED = "orders"
FEED_FILE = """\
# The feed of `shp demo --faults`; a drifted file is accepted into it while the platform runs.
feed: orders
owner: demo@example.com
source: {match: "*.xlsx"}
columns:
  Order:   {type: integer, min: 1}
  Country: {type: text, max_length: 2}      # where it was sent
  Day:     {type: date, formats: ["%Y-%m-%d"]}
  Amount:  {type: money, scale: 2, currency: EUR, min: 0}
key: [Order]
rules: {max_rejected_share: 0.1}
"""
HEADER = ("Order", "Country", "Day", "Amount")
DRIFTED = ("Order", "Country code", "Day", "Amount")
_ROWS = 400


@dataclass(frozen=True)
class Book:
    """One workbook.

    Args:
        name: its partition.
        number: which one it is; its orders follow from it.
    """

    name: str
    number: int

    @property
    def orders(self) -> range:
        """Its orders' numbers."""
        return range(self.number * 1_000 + 1, self.number * 1_000 + _ROWS + 1)

    @property
    def total(self) -> Decimal:
        """The sum of its amounts."""
        return sum((_amount(order) for order in self.orders), Decimal(0))

    def content(self, header: Iterable[str] = HEADER) -> bytes:
        """The file, under this header."""
        from openpyxl import Workbook  # half a second that no other command waits for

        book = Workbook(write_only=True)
        sheet = book.create_sheet("Orders")
        sheet.append(list(header))
        for order in self.orders:
            sheet.append([order, ("AT", "DE", "FR")[order % 3], date(2026, 1 + order % 12, 1 + order % 28), float(_amount(order))])
        made = io.BytesIO()
        book.save(made)
        return made.getvalue()


def drop(folder: Path, book: Book, content: bytes | None = None) -> Path:
    """Put a workbook into a drop folder as a careful sender does: aside, then renamed."""
    place = folder / f"{book.name}.xlsx"
    draft = folder / f".{book.name}.draft"
    draft.write_bytes(book.content() if content is None else content)
    draft.replace(place)
    return place


def _amount(order: int) -> Decimal:
    return Decimal(order * 37 % 100_000) / 100
