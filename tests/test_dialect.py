r"""The text dialect: escaping, hashes, and agreement with what PostgreSQL reads and writes."""

from __future__ import annotations

import io
import random
from hashlib import sha256

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.publishing.dialect import MODULUS, NULL, escape, hash_text, row_digest, sum_digests, unescape

_TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
_NASTY = st.text(alphabet="\\\t\n\r\b\f\vNtnrbfv.x0 ", max_size=12)


@given(st.none() | _TEXTS | _NASTY)
def test_unescape_undoes_escape(value: str | None) -> None:
    """Whatever text a cell holds, the sinks give back exactly that text, and null only where there was none."""
    assert unescape(escape(value)) == value


@given(_TEXTS | _NASTY)
def test_a_field_never_looks_like_structure(value: str) -> None:
    """No cell can start a new column or row, or pass for a null or for the end of the data."""
    field = escape(value)
    assert not set(field) & set("\t\n\r")
    assert field not in (NULL, "\\.")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "\\N"),
        ("\\N", "\\\\N"),
        ("a\tb", "a\\tb"),
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\r\\nb"),
        ("back\\slash", "back\\\\slash"),
        ("\b\f\v", "\\b\\f\\v"),
        ("", ""),
        ("\\t", "\\\\t"),
        ("plain ä 東", "plain ä 東"),
    ],
)
def test_fields(value: str | None, field: str) -> None:
    """The dialect is the documented one: other programs can read the lake."""
    assert escape(value) == field
    assert unescape(field) == value


def test_the_row_hash_is_what_the_documentation_says() -> None:
    """Anyone can recompute a partition's hash with standard tools."""
    assert row_digest("1\tä") == sha256("1\tä".encode()).digest()[:16]
    assert hash_text(sum_digests([b"\xff" * 16, b"\x00" * 15 + b"\x03"])) == "0" * 31 + "2"
    assert hash_text(0) == "0" * 32
    assert hash_text(-1) == "f" * 32


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20), st.randoms(use_true_random=False))
def test_the_partition_hash_does_not_depend_on_order(digests: list[bytes], shuffle: random.Random) -> None:
    """Two sinks that keep the same rows in different order agree."""
    mixed = list(digests)
    shuffle.shuffle(mixed)
    assert sum_digests(mixed) == sum_digests(digests) < MODULUS


def test_postgresql_reads_and_writes_the_same_bytes(database_dsn: str) -> None:
    """Rows read back from PostgreSQL can be compared byte for byte with what was published, for every character."""
    characters = [chr(point) for point in [*range(1, 0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F9E1]]
    values = [None, "", "\\N", "\\.", "\\x41", "\\101", "a\\", *characters, *(f"x{char}y" for char in characters)]
    written = "".join(f"{place}\t{escape(value)}\n" for place, value in enumerate(values))
    connection = psycopg2.connect(database_dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("create temp table kept (place integer, value text)")
            cursor.copy_expert("copy kept from stdin", io.BytesIO(written.encode()))
            cursor.execute("select value from kept order by place")
            stored = [value for (value,) in cursor.fetchall()]
            out = io.BytesIO()
            cursor.copy_expert("copy (select place, value from kept order by place) to stdout", out)
    finally:
        connection.close()
    assert stored == values
    assert out.getvalue().decode() == written
