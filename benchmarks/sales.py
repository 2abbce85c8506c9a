"""The sales records: their shape, made-up records of that shape, and how people write them into cells.

Lives here: one record, where records come from, the cells of one in a chosen style, exact sums.
Must not live here: files and defects; see `cells`, `make_workbooks`, `defects`.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from benchmarks.cells import Cell
from benchmarks.countries import PLACES

HEADER: tuple[str | None, ...] = (
    None,  # the index column has no name, as spreadsheets written by data frames have it
    "Region",
    "Country",
    "Item Type",
    "Sales Channel",
    "Order Priority",
    "Order Date",
    "Order ID",
    "Ship Date",
    "Units Sold",
    "Unit Price",
    "Unit Cost",
    "Total Revenue",
    "Total Cost",
    "Total Profit",
)
MONEY = ("Unit Price", "Unit Cost", "Total Revenue", "Total Cost", "Total Profit")
WIDTHS = (6, 20, 20, 15, 13, 13, 11, 12, 11, 10, 12, 12, 15, 15, 15)

_ITEMS = (  # name, price and cost in cents
    ("Baby Food", 25528, 15942),
    ("Beverages", 4745, 3179),
    ("Cereal", 20570, 11711),
    ("Clothes", 10928, 3584),
    ("Cosmetics", 43720, 26333),
    ("Fruits", 933, 692),
    ("Household", 66827, 50254),
    ("Meat", 42189, 36469),
    ("Office Supplies", 65121, 52496),
    ("Personal Care", 8173, 5667),
    ("Snacks", 15258, 9744),
    ("Vegetables", 15406, 9093),
)
_FIRST_DAY, _DAYS, _LONGEST_WAY = date(2010, 1, 1), 2765, 50
_EPOCH = date(1970, 1, 1)
_PASTED = 50
"""Rows in a block of one style where styles are mixed: people paste exports below each other."""


class Dates(StrEnum):
    """How dates are written."""

    TEXT = "text"
    CELLS = "cells"
    MIXED = "mixed"


class Money(StrEnum):
    """How money is written: numbers as floating point left them, or texts such as `$1,234.50`."""

    NUMBERS = "numbers"
    TEXT = "text"
    TEXT_TOTALS = "text-totals"
    MIXED = "mixed"


@dataclass(frozen=True)
class Style:
    """How one person writes sales records."""

    dates: Dates = Dates.TEXT
    money: Money = Money.NUMBERS


class Record(NamedTuple):
    """One sale; price and cost in cents."""

    region: str
    country: str
    item: str
    channel: str
    priority: str
    ordered: date
    order_id: int
    shipped: date
    units: int
    price: int
    cost: int

    def money(self) -> tuple[int, int, int, int, int]:
        """The columns of `MONEY`, in cents."""
        revenue, cost = self.units * self.price, self.units * self.cost
        return self.price, self.cost, revenue, cost, revenue - cost


def generate(rows: int, seed: int, first_order_id: int) -> Iterator[Record]:
    """Make records up.

    Args:
        rows: how many.
        seed: the same seed gives the same records.
        first_order_id: the records carry this Order ID and the `rows - 1` that follow it, shuffled.
    """
    dice = random.Random(seed)
    order_ids = list(range(first_order_id, first_order_id + rows))
    dice.shuffle(order_ids)
    for order_id in order_ids:
        region, country = dice.choice(PLACES)
        item, price, cost = dice.choice(_ITEMS)
        ordered = _FIRST_DAY + timedelta(days=int(dice.random() * _DAYS))
        shipped = ordered + timedelta(days=int(dice.random() * (_LONGEST_WAY + 1)))
        channel, priority = dice.choice(("Online", "Offline")), dice.choice("CHLM")
        units = 1 + int(dice.random() * 10_000)
        yield Record(region, country, item, channel, priority, ordered, order_id, shipped, units, price, cost)


def read_csv(path: Path) -> list[Record]:
    """Read the public sample file: 14 columns separated by semicolons.

    Raises:
        ValueError: a total is not units times price, units times cost or their difference.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        return [_from_csv(row) for row in csv.DictReader(stream, delimiter=";")]


def cells(index: int, record: Record, style: Style) -> list[Cell]:
    """The cells of one record, the index column first.

    Args:
        index: number of the record in its file, from 0; decides the style where styles are mixed.
        record: the record.
        style: how it is written.
    """
    pasted = (index // _PASTED) % 2 == 1
    as_date = _date_text if style.dates is Dates.TEXT or (style.dates is Dates.MIXED and pasted) else _date_cell
    return [
        index,
        *record[:5],
        as_date(record.ordered),
        record.order_id,
        as_date(record.shipped),
        record.units,
        *_money_cells(record, style.money, pasted),
    ]


def sums(records: Iterable[Record]) -> dict[str, str]:
    """Exact sums of Units Sold and of the money columns, as decimal texts by header."""
    units, totals = 0, [0] * len(MONEY)
    for record in records:
        units += record.units
        totals = [total + amount for total, amount in zip(totals, record.money(), strict=True)]
    return {"Units Sold": str(units)} | {name: str(Decimal(total).scaleb(-2)) for name, total in zip(MONEY, totals, strict=True)}


def days(records: Sequence[Record]) -> dict[str, int]:
    """Sums of the dates as days since 1970-01-01, by header: a shifted or swapped date shows in them."""
    return {
        "Order Date": sum((record.ordered - _EPOCH).days for record in records),
        "Ship Date": sum((record.shipped - _EPOCH).days for record in records),
    }


def money_text(cents: int) -> str:
    """An amount as people type it: `$1,234.50`."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def _money_cells(record: Record, money: Money, pasted: bool) -> list[Cell]:
    texts: list[Cell] = [money_text(cents) for cents in record.money()]
    if money is Money.TEXT or (money is Money.MIXED and pasted):
        return texts
    numbers = _floats(record)
    return [*numbers[:2], *texts[2:]] if money is Money.TEXT_TOTALS else numbers


def _floats(record: Record) -> list[Cell]:
    # Computed as a spreadsheet computes them: the totals carry the noise of binary fractions.
    price, cost = record.price / 100, record.cost / 100
    revenue, spent = record.units * price, record.units * cost
    return [price, cost, revenue, spent, revenue - spent]


def _date_text(day: date) -> Cell:
    return f"{day.month}/{day.day}/{day.year}"


def _date_cell(day: date) -> Cell:
    return day


def _from_csv(row: dict[str, str]) -> Record:
    amounts = {name: int(Decimal(row[name]).scaleb(2)) for name in MONEY}
    record = Record(
        row["Region"],
        row["Country"],
        row["Item Type"],
        row["Sales Channel"],
        row["Order Priority"],
        _day(row["Order Date"]),
        int(row["Order ID"]),
        _day(row["Ship Date"]),
        int(row["Units Sold"]),
        amounts["Unit Price"],
        amounts["Unit Cost"],
    )
    if record.money() != tuple(amounts.values()):
        raise ValueError(f"Order ID {record.order_id}: the totals do not follow from units, price and cost")
    return record


def _day(text: str) -> date:
    month, day, year = text.split("/")
    return date(int(year), int(month), int(day))
