"""Feeds of CSV files: what their feed files may say, and their rows all the way into PostgreSQL."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from shp_core.contract.compile import compile_contract
from shp_core.feeds.model import Feed
from shp_core.feeds.schema import feeds_page, json_schema
from shp_core.partitions import partition_key
from shp_core.reading.csvtext import ENCODINGS
from shp_core.reading.textrow import CsvForm, SheetSpec
from tests.support.contracts import ABSENT, Cell, contract_of, converted, extra_cells, text, text_batch, validated
from tests.support.holders import REPOSITORY
from tests.support.platforms import Platform

TILLS = """
feed: tills
owner: team:shops
source: {format: csv, delimiter: ";", encoding: cp1252}
columns:
  Bon:    {type: integer, min: 1}
  Filiale: {type: text}
  Tag:    {type: date, formats: ["%d.%m.%Y"]}
  Betrag: {type: money, currency: EUR}
  Notiz:  {type: text, optional: true}
numbers: {decimal: ",", group: "."}
key: [Bon]
rules: {max_rejected_share: 0.7}
"""
"""What a German Excel saves as `CSV (Trennzeichen-getrennt)`."""

HEADER = "Bon;Filiale;Tag;Betrag;Notiz"


def saved(*lines: str) -> bytes:
    """As Excel saves it."""
    return "".join(f"{line}\r\n" for line in (HEADER, *lines)).encode("cp1252")


def feed(**source: Any) -> Feed:
    """A feed with this source."""
    return Feed.model_validate({"feed": "a", "owner": "team:a", "columns": {"A": {"type": "text"}}, "source": source})


def problems(**source: Any) -> str:
    """What is wrong with a source."""
    with pytest.raises(ValidationError) as caught:
        feed(**source)
    return str(caught.value)


def test_a_csv_feed_in_its_shortest_form() -> None:
    """Whoever has plain CSV files would have to write down what is usual."""
    made = feed(format="csv")
    assert (made.source.match, made.source.header) == ("*.csv", 1)
    assert made.source.csv_form == CsvForm(",", "utf-8", '"', "reject")
    assert compile_contract(made).spec == SheetSpec(csv=CsvForm())
    assert feed(format="csv", match="x_*.txt").source.match == "x_*.txt"
    assert feed().source.match == "*.xlsx"
    assert compile_contract(feed()).spec == SheetSpec()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"delimiter": ";"}, "`delimiter` is for `format: csv`"),
        ({"encoding": "cp1252"}, "`encoding` is for `format: csv`"),
        ({"format": "csv", "sheet": "A"}, "`sheet` is for `format: xlsx`"),
        ({"format": "csv", "delimiter": ";;"}, "must be one character"),
        ({"format": "csv", "delimiter": ""}, "must be one character"),
        ({"format": "csv", "delimiter": "a"}, "must be one character"),
        ({"format": "csv", "delimiter": "\n"}, "must be one character"),
        ({"format": "csv", "delimiter": "\\t"}, 'write "\\t" in double quotes'),
        ({"format": "csv", "delimiter": "'", "quote": "'"}, "must differ"),
        ({"format": "csv", "encoding": "UTF8"}, "write utf-8"),
        ({"format": "csv", "encoding": "windows-1252"}, "write cp1252"),
        ({"format": "csv", "encoding": "latin-1"}, "write iso-8859-1"),
        ({"format": "csv", "encoding": "klingon"}, "not among utf-8"),
        ({"format": "csv", "encoding": "rot13"}, "not among utf-8"),
        ({"format": "csv", "quote": "x"}, "quote"),
        ({"format": "csv", "short_rows": "drop"}, "short_rows"),
        ({"format": "ods"}, "format"),
    ],
)
def test_errors_say_what_to_write(source: dict[str, Any], says: str) -> None:
    """A slip in a feed file would be found out by the first refused delivery."""
    assert says in problems(**source)


def test_dates_need_formats_where_every_cell_is_a_text() -> None:
    """Every row of the first delivery would be rejected."""
    source = {"format": "csv"}
    columns = {"Day": {"type": "date"}, "At": {"type": "timestamp"}, "On": {"type": "date", "formats": ["%Y-%m-%d"]}}
    with pytest.raises(ValidationError) as caught:
        Feed.model_validate({"feed": "a", "owner": "team:a", "columns": columns, "source": source})
    assert "column 'Day' needs `formats`" in str(caught.value)
    assert "column 'At' needs `formats`" in str(caught.value)
    assert "'On'" not in str(caught.value)


def test_what_counts_for_the_version() -> None:
    """Files that are read differently would keep their old rows; or all feeds of workbooks would be stale by an upgrade."""
    forms = [
        {},
        *[{"format": "csv", **more} for more in ({}, {"delimiter": ";"}, {"encoding": "cp1252"}, {"quote": ""}, {"short_rows": "blank"})],
    ]
    assert len({compile_contract(feed(**form)).version for form in forms}) == len(forms)
    assert compile_contract(feed(format="csv")).version == compile_contract(feed(format="csv", match="b*.csv", delimiter=",")).version
    assert compile_contract(feed()).version == "dc9cc9ea08a82e91"


def test_the_schema_and_the_page_know_csv() -> None:
    """An editor would mark a sound feed file as wrong, and nobody would find the keys."""
    source = json_schema()["$defs"]["Source"]["properties"]
    assert set(source) >= {"format", "delimiter", "encoding", "quote", "short_rows"}
    assert source["encoding"]["enum"] == list(ENCODINGS)
    page = feeds_page()
    for word in ("`short_rows`", "`delimiter`", "format: csv", "cp1252"):
        assert word in page


RAGGED: list[Cell] = [("r", "7"), ("r", None)]


def test_a_row_out_of_step_is_one_reject_with_one_reason() -> None:
    """Shifted fields would be loaded as values, or a reject would have a reason per column."""
    contract = contract_of("columns: {A: {type: integer}, B: {type: text, optional: true}}\nsource: {format: csv}")
    batch = converted(contract, [[text("1"), text("x")], RAGGED, [text("y"), ABSENT]])
    assert [(reject.row, [(why.column, why.code) for why in reject.reasons]) for reject in batch.rejects] == [
        (3, [("*", "ragged_row")]),
        (4, [("a", "invalid_integer")]),
    ]
    assert batch.rejects[0].texts == ("7", None)
    assert batch.typed.num_rows == 1


def test_a_row_out_of_step_refuses_no_file() -> None:
    """One surplus delimiter would cost the whole delivery, as data without a header."""
    contract = contract_of("columns: {A: {type: integer}}\nsource: {format: csv}\nrules: {max_rejected_share: 0.5}")
    summary, bench = validated(contract, [[text("1"), ABSENT], [("r", "2"), ("r", "3")]], header=("A", ""))
    assert (summary.clean, summary.rejected, bench.why()) == (1, 1, {3: ["*:ragged_row"]})
    from shp_core.contract.convert import Converter
    from shp_core.contract.header import map_header

    batch = text_batch([[text("1")], [("r", "2")]], extra={1: extra_cells((2, "r", "3"))})
    made = Converter(contract, map_header(("A",), contract)).convert(batch)
    assert [reject.row for reject in made.rejects] == [3]


def test_a_text_that_was_cut_off_is_a_reject_in_every_type() -> None:
    """Half a text would be loaded as if it were the whole one."""
    contract = contract_of("columns: {A: {type: text}, B: {type: integer}, C: {type: text, optional: true}}")
    batch = converted(contract, [[("x", "long"), ("x", "1"), ("x", "")]])
    assert [(why.column, why.code) for why in batch.rejects[0].reasons] == [
        ("a", "text_cut_off"),
        ("b", "text_cut_off"),
        ("c", "text_cut_off"),
    ]


def test_a_file_of_a_german_excel_becomes_rows(platform: Platform) -> None:
    """Decimal commas, umlauts and semicolons are what most of Europe sends."""
    platform.feed_file("tills", TILLS)
    content = saved(
        "1;Zürich;01.11.2026;1.234,50 €;",
        '2;"Köln; Dom";30.11.2026;5,00;"er sagte ""ja"""',
        "3;Bonn;31.11.2026;1,00;",
        "4;Bonn;01.12.2026;1,00",
        "5;Bonn;01.12.2026;1,5;x;y",
    )
    result = platform.ingest(platform.drop_bytes("kasse.csv", content, feed="tills"), "tills")
    assert (result.state, result.code, result.rows) == (
        "published_with_rejects",
        None,
        {**result.rows, "read": 5, "clean": 2, "rejected": 3, "loaded": 2},
    )
    rows = platform.sql("select bon, filiale, tag::text, betrag, notiz, _row from warehouse.tills order by 1")
    assert rows == [
        (1, "Zürich", "2026-11-01", Decimal("1234.50"), None, 2),
        (2, "Köln; Dom", "2026-11-30", Decimal("5.00"), 'er sagte "ja"', 3),
    ]
    rejects = platform.sql("select _row, codes, texts[1] from quarantine.tills order by 1")
    assert rejects == [(4, ["invalid_date"], "3"), (5, ["ragged_row"], "4"), (6, ["ragged_row"], "5")]


def test_the_sample_and_the_example_of_the_page(platform: Platform) -> None:
    """What people try first would not work."""
    (example,) = [text for text in re.findall(r"```yaml\n(.*?)```", feeds_page(), re.DOTALL) if "feed: tills" in text]
    platform.feed_file("tills", f"{example}rules: {{max_rejected_share: 0.05, unknown_columns: ignore}}\n")
    sample = REPOSITORY / "samples" / "tills" / "kasse_2026-11.csv"
    result = platform.ingest(platform.drop_bytes(sample.name, sample.read_bytes(), feed="tills"), "tills")
    assert (result.state, result.rows["read"], result.rows["clean"]) == ("published_with_rejects", 120, 116)
    assert platform.sql("select _row, codes from quarantine.tills order by 1") == [
        (13, ["invalid_date"]),
        (21, ["ragged_row"]),
        (34, ["ragged_row"]),
        (45, ["wrong_currency"]),
    ]
    fields = [line.split(";") for line in sample.read_text(encoding="cp1252").splitlines()]
    amounts = [Decimal(fields[row - 1][3][:-2].replace(".", "").replace(",", ".")) for row in range(2, 122) if row not in (13, 21, 34, 45)]
    assert platform.sql("select count(*), sum(betrag) from warehouse.tills") == [(116, sum(amounts))]


def test_csv_files_are_taken_from_the_drop_folder(platform: Platform) -> None:
    """A CSV feed would need somebody to start it by hand."""
    platform.feed_file("tills", TILLS)
    platform.drop_bytes("kasse.csv", saved("1;A;01.11.2026;1,00;"), feed="tills")
    platform.drop_bytes("kasse.xlsx", b"is none of its business", feed="tills")
    tick = platform.tick()
    assert tick.partitions == ["kasse"]
    (result,) = platform.fulfil(tick)
    assert result.success
    assert platform.reached(result) == ["raw", "text", "validated", "quarantine", "warehouse"]
    assert platform.sql("select count(*) from warehouse.tills") == [(1,)]
    platform.drop_bytes("kasse.csv", saved("1;A;01.11.2026;2,00;"), feed="tills")
    platform.fulfil(platform.tick())
    assert platform.sql("select betrag from warehouse.tills") == [(Decimal("2.00"),)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (saved("1;Zürich;01.11.2026;1,00;").replace(b"\xfc", b"\x81"), "undecodable_text"),
        (saved().replace(b";", b","), "wrong_delimiter"),
        (saved('1;"A;01.11.2026;1,00;'), "unclosed_quote"),
        (b"", "empty_file"),
        (saved(), "no_rows"),
        (b"PK\x03\x04", "not_a_csv_file"),
        (saved("1;A;01.11.2026;1,00;").replace(b"Filiale", b"Laden"), "column_missing"),
    ],
)
def test_files_that_are_refused_leave_the_table_as_it_was(platform: Platform, content: bytes, code: str) -> None:
    """A bad file would empty the table, or stop the feed."""
    platform.feed_file("tills", TILLS)
    platform.ingest(platform.drop_bytes("kasse.csv", saved("9;A;01.11.2026;1,00;"), feed="tills"), "tills")
    result = platform.ingest(platform.drop_bytes("kasse.csv", content, feed="tills"), "tills")
    assert (result.state, result.code) == ("quarantined", code)
    assert platform.sql("select bon from warehouse.tills") == [(9,)]


def test_partitions_of_csv_files_have_no_suffix() -> None:
    """The same piece would be another partition as CSV than as a workbook."""
    assert partition_key(feed(format="csv"), "week_47.csv") == "week_47"
