"""An independent reading of sample workbooks: openpyxl, and arithmetic that shares nothing with the platform's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl

from shp_core.feeds.model import Column, Feed


@dataclass
class Reading:
    """What openpyxl finds in workbooks: rows with content, distinct keys and sums over the chosen rows."""

    rows: int = 0
    chosen: int = 0
    keys: set[tuple[str, ...]] = field(default_factory=set)
    sums: dict[str, Decimal] = field(default_factory=dict)


def read(feed: Feed, path: Path, chosen: Collection[int], into: Reading) -> None:
    """Read a workbook into a reading.

    Args:
        feed: says where the table lies, which columns are numbers and which are the key.
        path: the workbook.
        chosen: sheet rows that count for keys and sums.
        into: what is added to.
    """
    rows = _rows(feed, path)
    header = [str(value or "") for value in next(rows)[1]]
    numbers = {name: header.index(name) for name in numeric_headers(feed) if name in header}
    key = {name: header.index(name) for name in feed.key}
    for number, values in rows:
        into.rows += 1
        if number not in chosen:
            continue
        into.chosen += 1
        into.keys.add(tuple(_key_text(feed.columns[name], values[place]) for name, place in key.items()))
        for name, place in numbers.items():
            value = _number(values[place], feed.numbers.decimal, _scale(feed.columns[name]))
            into.sums[name] = into.sums.get(name, Decimal(0)) + value


def numeric_headers(feed: Feed) -> list[str]:
    """Headers of the feed's number columns, keys left out: their sum means nothing."""
    kinds = ("integer", "bigint", "decimal", "money")
    return [header for header, column in feed.columns.items() if column.type in kinds and header not in feed.key]


def _rows(feed: Feed, path: Path) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Sheet row numbers and values, from the header on, rows without content left out."""
    book = openpyxl.load_workbook(path, data_only=True)
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    sheet = book[feed.source.sheet] if isinstance(feed.source.sheet, str) else visible[feed.source.sheet - 1]
    for number, values in enumerate(sheet.iter_rows(min_row=feed.source.header, values_only=True), feed.source.header):
        if any(value is not None and str(value).strip() for value in values):
            yield number, values
    book.close()


def _key_text(column: Column, value: Any) -> str:
    text = str(value)
    for transform in column.transform:
        text = {
            "strip": text.strip(),
            "collapse": " ".join(text.split()),
            "upper": text.upper(),
            "lower": text.lower(),
            "title": text.title(),
        }[transform]
    return text


def _scale(column: Column) -> int:
    return column.scale if column.type in ("decimal", "money") else 0


def _number(value: Any, decimal: str, scale: int) -> Decimal:
    if value is None:
        return Decimal(0)
    if isinstance(value, int | float):
        return Decimal(repr(value)).quantize(Decimal(1).scaleb(-scale))
    digits = re.sub(rf"[^0-9{re.escape(decimal)}-]", "", str(value)).replace(decimal, ".")
    return Decimal(digits)
