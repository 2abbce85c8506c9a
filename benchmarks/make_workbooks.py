"""Big workbooks in the layout of the sales samples, with the exact sums they must give.

    python -m benchmarks.make_workbooks --rows 100000 --files 5 --out DIR

Prints one JSON document: per file and in all the rows and the exact sums, computed from the records and not from the cells.
Must not live here: what a record is (`sales`) and how cells are stored (`cells`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from benchmarks import sales
from benchmarks.cells import Look, Row, Sheet, Strings, write_book

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What to make.

    Args:
        rows: data rows per file.
        files: how many files, numbered from 1.
        prefix: what stands before the number in a file's name.
        first_order_id: Order IDs run from here through all files, without a gap.
        seed: the same plan with the same seed gives the same cells.
        strings: where the workbooks keep their texts.
        style: how dates and money are written.
    """

    rows: int = 100_000
    files: int = 5
    prefix: str = "sales_records_n"
    first_order_id: int = 1_000_000_000
    seed: int = 3
    strings: Strings = Strings.SHARED
    style: sales.Style = field(default_factory=sales.Style)

    def name(self, number: int) -> str:
        """Name of the file with this number."""
        return f"{self.prefix}{number}.xlsx"

    def records(self, number: int) -> Iterator[sales.Record]:
        """The records of the file with this number, from 1."""
        first = self.first_order_id + (number - 1) * self.rows
        return sales.generate(self.rows, self.seed * 1_000_003 + number, first)


def expected(plan: Plan, files: int | None = None) -> dict[str, Any]:
    """Rows and exact sums, per file and in all, without writing anything.

    Args:
        plan: the workbooks.
        files: only the first ones; None: all.

    Returns:
        `{"rows", "sums", "days", "files": [{"name", "rows", "first_order_id", "sums", "days"}]}`; sums are decimal texts by header,
        days the sums of dates as days since 1970-01-01.
    """
    parts = [_expected_of(plan, number) for number in range(1, (files or plan.files) + 1)]
    days = {name: sum(part["days"][name] for part in parts) for name in parts[0]["days"]}
    return {"rows": plan.rows * len(parts), "sums": add_sums([part["sums"] for part in parts]), "days": days, "files": parts}


def _expected_of(plan: Plan, number: int) -> dict[str, Any]:
    records = list(plan.records(number))
    return {
        "name": plan.name(number),
        "rows": len(records),
        "first_order_id": min(record.order_id for record in records),
        "sums": sales.sums(records),
        "days": sales.days(records),
    }


def add_sums(parts: list[dict[str, str]]) -> dict[str, str]:
    """Sums of sums, by header."""
    return {name: str(sum(Decimal(part[name]) for part in parts)) for name in parts[0]}


def make(plan: Plan, out: Path) -> list[Path]:
    """Write the workbooks of a plan.

    Args:
        plan: what to make.
        out: folder to write to; made if it is not there.

    Returns:
        The files, in the order of their numbers.
    """
    out.mkdir(parents=True, exist_ok=True)
    return [_write(plan, number, out) for number in range(1, plan.files + 1)]


def _write(plan: Plan, number: int, out: Path) -> Path:
    path = out / plan.name(number)
    write_book(path, [Sheet("Sheet1", _rows(plan, number), widths=sales.WIDTHS)], Look(strings=plan.strings))
    log.info("%s: %d rows, %d bytes", path.name, plan.rows, path.stat().st_size)
    return path


def _rows(plan: Plan, number: int) -> Iterator[Row]:
    yield sales.HEADER
    for index, record in enumerate(plan.records(number)):
        yield sales.cells(index, record, plan.style)


def _choice(values: type[Any]) -> click.Choice[str]:
    return click.Choice([str(value) for value in values])


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1), help="Data rows per file.")
@click.option("--files", default=5, show_default=True, type=click.IntRange(1), help="How many files.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option("--strings", default="shared", show_default=True, type=_choice(Strings), help="Where texts are kept.")
@click.option("--dates", default="text", show_default=True, type=_choice(sales.Dates), help="M/D/YYYY texts or date cells.")
@click.option("--money", default="numbers", show_default=True, type=_choice(sales.Money), help="Numbers with binary noise or $1,234.50.")
@click.option("--seed", default=3, show_default=True, type=int, help="The same seed gives the same cells.")
@click.option("--prefix", default="sales_records_n", show_default=True, help="What stands before a file's number.")
@click.option(
    "--first-order-id", default=1_000_000_000, show_default=True, type=click.IntRange(1), help="Lowest Order ID of the first file."
)
def main(out: Path, strings: str, dates: str, money: str, **numbers: Any) -> None:
    """Write big workbooks in the layout of the sales samples and print their exact sums as JSON."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    style = sales.Style(sales.Dates(dates), sales.Money(money))
    plan = Plan(strings=Strings(strings), style=style, **numbers)
    make(plan, out)
    click.echo(json.dumps(expected(plan), indent=2))


if __name__ == "__main__":
    main()
