"""Values on their way in and back: every type, every character, and the one text dialect that hashes are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.contract.dates import convert_timestamp
from shp_core.contract.hash_sums import sum_hashes
from shp_core.contract.numbers import number_text
from shp_core.publishing.dialect import sum_digests
from shp_resources.warehouse import Held, transfer
from tests.support.postgres import database_at, fresh_database, rows
from tests.support.warehouse import EVERY_TYPE, ITEMS, Desk, contract_of, delivery, reject, reject_batch, target_of

CONTRACT = contract_of(EVERY_TYPE)
MOMENT = CONTRACT.column("moment")

ODD_TEXTS = [
    "\\N",
    "\\.",
    "a\n\\.\nb",
    "NULL",
    '"',
    '"quoted, and" more""',
    "'; DROP TABLE x; --",
    "back\\slash\\",
    "\\t is not a tab",
    "tab\there",
    "lf\nhere",
    "cr\rhere",
    "crlf\r\nhere",
    "bell\a bs\b ff\f vt\v esc\x1b",
    "\\b\\f\\v",
    "\\\b\\\\b",
    "\x7f\x80\x85\xa0\u2028\u2029\ufeff",
    "ünïcödé 漢字 😀 𝔘 e\u0301",
    " leading and trailing ",
    ",,,",
    "{}",
    "%s %(x)s {0}",
    "#N/A",
    "0",
    "true",
    "x" * 32_767,
]


@pytest.fixture(scope="module")
def types_desk(postgres_server: str) -> Iterator[Desk]:
    """One database for all examples of this module; a partition is replaced each time."""
    with fresh_database(postgres_server) as dsn:
        yield Desk(dsn, target_of(EVERY_TYPE))


def published(desk: Desk, content: list[Any], partition: str = "p") -> list[tuple[Any, ...]]:
    """Publish rows of every type, require that they read back to their hash, and return what readers get."""
    given = delivery(desk.target.contract, content, name=uuid4().hex)
    assert desk.publish(partition, given).loaded == len(content)
    assert desk.held(partition) == Held(len(content), 0, given.hash)
    columns = ", ".join(desk.target.contract.names)
    return desk.rows(f"SELECT {columns} FROM warehouse.{desk.target.table} WHERE _partition = %s ORDER BY id", partition)


def test_every_type_arrives_as_itself(types_desk: Desk) -> None:
    """If this failed, sums would be sums of texts, and dates would sort like words."""
    full = ["1", "-9223372036854775808", "2024-02-29", "2024-02-29 23:59:59.000001", "-0.05", "0.000000000000001", "t", "f"]
    empty = ["2", *[None] * 7]
    assert published(types_desk, [full, empty]) == [
        (
            1,
            -(2**63),
            date(2024, 2, 29),
            datetime(2024, 2, 29, 23, 59, 59, 1),
            Decimal("-0.05"),
            Decimal("0.000000000000001"),
            "t",
            False,
        ),
        (2, *[None] * 7),
    ]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        ("id", ["-2147483648", "0", "2147483647"]),
        ("big", ["-9223372036854775808", "9223372036854775807"]),
        ("day", ["0001-01-01", "0999-12-31", "1582-10-10", "1900-02-28", "9999-12-31"]),
        ("moment", ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2024-03-31 02:30:00", "1969-12-31 23:59:59.5"]),
        ("price", ["-9999999999999999.99", "0.00", "9999999999999999.99", "-0.01"]),
        ("rate", ["-99999999999999999999999.999999999999999", "0.000000000000001", "0.000000000000000"]),
    ],
)
def test_the_ends_of_each_type(types_desk: Desk, column: str, texts: list[str]) -> None:
    """If this failed, the largest, the smallest and the oldest values would be lost, or would change on their way."""
    place = CONTRACT.names.index(column)
    content = [[text if number == place else str(row) if number == 0 else None for number in range(8)] for row, text in enumerate(texts)]
    published(types_desk, content)
    found = types_desk.rows(f"SELECT {column}::text FROM warehouse.every_type_rows WHERE _partition = 'p' ORDER BY _row")
    assert [text for (text,) in found] == texts


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text)[:30])
def test_every_character_comes_back(types_desk: Desk, text: str) -> None:
    """If this failed, a text with a backslash, a quote or a line break would change, or end the copy."""
    content = [[str(row), *[None] * 5, value, None] for row, value in enumerate([text, f"a{text}b", text * 2])]
    found = published(types_desk, content)
    assert [row[6] for row in found] == [text, f"a{text}b", text * 2]


def test_an_empty_text_is_not_a_missing_one(types_desk: Desk) -> None:
    """If this failed, nobody could tell a blank answer from no answer."""
    found = published(types_desk, [["1", *[None] * 5, "", None], ["2", *[None] * 7]])
    assert [row[6] for row in found] == ["", None]


def test_texts_are_keys_by_their_bytes(database_dsn: str) -> None:
    """If this failed, keys that look alike would be taken for one, and a row would be refused or lost."""
    text_key = ITEMS.replace("{type: integer}", "{type: text}")
    desk = Desk(database_dsn, target_of(text_key))
    keys = ["a", "A", "a ", " a", "á", "a\u0301", "ß", "ss", "1", "01", "1.0", "\\N", "'"]
    given = delivery(desk.target.contract, [(key, None) for key in keys])
    desk.publish("p1", given)
    assert desk.publish("p2", delivery(desk.target.contract, [(key, "second") for key in keys])).displaced == len(keys)
    assert {key for (key,) in desk.rows("SELECT id FROM warehouse.items")} == set(keys)
    desk.publish("p1", delivery(desk.target.contract, []))
    assert desk.rows("SELECT DISTINCT text, _partition FROM warehouse.items") == [("second", "p2")]


def canonical(moment: datetime) -> str:
    """A timestamp as the contract writes it."""
    return convert_timestamp(MOMENT, "d", moment.isoformat(sep=" ")).text or ""


def decimals(precision: int, scale: int) -> st.SearchStrategy[str]:
    """Canonical texts of a decimal column."""
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(lambda digits: number_text(Decimal(f"{digits}e-{scale}")))


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
values = st.tuples(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.dates().map(date.isoformat),
    st.datetimes().map(canonical),
    decimals(18, 2),
    decimals(38, 15),
    texts | st.sampled_from(ODD_TEXTS[:-1]),
    st.sampled_from("tf"),
)
cells = values.flatmap(lambda row: st.tuples(*(st.sampled_from([cell, None]) for cell in row)))


@settings(max_examples=120, deadline=None)
@given(st.lists(cells, min_size=1, max_size=12))
def test_postgresql_prints_what_was_hashed(types_desk: Desk, content: list[tuple[str | None, ...]]) -> None:
    """If this failed, a partition that is whole would be taken for damaged, and rebuilt for ever."""
    numbered = [(str(row), *cells) for row, cells in enumerate(content)]
    found = published(types_desk, numbered)
    assert [row[6] for row in found] == [cells[5] for cells in content]
    printed = types_desk.rows("SELECT day::text, moment::text, price::text, rate::text FROM warehouse.every_type_rows ORDER BY id")
    assert printed == [cells[1:5] for cells in content]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=16, max_size=16)), st.integers(0, 5))
def test_the_fast_sum_of_hashes_is_the_sum(digests: list[bytes], start: int) -> None:
    """If this failed, a whole delivery would be refused as damaged, or a damaged one published."""
    array = pa.array(digests, pa.binary(16)).slice(start)
    assert sum_hashes(array) % (1 << 128) == sum_digests(digests[start:])


def test_a_changed_row_changes_the_hash(types_desk: Desk) -> None:
    """If this failed, reading back would prove nothing."""
    published(types_desk, [["1", *[None] * 5, "a", None], ["2", *[None] * 5, "b", None]])
    whole = types_desk.held("p")
    types_desk.rows("UPDATE warehouse.every_type_rows SET text = 'c' WHERE id = 2 AND _partition = 'p'")
    changed = types_desk.held("p")
    assert changed.loaded == whole.loaded and changed.hash != whole.hash


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_gets_the_same_characters(postgres_server: str, encoding: str) -> None:
    """If this failed, umlauts would turn into two wrong letters each in databases that are not UTF-8."""
    name = f"t_{uuid4().hex[:12]}"
    rows(postgres_server, f"create database {name} template template0 encoding '{encoding}' locale 'C'")
    try:
        desk = Desk(database_at(postgres_server, name), target_of(ITEMS))
        given = delivery(desk.target.contract, [("1", "Größe\t½\\")], rejects=(reject_batch(reject(3, "Größe", "½")),))
        desk.publish("p", given)
        assert desk.held("p") == Held(1, 0, given.hash)
        assert desk.rows(
            "SELECT encode(convert_to(text, 'UTF8'), 'hex') FROM warehouse.items WHERE current_setting('server_encoding') = 'LATIN1'"
        ) == ([("Größe\t½\\".encode().hex(),)] if encoding == "LATIN1" else [])
        desk.connection.close()
    finally:
        rows(postgres_server, f"drop database {name} with (force)")


ODD_CELLS = [*ODD_TEXTS[:-1], "", None, "nul\0here", "{a,b}", "NULL", "\\0", "\\ud800", "\\u0000"]


def test_rejects_stay_readable(types_desk: Desk) -> None:
    """If this failed, nobody could see what was wrong with a row, or one odd cell would hold up the whole partition."""
    bad = [reject(number + 2, *ODD_CELLS[number:], codes=("too_long", "invalid_date", "too_long")) for number in range(len(ODD_CELLS))]
    given = delivery(CONTRACT, [], name="rejects", rejects=(reject_batch(*bad[:5]), reject_batch(), reject_batch(*bad[5:])))
    assert types_desk.publish("odd", given).rejected == len(bad)
    found = types_desk.rows(
        "SELECT _row, codes, kinds, texts, reasons FROM quarantine.every_type_rows WHERE _partition = 'odd' ORDER BY _row"
    )
    shown = [None if text is None else text.replace("\0", "\\0") for text in ODD_CELLS]
    assert [row[0] for row in found] == list(range(2, 2 + len(bad)))
    assert [row[3] for row in found] == [shown[number:] for number in range(len(bad))]
    assert all(row[1] == ["invalid_date", "too_long"] for row in found)
    assert [row[2] for row in found] == [item["kinds"] for item in bad]
    assert found[0][4] == [{"column": "day", "code": code} for code in ("too_long", "invalid_date", "too_long")]


def test_rejects_without_cells(types_desk: Desk) -> None:
    """If this failed, a reject of a sheet without columns would hold up its partition."""
    given = delivery(CONTRACT, [], name="nothing", rejects=(reject_batch(reject(2), reject(3, codes=())),))
    types_desk.publish("odd", given)
    assert types_desk.rows("SELECT codes, texts, reasons FROM quarantine.every_type_rows WHERE _partition = 'odd' ORDER BY _row") == [
        (["invalid_date"], [], [{"column": "day", "code": "invalid_date"}]),
        ([], [], []),
    ]


def test_lone_halves_of_characters_are_shown_by_their_number(types_desk: Desk) -> None:
    """If this failed, one broken character in a rejected cell would hold up the whole partition."""
    line = transfer._reject_line("p", "d", reject(2, "a\ud800b\0"))
    assert re.search(r"a\\+ud800b\\+0", line)
    line.encode()
