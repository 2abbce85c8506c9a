"""Sheets that changed their shape, as their tops, beside a contract of a known one.

Must not live here: expectations.
"""

from __future__ import annotations

from collections.abc import Sequence

from shp_core.contract.contract import Contract
from shp_core.drift.tops import SheetTop, Tops
from tests.support.contracts import contract_of

FILE = """\
# The shops' orders.
feed: things   # as the shops call it
owner: team:tests
source: {match: "*.xlsx", sheet: 1, header: 1}
columns:
  Order ID: {type: integer, min: 1}   # the shop's own
  Region:   {type: text, max_length: 20}

  # what was paid
  Amount:
    type: decimal   # not money
    scale: 2
    aliases:
      - Sum paid
  Day:      {type: date, formats: ["%Y-%m-%d"]}
  Remark:   {type: text, optional: true, aliases: [Note]}
key: [Order ID]
"""
HEADER = ("Order ID", "Region", "Amount", "Day", "Remark")


def contract(text: str = FILE) -> Contract:
    """The compiled contract of the feed file."""
    return contract_of(text)


def row(number: int) -> dict[str, tuple[str, str]]:
    """A row's cells by header."""
    region = ("AT", "DE", "FR")[number % 3]
    amount = f"{number * 3 % 100}.{number % 90 + 10}"
    return {
        "Order ID": ("n", str(number)),
        "Region": ("s", region),
        "Amount": ("n", amount),
        "Day": ("d", f"2026-01-{number % 27 + 1:02}"),
        "Remark": ("s", f"remark {number}"),
    }


def top(
    header: Sequence[str] = HEADER,
    content: Sequence[str | None] = HEADER,
    *,
    name: str = "Sheet1",
    first: int = 1,
    rows: int = 30,
    title: str = "",
) -> SheetTop:
    """The top of a sheet.

    Args:
        header: its header.
        content: for each column, whose cells stand below; None: texts of their own.
        name: the sheet's name.
        first: row of the header.
        rows: rows below it.
        title: what stands in the first row, if the header is not there.
    """
    tops = Tops()
    if title:
        tops.hear(name, 1, 1, "s", title)
    for column, text in enumerate(header, 1):
        if text:
            tops.hear(name, first, column, "s", text)
    for number in range(1, rows + 1):
        for column, whose in enumerate(content, 1):
            kind, text = row(number)[whose] if whose else ("s", f"word {number}")
            tops.hear(name, first + number, column, kind, text)
    return tops.of([name])[0]
