"""The generator of big workbooks: layout, exact sums, determinism."""

from __future__ import annotations

import json
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner

from benchmarks import sales
from benchmarks.cells import ErrorCell, Look, Sheet, Strings, repack, write_book
from benchmarks.make_workbooks import Plan, expected, main, make

SAMPLE = Path(__file__).parent.parent / "samples" / "sales" / "sales_records_n1.xlsx"


def table(path: Path) -> list[tuple[Any, ...]]:
    """The first sheet, header included, as openpyxl reads it."""
    return list(openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True))


def cents(cell: Any) -> int:
    """A money cell in cents; noise beyond 0.000001 fails."""
    value = Decimal(cell.removeprefix("$").replace(",", "")) if isinstance(cell, str) else Decimal(cell)
    rounded = value.quantize(Decimal("0.01"))
    assert abs(value - rounded) <= Decimal("0.000001")
    return int(rounded * 100)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, list[Path]]:
    """Three small workbooks and their plan."""
    plan = Plan(rows=300, files=3)
    return plan, make(plan, tmp_path_factory.mktemp("made"))


def test_layout_is_that_of_the_samples(made: tuple[Plan, list[Path]]) -> None:
    """The feed `sales` would refuse the workbooks that the benchmark measures."""
    header, first = table(made[1][0])[:2]
    sample_header, sample_first = table(SAMPLE)[:2]
    assert header == sample_header
    # a whole amount is stored without a fraction, so int and float are one kind here
    assert [type(cell) is str for cell in first] == [type(cell) is str for cell in sample_first]


def test_rows_and_sums_are_the_announced_ones(made: tuple[Plan, list[Path]]) -> None:
    """The benchmark would accept a contender that lost rows, or refuse one that did not."""
    plan, paths = made
    facts = expected(plan)
    for path, file in zip(paths, facts["files"], strict=True):
        header, *rows = table(path)
        assert (path.name, len(rows)) == (file["name"], file["rows"])
        for column in sales.MONEY:
            place = header.index(column)
            assert Decimal(sum(cents(row[place]) for row in rows)).scaleb(-2) == Decimal(file["sums"][column])
        assert sum(row[header.index("Units Sold")] for row in rows) == int(file["sums"]["Units Sold"])


def test_sums_of_all_files(made: tuple[Plan, list[Path]]) -> None:
    """A whole benchmark run would be verified against a wrong total."""
    facts = expected(made[0])
    assert facts["rows"] == 900
    for column, value in facts["sums"].items():
        assert Decimal(value) == sum(Decimal(file["sums"][column]) for file in facts["files"])


def test_order_ids_are_distinct_across_files(made: tuple[Plan, list[Path]]) -> None:
    """Rows of one benchmark file would displace rows of another."""
    ids = [row[7] for path in made[1] for row in table(path)[1:]]
    assert sorted(ids) == list(range(1_000_000_000, 1_000_000_900))
    assert ids != sorted(ids)


def test_records_have_the_shape_of_the_public_ones() -> None:
    """Made-up records would compress, check or index differently from real ones."""
    records = list(sales.generate(4000, seed=1, first_order_id=1))
    assert len({record.item for record in records}) == len({(record.item, record.price, record.cost) for record in records}) == 12
    assert len({(record.region, record.country) for record in records}) == len({record.country for record in records}) == 185
    assert all(date(2010, 1, 1) <= record.ordered <= record.shipped <= date(2017, 9, 16) for record in records)
    assert all(1 <= record.units <= 10_000 for record in records)
    for record in records:
        price, cost, revenue, spent, profit = record.money()
        assert (revenue, spent, profit) == (record.units * price, record.units * cost, revenue - spent)


def test_same_seed_same_cells(tmp_path: Path) -> None:
    """Two benchmark runs could not be compared."""
    plan = Plan(rows=50, files=1)
    first, again, other = (make(p, tmp_path / d)[0] for d, p in [("a", plan), ("b", plan), ("c", Plan(rows=50, files=1, seed=4))])
    assert table(first) == table(again)
    assert table(first) != table(other)


@pytest.mark.parametrize("strings", list(Strings))
def test_strings_are_kept_where_asked(tmp_path: Path, strings: Strings) -> None:
    """One of the two ways to keep texts would never be measured."""
    path = make(Plan(rows=20, files=1, strings=strings), tmp_path)[0]
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert (b't="inlineStr"' in sheet, b't="s"' in sheet) == (strings is Strings.INLINE, strings is Strings.SHARED)
    assert len(table(path)) == 21


@pytest.mark.parametrize(
    ("dates", "money", "date_kinds", "profit_kinds"),
    [
        (sales.Dates.TEXT, sales.Money.NUMBERS, {str}, {float}),
        (sales.Dates.CELLS, sales.Money.TEXT, {date}, {str}),
        (sales.Dates.MIXED, sales.Money.MIXED, {date, str}, {float, str}),
        (sales.Dates.CELLS, sales.Money.TEXT_TOTALS, {date}, {str}),
    ],
)
def test_styles(dates: sales.Dates, money: sales.Money, date_kinds: set[type], profit_kinds: set[type]) -> None:
    """A style that people use would not be made."""
    style = sales.Style(dates, money)
    rows = [sales.cells(index, record, style) for index, record in enumerate(sales.generate(200, 1, 1))]
    assert {type(row[6]) for row in rows} == date_kinds
    assert {type(row[14]) for row in rows} == profit_kinds
    if money is sales.Money.TEXT_TOTALS:
        assert {type(row[10]) for row in rows} == {float}


def test_every_style_says_the_same() -> None:
    """A style would change the values, and its sums would not be the announced ones."""
    records = list(sales.generate(120, 7, 1))
    for money in sales.Money:
        rows = [sales.cells(index, record, sales.Style(money=money)) for index, record in enumerate(records)]
        assert [tuple(cents(cell) for cell in row[10:]) for row in rows] == [record.money() for record in records]


@pytest.mark.parametrize(("amount", "text"), [(0, "$0.00"), (5, "$0.05"), (123450, "$1,234.50"), (682070000, "$6,820,700.00")])
def test_money_text(amount: int, text: str) -> None:
    """Money texts would not look as people write them."""
    assert sales.money_text(amount) == text


def write_csv(path: Path, revenue: str) -> Path:
    """A CSV with one record that states this total revenue."""
    header = ";".join(column for column in sales.HEADER if column)
    path.write_text(f"{header}\nAsia;India;Fruits;Online;C;1/2/2011;7;1/5/2011;10;9.33;6.92;{revenue};69.2;24.1\n", encoding="utf-8")
    return path


def test_csv_is_read_exactly(tmp_path: Path) -> None:
    """The samples would not hold the public file's values."""
    record = sales.read_csv(write_csv(tmp_path / "ok.csv", "93.3"))[0]
    assert record == sales.Record("Asia", "India", "Fruits", "Online", "C", date(2011, 1, 2), 7, date(2011, 1, 5), 10, 933, 692)


def test_csv_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """Samples would be made from a damaged file without a word."""
    with pytest.raises(ValueError, match="Order ID 7"):
        sales.read_csv(write_csv(tmp_path / "bad.csv", "93.4"))


def test_command_prints_the_expected_sums(tmp_path: Path) -> None:
    """A script could not take the expected sums from the command."""
    arguments = [
        "--rows",
        "30",
        "--files",
        "2",
        "--out",
        str(tmp_path / "out"),
        "--prefix",
        "big_",
        "--first-order-id",
        "500",
        "--seed",
        "9",
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    plan = Plan(rows=30, files=2, prefix="big_", first_order_id=500, seed=9)
    assert json.loads(result.stdout) == expected(plan)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["big_1.xlsx", "big_2.xlsx"]


def test_command_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """A typing error in an option would silently give another workbook."""
    result = CliRunner().invoke(main, ["--out", str(tmp_path), "--strings", "shard"])
    assert result.exit_code == 2
    assert "shared" in result.output


def test_every_kind_of_cell_is_written_as_itself(tmp_path: Path) -> None:
    """A defect of the samples would be written as something else, and prove nothing."""
    row = [
        "00123",
        7,
        1.25,
        date(2014, 3, 5),
        datetime(2014, 3, 5, 14, 30),
        ErrorCell("=NA()", "#N/A"),
        None,
        "https://example.com",
    ]
    write_book(tmp_path / "cells.xlsx", [Sheet("Data", [row]), Sheet("Gone", [], hidden=True)], Look())
    book = openpyxl.load_workbook(tmp_path / "cells.xlsx", data_only=True)
    cells = [(cell.data_type, cell.value) for cell in book["Data"][1]]
    assert cells == [
        ("s", "00123"),
        ("n", 7),
        ("n", 1.25),
        ("d", datetime(2014, 3, 5)),
        ("d", datetime(2014, 3, 5, 14, 30)),
        ("e", "#N/A"),
        ("n", None),
        ("s", "https://example.com"),
    ]
    assert book["Gone"].sheet_state == "hidden"


def test_repacked_workbooks_depend_on_their_parts_only(tmp_path: Path) -> None:
    """Making the samples again would change files in which nothing changed."""
    paths = [tmp_path / "a.xlsx", tmp_path / "b.xlsx"]
    for path, umask_bits in zip(paths, (0o600, 0o644), strict=True):
        write_book(path, [Sheet("Sheet1", [("x", 1)])], Look(Strings.INLINE))
        path.chmod(umask_bits)
        repack(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert table(paths[0]) == [("x", 1)]
