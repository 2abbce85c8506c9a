"""The sample workbooks under `samples/`, and what must come out of them.

    python -m benchmarks.make_samples SALES_RECORDS_10K.csv --out samples

The same CSV gives the same bytes. Must not live here: what a record is (`sales`, `stock`) or what is wrong with one (`defects`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import defects, sales, stock
from benchmarks.cells import Look, Row, Sheet, Strings, repack, write_book

ROWS = 2_000
DEFECTS_NAME = "sales_records_n6_defects.xlsx"
_DEFECTS_SEED, _DEFECTS_FIRST_ORDER_ID = 6, 2_000_000_000

SALES: Sequence[tuple[sales.Style, Look]] = (
    (sales.Style(sales.Dates.TEXT, sales.Money.NUMBERS), Look()),
    (sales.Style(sales.Dates.CELLS, sales.Money.NUMBERS), Look(number_format="#,##0.00")),
    (sales.Style(sales.Dates.TEXT, sales.Money.TEXT), Look()),
    (sales.Style(sales.Dates.CELLS, sales.Money.TEXT_TOTALS), Look(Strings.INLINE, "dd-mmm-yyyy", epoch_1904=True)),
    (sales.Style(sales.Dates.MIXED, sales.Money.MIXED), Look()),
)
"""How each of the five good workbooks is written."""

_NOTES: tuple[Row, ...] = (
    ("How to count",),
    (),
    ("Count before 07:00. One line per shelf; write amounts as 1.234,50.",),
    ("Remarks are for us only, please do not pass them on.",),
)
_LISTS: tuple[Row, ...] = (("Warehouse", "SKU"), ("GRZ", "999999"), ("LYS", "999998"))


def make_samples(source: Path, out: Path) -> dict[str, Any]:
    """Write every sample workbook and `expected.json`.

    Args:
        source: the public CSV of 10,000 sales records.
        out: folder to write to.

    Returns:
        What must come out of the samples, as in `expected.json`.
    """
    facts = {"sales": _make_sales(sales.read_csv(source), out / "sales"), "stock": _make_stock(out / "stock")}
    (out / "expected.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _make_sales(records: list[sales.Record], folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    parts = [records[start : start + ROWS] for start in range(0, len(records), ROWS)]
    files = {}
    for number, (part, (style, look)) in enumerate(zip(parts, SALES, strict=True), start=1):
        name = f"sales_records_n{number}.xlsx"
        _save(folder / name, [Sheet("Sheet1", _sales_rows(part, style), widths=sales.WIDTHS)], look)
        files[name] = _facts("Sheet1", 1, len(part), sales.sums(part), dates=str(style.dates), money=str(style.money))
    files[DEFECTS_NAME] = _make_defects(folder / DEFECTS_NAME)
    return {"key": ["Order ID"], "together": {"rows": len(records), "sums": sales.sums(records)}, "files": files}


def _make_defects(path: Path) -> dict[str, Any]:
    records = list(sales.generate(ROWS, _DEFECTS_SEED, _DEFECTS_FIRST_ORDER_ID))
    style = sales.Style(sales.Dates.MIXED, sales.Money.MIXED)
    rows = [list(row) for row in _sales_rows(records, style)]
    defects.spoil(rows)
    _save(path, [Sheet("Sheet1", rows, widths=sales.WIDTHS)], Look())
    gone = defects.rejects().keys() | set(defects.duplicates())
    clean = [record for row, record in enumerate(records, start=2) if row not in gone]
    facts = _facts("Sheet1", 1, ROWS, sales.sums(clean), dates=str(style.dates), money=str(style.money))
    return _with_rejects(facts, defects.rejects(), defects.duplicates())


def _sales_rows(records: list[sales.Record], style: sales.Style) -> list[Row]:
    return [sales.HEADER, *(sales.cells(index, record, style) for index, record in enumerate(records))]


def _make_stock(folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    for day in stock.DAYS:
        sheets = [
            Sheet("Notes", _NOTES, widths=(70,)),
            Sheet("Count", stock.table(day), widths=stock.WIDTHS),
            Sheet("Lists", _LISTS, hidden=True),
        ]
        _save(folder / day.name, sheets, Look(date_format="dd.mm.yyyy", number_format="#,##0.00"))
    files = {day.name: _stock_facts(day) for day in stock.DAYS}
    return {"key": ["Warehouse", "SKU"], "together": _stock_together(), "files": files}


def _stock_facts(day: stock.Day) -> dict[str, Any]:
    facts = _facts("Count", stock.HEADER_ROW, day.items, stock.sums(stock.clean(day)))
    facts["blank"] = len(day.blank_rows)
    rejects = {row: {column: [code]} for row, (column, _, code) in sorted(day.spoiled.items())}
    return _with_rejects(facts, rejects, sorted(day.repeats))


def _stock_together() -> dict[str, Any]:
    """The table after all days: a key belongs to the last day that counted it."""
    owner = {(count.warehouse, count.sku): (day.name, count) for day in stock.DAYS for count in stock.clean(day)}
    loaded = {day.name: sum(name == day.name for name, _ in owner.values()) for day in stock.DAYS}
    displaced = {day.name: len(stock.clean(day)) - loaded[day.name] for day in stock.DAYS}
    return {"rows": len(owner), "sums": stock.sums([count for _, count in owner.values()]), "loaded": loaded, "displaced": displaced}


def _facts(sheet: str, header_row: int, rows: int, sums: dict[str, str], **style: str) -> dict[str, Any]:
    counts = {"read": rows, "clean": rows, "rejected": 0, "duplicate": 0, "blank": 0}
    return {"sheet": sheet, "header_row": header_row, **style, **counts, "sums": sums, "rejects": {}, "duplicates": []}


def _with_rejects(facts: dict[str, Any], rejects: dict[int, dict[str, list[str]]], duplicates: list[int]) -> dict[str, Any]:
    clean = facts["read"] - len(rejects) - len(duplicates)
    facts |= {"clean": clean, "rejected": len(rejects), "duplicate": len(duplicates), "duplicates": duplicates}
    facts["rejects"] = {
        str(row): {"codes": sorted(code for codes in columns.values() for code in codes), "columns": sorted(columns)}
        for row, columns in rejects.items()
    }
    return facts


def _save(path: Path, sheets: Sequence[Sheet], look: Look) -> None:
    write_book(path, sheets, look)
    repack(path)


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", default="samples", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
def main(source: Path, out: Path) -> None:
    """Write the sample workbooks made from SOURCE, the CSV of 10,000 sales records."""
    facts = make_samples(source, out)
    for feed in facts.values():
        for name, file in feed["files"].items():
            click.echo(f"{name}: {file['read']} rows, {file['clean']} clean, {file['rejected']} rejected, {file['duplicate']} duplicate")


if __name__ == "__main__":
    main()
