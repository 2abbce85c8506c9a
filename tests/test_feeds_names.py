"""Names: what headers are called in tables, and which names a database lets us use."""

from __future__ import annotations

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import sql

from shp_core.feeds.names import (
    MAX_IDENTIFIER_BYTES,
    MAX_TABLE_LENGTH,
    clean_header,
    column_name_problem,
    identifier_problem,
    snake_case,
    table_name_problem,
)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Order ID", "order_id"),
        ("OrderID", "order_id"),
        ("orderId", "order_id"),
        ("ORDER ID", "order_id"),
        ("SKUCode", "sku_code"),
        ("SKUs", "skus"),
        ("IDs", "ids"),
        ("priceUSD", "price_usd"),
        ("pH", "ph"),
        ("Item Type", "item_type"),
        ("  Item \n Type ", "item_type"),
        ("Größe (cm)", "grosse_cm"),
        ("Straße", "strasse"),
        ("Størrelse", "storrelse"),
        ("Œuvre", "oeuvre"),
        ("Łódź", "lodz"),
        ("% of total", "of_total"),
        ("Price (€)", "price"),
        ("2nd Address", "c_2nd_address"),
        ("2024", "c_2024"),
        ("a__b--c", "a_b_c"),
        ("ﬁeld", "field"),
        ("№", "no"),
        ("合計", ""),
        ("", ""),
        ("%", ""),
    ],
)
def test_snake_case(header: str, name: str) -> None:
    """Columns get the names that people who write SQL expect."""
    assert snake_case(header) == name


@given(st.text(max_size=40))
def test_a_proposed_name_is_usable_or_empty(header: str) -> None:
    """No header, however odd, makes a column name that SQL refuses; a second application changes nothing."""
    name = snake_case(header)
    assert name == "" or identifier_problem(name) is None or len(name) > MAX_IDENTIFIER_BYTES
    assert snake_case(name) == name


@pytest.mark.parametrize("header", ["Order ID", " Order  ID", "Order\nID", "Order\u00a0ID ", "Order\tID"])
def test_headers_are_compared_without_their_blanks(header: str) -> None:
    """Invisible differences in a header are no differences."""
    assert clean_header(header) == "Order ID"
    assert clean_header(None) == ""


@pytest.mark.parametrize("name", ["Sales", "sales-eu", "1st", "_sales", "sales eu", "säle", "", "sales.eu", 'sales"; drop', "sales\n"])
def test_names_that_cannot_be_used(name: str) -> None:
    """A name that would need quoting, or could be read as SQL, never gets as far as a database."""
    assert "must be a lower-case identifier" in str(identifier_problem(name))


def test_a_wrong_name_comes_with_a_proposal() -> None:
    """The message says what to write instead."""
    assert str(identifier_problem("Sales EU")).endswith("such as sales_eu")
    assert identifier_problem("sales_eu") is None


def test_lengths() -> None:
    """PostgreSQL cuts longer names off silently: two columns would become one."""
    assert identifier_problem("a" * MAX_IDENTIFIER_BYTES) is None
    assert "at most 63" in str(identifier_problem("a" * (MAX_IDENTIFIER_BYTES + 1)))
    assert table_name_problem("a" * MAX_TABLE_LENGTH) is None
    assert "at most 51" in str(table_name_problem("a" * (MAX_TABLE_LENGTH + 1)))


def test_postgresql_agrees_about_reserved_names(database_dsn: str) -> None:
    """A feed is refused for names that PostgreSQL cannot hold, and for no others: words of SQL are fine."""
    words = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid", "order", "user", "select", "table", "group", "index", "a" * 63]
    connection = psycopg2.connect(database_dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for word in words:
                try:
                    cursor.execute(
                        sql.SQL("create temp table {} ({} integer)").format(sql.Identifier(f"t_{word}"[:63]), sql.Identifier(word))
                    )
                    possible = True
                except psycopg2.errors.DuplicateColumn:
                    possible = False
                assert (column_name_problem(word) is None) == possible, word
    finally:
        connection.close()
