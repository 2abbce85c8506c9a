"""Three days of stock counts: a made-up feed that shares nothing with the sales records but being spreadsheets.

Lives here: the counted items, their cells in European notation, the defects of one day. All of it is fiction, names included.
Must not live here: files; see `make_samples`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from benchmarks.cells import Cell, Row

HEADER = ("Warehouse", "SKU", "Product", "Counted At", "On Hand", "Reserved", "Unit Value", "Remark")
HEADER_ROW = 3
WIDTHS = (11, 10, 26, 12, 9, 9, 13, 34)

_WAREHOUSES = ("ANR", "GRZ", "LYS", "MMX")
_PRODUCTS = (  # SKU, name, value of one in cents; SKUs are texts: leading zeros count
    ("004711", "Ball bearing 6204", 385),
    ("004712", "Ball bearing 6205", 412),
    ("010030", "Gear motor 0,37 kW", 28450),
    ("010031", "Gear motor 0,55 kW", 31900),
    ("010080", "Servo drive 2 kW", 123450),
    ("010081", "Servo drive 5 kW", 214990),
    ("020005", "Conveyor belt 10 m", 67825),
    ("020006", "Conveyor belt 25 m", 158700),
    ("020110", "Idler roller Ø 89", 2795),
    ("033001", "Control cabinet", 489500),
    ("033002", "Emergency stop", 4160),
    ("033417", "Proximity sensor", 3625),
    ("033418", "Light barrier", 8990),
    ("040900", "Hydraulic pump", 176300),
    ("040901", "Hydraulic hose 3 m", 5480),
    ("040950", "Seal kit", 1915),
    ("051200", "Pallet truck", 39900),
    ("051201", "Stretch film 500 mm", 1249),
    ("060001", "Bolt M8 × 40 (100)", 1480),
    ("060002", "Bolt M10 × 60 (100)", 2360),
    ("060050", "Washer M8 (500)", 990),
    ("070700", "Grease cartridge", 745),
    ("070701", "Chain oil 5 l", 5210),
    ("080100", "Spare key set", 1500),
)
_REMARKS = (
    "recount by J. Muster, ext. 4417",
    "box opened, ask Petra Beispiel",
    "call M. Modèle +32 5550 1234",
    "shelf moved to B-12",
)


class Count(NamedTuple):
    """One counted item; value in cents."""

    warehouse: str
    sku: str
    product: str
    counted: date
    on_hand: int
    reserved: int
    value: int
    remark: str | None


@dataclass(frozen=True)
class Day:
    """One day's workbook.

    Args:
        day: the day counted.
        items: how many items were counted.
        dates_as_text: dates as `17.11.2026` instead of date cells.
        values_as_text: money as `1.234,50` in these of every three rows; numbers elsewhere.
        careless: in every fifth row the warehouse stands in small letters with a space behind it.
        remarks: whether the optional column is there at all.
        blank_rows: sheet rows left blank between the data.
        spoiled: sheet row -> (column, cell, reason code).
        repeats: sheet row -> sheet row it repeats.
    """

    day: date
    items: int
    dates_as_text: bool = False
    values_as_text: frozenset[int] = frozenset()
    careless: bool = False
    remarks: bool = True
    blank_rows: frozenset[int] = frozenset()
    spoiled: dict[int, tuple[str, Cell, str]] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the workbook."""
        return f"stock_levels_{self.day.isoformat()}.xlsx"

    @property
    def header(self) -> tuple[str, ...]:
        """The header of this day's table."""
        return HEADER if self.remarks else HEADER[:-1]


DAYS: Sequence[Day] = (
    Day(date(2026, 11, 17), 72, values_as_text=frozenset({0, 1, 2})),
    Day(date(2026, 11, 18), 88, dates_as_text=True, remarks=False, blank_rows=frozenset({40, 41})),
    Day(
        date(2026, 11, 19),
        80,
        values_as_text=frozenset({0, 2}),
        careless=True,
        spoiled={
            20: ("On Hand", "n/c", "invalid_integer"),
            51: ("Unit Value", "12,50 each", "invalid_number"),
            58: ("Warehouse", "Lyon", "pattern_mismatch"),
            66: ("Reserved", -3, "below_min"),
        },
        repeats={70: 12},
    ),
)
"""The three days; the last one has defects."""


def counts(day: Day) -> list[Count]:
    """The items counted on a day, in the order of the sheet."""
    dice = random.Random(day.day.toordinal())
    shelves = [(warehouse, product) for warehouse in _WAREHOUSES for product in _PRODUCTS]
    chosen = sorted(dice.sample(range(len(shelves)), day.items))
    return [_count(dice, day.day, *shelves[place]) for place in chosen]


def table(day: Day) -> Iterator[Row]:
    """The sheet from row 1 on: a title, a blank row, the header, the counts."""
    yield (f"Stock count of {day.day:%d.%m.%Y}",)
    yield ()
    yield day.header
    rows = {row: _cells(day, place, count) for row, (place, count) in zip(data_rows(day), enumerate(counts(day)), strict=True)}
    for row, (column, cell, _) in day.spoiled.items():
        rows[row][HEADER.index(column)] = cell
    for row, original in day.repeats.items():
        rows[row] = rows[original]
    yield from (rows.get(row, ()) for row in range(HEADER_ROW + 1, max(rows) + 1))


def data_rows(day: Day) -> list[int]:
    """Sheet rows of the counts."""
    last = HEADER_ROW + day.items + len(day.blank_rows)
    return [row for row in range(HEADER_ROW + 1, last + 1) if row not in day.blank_rows]


def clean(day: Day) -> list[Count]:
    """The counts that must come through."""
    gone = day.spoiled.keys() | day.repeats.keys()
    return [count for row, count in zip(data_rows(day), counts(day), strict=True) if row not in gone]


def sums(items: Sequence[Count]) -> dict[str, str]:
    """Exact sums of the number columns, as decimal texts by header."""
    value = Decimal(sum(item.value for item in items)).scaleb(-2)
    return {"On Hand": str(sum(item.on_hand for item in items)), "Reserved": str(sum(i.reserved for i in items)), "Unit Value": str(value)}


def money_text(cents: int) -> str:
    """An amount in European notation: `1.234,50`."""
    return f"{cents // 100:,}".replace(",", ".") + f",{cents % 100:02d}"


def _count(dice: random.Random, day: date, warehouse: str, product: tuple[str, str, int]) -> Count:
    on_hand = dice.choice((0, 4, 18, 60, 250, 1200)) + dice.randrange(20)
    remark = dice.choice(_REMARKS) if dice.random() < 0.2 else None
    return Count(warehouse, product[0], product[1], day, on_hand, dice.randrange(on_hand + 1), product[2], remark)


def _cells(day: Day, place: int, count: Count) -> list[Cell]:
    counted: Cell = f"{count.counted:%d.%m.%Y}" if day.dates_as_text else count.counted
    value = _value(day, place, count.value)
    warehouse = f"{count.warehouse.lower()} " if day.careless and place % 5 == 0 else count.warehouse
    row: list[Cell] = [warehouse, count.sku, count.product, counted, count.on_hand, count.reserved, value, count.remark]
    return row[: len(day.header)]


def _value(day: Day, place: int, cents: int) -> Cell:
    if place % 3 not in day.values_as_text:
        return cents / 100
    return money_text(cents)
