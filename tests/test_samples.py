"""openpyxl as an independent witness of the sample workbooks: nothing here reads them through the platform."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from benchmarks.make_samples import make_samples
from shp_core.codes import Code, Scope

SAMPLES = Path(__file__).parent.parent / "samples"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
GOOD = [f"sales_records_n{number}.xlsx" for number in range(1, 6)]
BAD = "sales_records_n6_defects.xlsx"
STOCK = list(EXPECTED["stock"]["files"])
FILES = [(feed, name) for feed, facts in EXPECTED.items() for name in facts["files"]]
MONEY = ["Unit Price", "Unit Cost", "Total Revenue", "Total Cost", "Total Profit"]


@cache
def witness(feed: str, name: str) -> dict[int, dict[str, Any]]:
    """The data rows of a sample by sheet row; blank rows left out, errors as their text."""
    facts = EXPECTED[feed]["files"][name]
    sheet = openpyxl.load_workbook(SAMPLES / feed / name, data_only=True)[facts["sheet"]]
    rows = list(sheet.iter_rows(values_only=True))
    header = [cell or "" for cell in rows[facts["header_row"] - 1]]
    table = enumerate(rows[facts["header_row"] :], start=facts["header_row"] + 1)
    return {number: dict(zip(header, cells, strict=True)) for number, cells in table if any(cell is not None for cell in cells)}


def clean(feed: str, name: str) -> dict[int, dict[str, Any]]:
    """The rows that expected.json neither rejects nor counts as duplicates."""
    facts = EXPECTED[feed]["files"][name]
    gone = {int(row) for row in facts["rejects"]} | set(facts["duplicates"])
    return {row: cells for row, cells in witness(feed, name).items() if row not in gone}


def amount(cell: Any, decimal: str) -> Decimal:
    """A number at two decimals, which lies within 0.000001 of what the cell says (DESIGN: max(10^-(scale+4), 1 ulp))."""
    if isinstance(cell, str):
        group = "," if decimal == "." else "."
        return Decimal(cell.removeprefix("$").replace(group, "").replace(decimal, "."))
    value = Decimal(cell)
    rounded = value.quantize(Decimal("0.01"))
    assert abs(value - rounded) <= Decimal("0.000001"), cell
    return rounded


def day(cell: Any, text_format: str) -> date:
    """A date cell or text as a date; a time of day fails."""
    moment = datetime.strptime(cell, text_format) if isinstance(cell, str) else cell
    assert moment.time() == datetime.min.time()
    return moment.date()


def total(rows: dict[int, dict[str, Any]], column: str, decimal: str = ".") -> Decimal:
    """The sum of a column."""
    return sum((amount(row[column], decimal) for row in rows.values()), Decimal(0))


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_counts_add_up(feed: str, name: str) -> None:
    """A user comparing the platform's counts with the samples would be misled by a wrong row count."""
    facts = EXPECTED[feed]["files"][name]
    assert len(witness(feed, name)) == facts["read"]
    assert facts["read"] == facts["clean"] + facts["rejected"] + facts["duplicate"]
    assert len(clean(feed, name)) == facts["clean"]
    assert len(facts["rejects"]) == facts["rejected"]
    assert len(facts["duplicates"]) == facts["duplicate"]


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_sums_are_exact(feed: str, name: str) -> None:
    """The demo's proof by SQL would compare the tables with wrong sums."""
    decimal = "." if feed == "sales" else ","
    for column, expected in EXPECTED[feed]["files"][name]["sums"].items():
        assert total(clean(feed, name), column, decimal) == Decimal(expected), column


@pytest.mark.parametrize(("feed", "name"), FILES)
def test_every_expected_code_exists(feed: str, name: str) -> None:
    """A user looking up a sample's reason code would not find it in the documented table."""
    codes = {code for reject in EXPECTED[feed]["files"][name]["rejects"].values() for code in reject["codes"]}
    assert all(Code(code).info.scope is Scope.ROW for code in codes)


def test_no_files_beside_the_expected_ones() -> None:
    """The demo would load a workbook that nobody described."""
    found = {(path.parent.name, path.name) for path in SAMPLES.glob("*/*.xlsx")}
    assert found == set(FILES)


def test_order_ids_are_distinct() -> None:
    """Rows of one sample would displace rows of another, and the demo's counts would not add up."""
    ids = Counter(row["Order ID"] for name in GOOD for row in witness("sales", name).values())
    assert len(ids) == EXPECTED["sales"]["together"]["rows"] == 10_000
    own = {row["Order ID"] for row in witness("sales", BAD).values() if row["Order ID"] is not None}
    assert not own & ids.keys()
    assert max(own | ids.keys()) < 2**31


def test_good_sales_together() -> None:
    """The demo's total revenue would be compared with a wrong number."""
    sums = EXPECTED["sales"]["together"]["sums"]
    for column in ["Units Sold", *MONEY]:
        assert sum(total(witness("sales", name), column) for name in GOOD) == Decimal(sums[column])


@pytest.mark.parametrize("name", [*GOOD, BAD])
def test_clean_sales_rows_keep_the_contract(name: str) -> None:
    """A row promised as clean would be rejected by the feed's own rules."""
    for number, row in clean("sales", name).items():
        assert all(isinstance(row[column], str) and row[column].strip() for column in ["Region", "Country", "Item Type"]), number
        assert row["Sales Channel"] in {"Online", "Offline"}
        assert row["Order Priority"] in set("CHLM")
        assert day(row["Order Date"], "%m/%d/%Y") <= day(row["Ship Date"], "%m/%d/%Y")
        assert isinstance(row["Units Sold"], int)
        assert row["Units Sold"] > 0


@pytest.mark.parametrize("name", GOOD)
def test_totals_follow_from_units(name: str) -> None:
    """The values of the public sample file would have been changed on their way into the workbooks."""
    for row in witness("sales", name).values():
        price, cost, revenue, spent, profit = (amount(row[column], ".") for column in MONEY)
        assert revenue == row["Units Sold"] * price
        assert spent == row["Units Sold"] * cost
        assert profit == revenue - spent


def kinds(name: str, column: str) -> set[type]:
    """The Python types of a column's cells."""
    return {type(row[column]) for row in witness("sales", name).values()}


def test_styles_are_mixed_as_people_mix_them() -> None:
    """The samples would not show that text and date cells, numbers and texts all come out the same."""
    dates = [kinds(name, "Order Date") for name in GOOD]
    assert dates == [{str}, {datetime}, {str}, {datetime}, {datetime, str}]
    profits = [kinds(name, "Total Profit") for name in GOOD]
    assert profits == [{int, float}, {int, float}, {str}, {str}, {int, float, str}]
    assert kinds("sales_records_n4.xlsx", "Unit Price") == {float}


def test_numbers_carry_binary_noise() -> None:
    """The rule about binary noise would never be exercised by the samples."""
    profits = [row["Total Profit"] for row in witness("sales", "sales_records_n1.xlsx").values()]
    noisy = sum(len(repr(value)) > len(f"{value:.2f}") for value in profits)
    assert 0.3 < noisy / len(profits) < 0.45


def test_one_workbook_counts_days_from_1904() -> None:
    """A reader that ignores the epoch would pass on every sample."""
    epochs = [openpyxl.load_workbook(SAMPLES / "sales" / name, read_only=True).epoch.year for name in GOOD]
    assert epochs == [1899, 1899, 1899, 1904, 1899]


def test_one_workbook_keeps_its_strings_inline() -> None:
    """A reader that knows only shared strings would pass on every sample."""
    inline = []
    for name in GOOD:
        with zipfile.ZipFile(SAMPLES / "sales" / name) as archive:
            inline.append(b't="inlineStr"' in archive.read("xl/worksheets/sheet1.xml"))
    assert inline == [False, False, False, True, False]


DEFECTS: dict[int, tuple[str, Any]] = {
    43: ("Order Date", "2/30/2014"),
    97: ("Ship Date", "31/12/2014"),
    158: ("Order Date", "to be confirmed"),
    201: ("Order Date", datetime(2014, 3, 5, 14, 30)),
    260: ("Order Date", None),
    333: ("Units Sold", -12),
    334: ("Units Sold", -1),
    410: ("Units Sold", "12 pcs"),
    477: ("Units Sold", "#N/A"),
    612: ("Total Revenue", "see invoice"),
    613: ("Total Cost", "n.a."),
    700: ("Country", None),
    701: ("Country", "   "),
    845: ("Total Profit", "#DIV/0!"),
    903: ("Unit Price", "€651.21"),
    950: ("Total Revenue", "£12,400.00"),
    1024: ("Unit Price", 651.2134),
    1100: ("Total Cost", "$1,234.567"),
    1300: ("Order ID", None),
    1500: ("Country", None),
}


@pytest.mark.parametrize(("row", "column", "cell"), [(row, *cell) for row, cell in DEFECTS.items()])
def test_defect_is_where_expected_json_names_it(row: int, column: str, cell: Any) -> None:
    """Somebody who looks up a reject in the workbook would find a good row there."""
    assert witness("sales", BAD)[row][column] == cell
    assert column in EXPECTED["sales"]["files"][BAD]["rejects"][str(row)]["columns"]


def test_all_rejects_are_described() -> None:
    """A reject without a visible defect would look like a made-up one."""
    rejects = EXPECTED["sales"]["files"][BAD]["rejects"]
    clashes = {int(row) for row, reject in rejects.items() if reject["codes"] == ["duplicate_key"]}
    assert {int(row) for row in rejects} == DEFECTS.keys() | clashes
    assert rejects["1500"] == {"codes": ["below_min", "missing_value"], "columns": ["Country", "Units Sold"]}
    assert witness("sales", BAD)[1500]["Units Sold"] == -400


def test_rejects_stay_below_the_limit() -> None:
    """The sample would be refused as a whole instead of showing single rejects."""
    facts = EXPECTED["sales"]["files"][BAD]
    assert 0 < facts["rejected"] / facts["read"] < 0.05


def test_error_cells_are_errors_not_texts() -> None:
    """An error written as text would prove nothing about reading errors."""
    sheet = openpyxl.load_workbook(SAMPLES / "sales" / BAD, data_only=True)["Sheet1"]
    assert [(sheet.cell(477, 10).data_type, sheet.cell(845, 15).data_type)] == [("e", "e")]


def test_duplicates_are_copies() -> None:
    """A row counted as duplicate would differ from the one that stays, and data would be lost."""
    rows = {row: {name: cell for name, cell in cells.items() if name} for row, cells in witness("sales", BAD).items()}
    assert rows[302] == rows[301]
    assert rows[1702] == rows[501]
    assert witness("sales", BAD)[302][""] != witness("sales", BAD)[301][""]


def test_clashing_keys_differ_in_content() -> None:
    """Rows with one key and equal content are duplicates; the sample would not show a clash."""
    rows = witness("sales", BAD)
    for group in [(1200, 1201), (150, 1800, 1999)]:
        assert len({rows[row]["Order ID"] for row in group}) == 1
        assert len({rows[row]["Units Sold"] for row in group}) == len(group)
    ids = Counter(row["Order ID"] for row in rows.values())
    assert sorted(count for count in ids.values() if count > 1) == [2, 2, 2, 3]


@pytest.mark.parametrize("name", STOCK)
def test_stock_data_lies_between_other_sheets(name: str) -> None:
    """The second feed would not prove that a sheet is found by name and a header below a title."""
    book = openpyxl.load_workbook(SAMPLES / "stock" / name)
    assert [(sheet.title, sheet.sheet_state) for sheet in book] == [("Notes", "visible"), ("Count", "visible"), ("Lists", "hidden")]
    assert str(book["Count"]["A1"].value).startswith("Stock count of ")
    assert [cell.value for cell in book["Count"][2] if cell.value] == []
    assert [cell.value for cell in book["Count"][3]][:2] == ["Warehouse", "SKU"]


@pytest.mark.parametrize("name", STOCK)
def test_clean_stock_rows_keep_the_contract(name: str) -> None:
    """A stock row promised as clean would be rejected, or belong to another day than its file."""
    counted = date.fromisoformat(name[-15:-5])
    rows = clean("stock", name)
    for row in rows.values():
        assert re.fullmatch("[A-Z]{3}", row["Warehouse"].strip().upper())
        assert re.fullmatch("[0-9]{6}", row["SKU"])
        assert day(row["Counted At"], "%d.%m.%Y") == counted
        assert 0 <= row["Reserved"] <= row["On Hand"]
    assert len({shelf(row) for row in rows.values()}) == len(rows)


def shelf(row: dict[str, Any]) -> tuple[str, str]:
    """The key of a stock row."""
    return row["Warehouse"].strip().upper(), row["SKU"]


def test_stock_styles_differ_by_day() -> None:
    """The samples would not show European notation, text dates, a missing optional column and blank rows."""
    first, second, third = (witness("stock", name) for name in STOCK)
    assert {type(row["Unit Value"]) for row in first.values()} == {str}
    assert any(re.fullmatch(r"\d\.\d{3},\d{2}", row["Unit Value"]) for row in first.values())
    assert any(row["Remark"] for row in first.values())
    assert {type(row["Counted At"]) for row in second.values()} == {str}
    assert "Remark" not in second[4]
    assert not {40, 41} & second.keys()
    assert {39, 42} < second.keys()
    assert {type(row["Unit Value"]) for row in third.values()} == {int, float, str}
    assert third[4]["Warehouse"] == "anr "


@pytest.mark.parametrize(
    ("row", "column", "cell"), [(20, "On Hand", "n/c"), (51, "Unit Value", "12,50 each"), (58, "Warehouse", "Lyon"), (66, "Reserved", -3)]
)
def test_stock_defect_is_where_expected_json_names_it(row: int, column: str, cell: Any) -> None:
    """Somebody who looks up a stock reject in the workbook would find a good row there."""
    assert witness("stock", STOCK[2])[row][column] == cell
    assert EXPECTED["stock"]["files"][STOCK[2]]["rejects"][str(row)]["columns"] == [column]


def test_stock_duplicate_is_a_copy() -> None:
    """A stock row counted as duplicate would differ from the one that stays."""
    rows = witness("stock", STOCK[2])
    assert EXPECTED["stock"]["files"][STOCK[2]]["duplicates"] == [70]
    assert rows[70] == rows[12]


def test_stock_together() -> None:
    """The counts of displaced rows that a user compares with the table would be wrong."""
    owner = {shelf(row): (name, row) for name in STOCK for row in clean("stock", name).values()}
    together = EXPECTED["stock"]["together"]
    assert len(owner) == together["rows"]
    assert Counter(name for name, _ in owner.values()) == together["loaded"]
    for name in STOCK:
        assert together["loaded"][name] + together["displaced"][name] == EXPECTED["stock"]["files"][name]["clean"]
    for column, expected in together["sums"].items():
        assert sum(amount(row[column], ",") for _, row in owner.values()) == Decimal(expected)


def as_csv(path: Path) -> Path:
    """The public CSV, rebuilt from the samples."""
    rows = [row for name in GOOD for row in witness("sales", name).values()]
    columns = [column for column in rows[0] if column]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(columns)
        writer.writerows([csv_text(column, row[column]) for column in columns] for row in rows)
    return path


def csv_text(column: str, cell: Any) -> str:
    """A cell as the public CSV spells it."""
    if column.endswith("Date"):
        moment = day(cell, "%m/%d/%Y")
        return f"{moment.month}/{moment.day}/{moment.year}"
    return str(amount(cell, ".")) if column in MONEY else str(cell)


def test_samples_can_be_made_again(tmp_path: Path) -> None:
    """The committed workbooks would not be what the committed script makes."""
    make_samples(as_csv(tmp_path / "records.csv"), tmp_path / "samples")
    assert (tmp_path / "samples" / "expected.json").read_bytes() == (SAMPLES / "expected.json").read_bytes()
    for feed, name in FILES:
        assert parts(tmp_path / "samples" / feed / name) == parts(SAMPLES / feed / name), name


def parts(path: Path) -> dict[str, bytes]:
    """The inflated parts: the deflated bytes may differ between versions of zlib."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_readme_names_every_defect() -> None:
    """Somebody reading samples/README.md would miss defects or find wrong codes."""
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(name in readme for _, name in FILES)
    parts_of_readme = zip(readme.split("## stock/"), [("sales", BAD), ("stock", STOCK[2])], strict=True)
    for text, (feed, name) in parts_of_readme:
        facts, lines = EXPECTED[feed]["files"][name], table_lines(text)
        for row, reject in facts["rejects"].items():
            assert all(f"`{code}`" in lines[int(row)] for code in reject["codes"]), row
        assert all("duplicate" in lines[row] for row in facts["duplicates"])


def table_lines(text: str) -> dict[int, str]:
    """The lines of Markdown tables by the numbers in their first column."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return {int(row): line for line in lines for row in re.findall(r"\d+", line.split("|")[1])}
