"""One truth: what the contract calls a row's text is what PostgreSQL gives back for it, for every type and value."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.cells import CellJudge
from shp_core.contract.numbers import Notation
from shp_core.publishing.dialect import hash_text, row_digest, sum_digests
from tests.support.contracts import ABSENT, Cell, column_of, contract_of, day, number, text, validated

SQL_TYPES = {
    "{type: text}": "text",
    "{type: integer}": "integer",
    "{type: bigint}": "bigint",
    "{type: decimal, scale: 2}": "numeric(18, 2)",
    "{type: decimal, scale: 15, precision: 38}": "numeric(38, 15)",
    "{type: decimal, scale: 0, precision: 38}": "numeric(38, 0)",
    "{type: money, currency: USD}": "numeric(18, 2)",
    "{type: date}": "date",
    "{type: timestamp}": "timestamp",
    "{type: boolean}": "boolean",
}

Echo = Callable[[str, list[str]], list[str]]


@pytest.fixture(scope="module")
def echo(postgres_server: str) -> Iterator[Echo]:
    """Sends fields through a column of a PostgreSQL type and gives back what COPY TO makes of them."""
    connection = psycopg2.connect(postgres_server)
    connection.autocommit = True

    def through(sql_type: str, fields: list[str]) -> list[str]:
        lines = "".join(f"{place}\t{field}\n" for place, field in enumerate(fields))
        with connection.cursor() as cursor:
            cursor.execute(f"create temp table echo (place integer, value {sql_type})")
            try:
                cursor.copy_expert("copy echo from stdin", io.BytesIO(lines.encode()))
                out = io.BytesIO()
                cursor.copy_expert("copy (select value from echo order by place) to stdout", out)
            finally:
                cursor.execute("drop table echo")
        return out.getvalue().decode().split("\n")[:-1]

    yield through
    connection.close()


def fields_of(column: str, cells: list[Cell]) -> list[str]:
    """The fields of those cells that are clean."""
    judge = CellJudge(column_of(column), Notation(".", ","))
    return [judged.field for judged in (judge.judge(*cell) for cell in cells) if judged.field is not None]


_NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-(10**20), 10**20, places=2, allow_nan=False).map("{:f}".format),
    st.decimals(-10, 10, places=15, allow_nan=False).map("{:f}".format),
    st.sampled_from(["0", "-0", "-0.00", "0.000000000000001", "-0.000000000000001", "0.01", "9" * 22, "1" + "0" * 21, "2147483647"]),
)
_MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(str) | st.sampled_from(
    ["0001-01-01", "9999-12-31", "2014-01-02 00:00:00", "2014-01-02 10:30:00.500000", "2014-01-02 23:59:59.999999", "1582-10-10"]
)
_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.sampled_from(
    ["\\N", "\\.", "a\tb", "\v\f\b", "\u2028", "\x85"]
)
_CELLS: dict[str, st.SearchStrategy[Cell]] = {
    "text": _TEXTS.map(text),
    "number": _NUMBERS.map(number) | _NUMBERS.map(text),
    "date": _MOMENTS.map(day) | st.dates().map(str).map(day),
    "timestamp": _MOMENTS.map(day),
    "boolean": st.sampled_from([("b", "TRUE"), ("b", "FALSE")]),
}


@pytest.mark.parametrize("column", SQL_TYPES)
@given(data=st.data())
@settings(max_examples=25)
def test_a_field_comes_back_as_it_went_in(column: str, echo: Echo, data: st.DataObject) -> None:
    """Reading a partition back to compare hashes never finds a difference that is only one of spelling."""
    type_ = column.removeprefix("{type: ").split(",")[0].rstrip("}")
    cells = data.draw(st.lists(_CELLS.get(type_, _CELLS["number"]), min_size=1, max_size=40))
    fields = fields_of(column, cells)
    assert echo(SQL_TYPES[column], fields) == fields


@pytest.mark.parametrize("column", SQL_TYPES)
def test_the_extremes_of_every_type(column: str, echo: Echo) -> None:
    """The largest and smallest values that the contract lets pass are values that the database can hold."""
    digits = ["9" * length for length in (9, 10, 16, 17, 18, 19, 22, 23, 36, 37, 38, 39)]
    spelled = [*digits, *(f"-{nines}" for nines in digits), *(f"{nines}.99" for nines in digits), str(2**31 - 1), str(-(2**63))]
    moments = ["0001-01-01", "9999-12-31", "0001-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999"]
    cells = [*map(number, spelled), *map(text, spelled), *map(day, moments), ("b", "TRUE")]
    fields = fields_of(column, cells)
    assert fields
    assert echo(SQL_TYPES[column], fields) == fields


def test_the_hash_of_a_delivery_is_that_of_the_rows_in_the_database(echo: Echo, postgres_server: str) -> None:
    """A partition's hash can be recomputed from the table by anyone, with COPY and SHA-256."""
    contract = contract_of("""
columns:
  Name: {type: text, optional: true}
  Count: {type: integer}
  Paid: {type: money, currency: USD}
  At: {type: timestamp, optional: true}
  Done: {type: boolean}
""")
    start = datetime(2014, 1, 1)
    rows: list[list[Cell]] = [
        [
            text(f"a\t{place}\\N\v") if place % 3 else ABSENT,
            number(str(place - 50)),
            text(f"${place}.5") if place % 2 else number(f"{place}.389999999999"),
            day((start + timedelta(milliseconds=place * 977)).isoformat(" ")) if place % 5 else ABSENT,
            ("b", "TRUE" if place % 7 else "FALSE"),
        ]
        for place in range(200)
    ]
    summary, bench = validated(contract, rows, batch_rows=33)
    connection = psycopg2.connect(postgres_server)
    try:
        with connection.cursor() as cursor:
            cursor.execute("create temp table kept (name text, count integer, paid numeric(18, 2), at timestamp, done boolean)")
            for row in bench.clean_rows():
                cursor.execute("insert into kept values (%s, %s, %s, %s, %s)", [row[name] for name in contract.names])
            out = io.BytesIO()
            cursor.copy_expert("copy kept to stdout", out)
    finally:
        connection.close()
    lines = out.getvalue().decode().split("\n")[:-1]
    assert summary.clean == len(lines) == 200
    assert hash_text(sum_digests(map(row_digest, lines))) == summary.hash
