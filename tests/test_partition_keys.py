"""Partition keys from file names: safe everywhere they are written, one of a kind, and the same tomorrow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.errors import Refusal
from shp_core.partitions import MAX_KEY, file_key, partition_key, unplaced_key, with_hash
from tests.support.contracts import feed_of

SAFE = re.compile(r"[A-Za-z0-9_.=~-]+\Z")
BY_FILE = feed_of("columns: {A: {type: text}}")
BY_DAY = feed_of("{columns: {A: {type: text}}, partition: {by: day, start: 2026-01-01}}")
GERMAN = feed_of(
    r"{columns: {A: {type: text}}, partition: {by: day, start: 2026-01-01, from: '(?P<date>\d+\.\d+\.\d{4})', format: '%d.%m.%Y'}}"
)
_UNDECODABLE = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
_NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | _UNDECODABLE, min_size=1, max_size=120)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("sales_records_n1.xlsx", "sales_records_n1"),
        ("2026-11-20.xlsx", "2026-11-20"),
        ("a.b.xlsx", "a.b"),
        ("region=EU.xlsx", "region=EU"),
        ("noending", "noending"),
        ("UPPER.XLSX", "UPPER"),
    ],
)
def test_a_plain_stem_is_the_key(name: str, key: str) -> None:
    """People could not find their file in the UI."""
    assert file_key(name) == key
    assert partition_key(BY_FILE, name) == key


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("two words.xlsx", "two_words~"),
        ("a,b|c.xlsx", "a_b_c~"),
        ("a...b.xlsx", "a_b~"),
        ("..xlsx", "file~"),
        ("...xlsx", "_~"),
        ("ü.xlsx", "_~"),
        ("a~b.xlsx", "a_b~"),
        ("new\nline.xlsx", "new_line~"),
        ("$(id).xlsx", "_id_~"),
        ("\udcff.xlsx", "_~"),
    ],
)
def test_other_names_are_made_safe_and_told_apart_by_a_hash(name: str, start: str) -> None:
    """Two files would share a key, or a key be read as a range, a list or a command."""
    key = file_key(name)
    assert key.startswith(start)
    assert re.fullmatch(r"[0-9a-f]{8}", key.removeprefix(start))


def test_keys_never_change() -> None:
    """After an upgrade every odd name would be a new partition, and its rows stand twice."""
    assert file_key("two words.xlsx") == "two_words~d95c8df3"
    assert file_key("a.xlsx", taken=True) == "a~90e06ba3"
    assert unplaced_key("counts.xlsx") == "unplaced~0d25afe2"


def test_a_taken_key_gets_the_hash_of_the_whole_name() -> None:
    """`a.xlsx` and `a.xlsm` would overwrite each other."""
    assert file_key("a.xlsm", taken=True) != file_key("a.xlsx", taken=True) != file_key("a.xlsx")


def test_long_names_are_cut_and_stay_apart() -> None:
    """A name that the file system allows would break the ledger or Dagster."""
    first, second = file_key("x" * 250 + "1.xlsx"), file_key("x" * 250 + "2.xlsx")
    assert len(first) == len(second) == MAX_KEY
    assert first != second
    assert len(file_key("y" * MAX_KEY + ".xlsx")) == MAX_KEY


@given(name=_NAME)
def test_every_name_makes_a_safe_key(name: str) -> None:
    """Some name nobody thought of would break a URL, a folder of the lake or the command line."""
    for key in (file_key(name), file_key(name, taken=True), unplaced_key(name)):
        assert SAFE.match(key)
        assert 0 < len(key) <= MAX_KEY
        assert ".." not in key
        assert not key.startswith(".")
    assert file_key(name) == file_key(name)


@given(names=st.lists(_NAME.map(lambda name: name + ".xlsx"), min_size=2, max_size=6, unique=True))
def test_different_stems_make_different_keys(names: list[str]) -> None:
    """Two files would take turns overwriting each other's rows."""
    assert len({file_key(name) for name in names}) == len(names)


@given(name=_NAME)
def test_no_file_can_take_the_place_of_an_unplaced_one(name: str) -> None:
    """A file called like a held one would be mixed up with it."""
    assert file_key(name) != unplaced_key("counts.xlsx") or name.startswith("unplaced")
    assert "~" not in file_key(name) or file_key(name)[-9] == "~"


@pytest.mark.parametrize(
    ("feed", "name", "day"),
    [
        (BY_DAY, "counts_2026-02-03.xlsx", "2026-02-03"),
        (BY_DAY, "2026-02-03 final (2).xlsx", "2026-02-03"),
        (GERMAN, "Lager 3.2.2026.xlsx", "2026-02-03"),
        (GERMAN, "Lager 03.02.2026.xlsx", "2026-02-03"),
    ],
)
def test_a_day_in_the_name_is_the_partition(feed: object, name: str, day: str) -> None:
    """A daily file would land in no day, or in another one."""
    assert partition_key(feed, name) == day  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("counts.xlsx", "holds no date of the form"),
        ("counts_2026-02-30.xlsx", "'2026-02-30' in the file's name is not a date of the form %Y-%m-%d."),
        ("counts_2026-13-01.xlsx", "is not a date"),
        ("counts_2025-12-31.xlsx", "2025-12-31 in the file's name lies before 2026-01-01, where the feed starts."),
        ("\udcff.xlsx", "holds no date"),
    ],
)
def test_a_name_without_a_day_of_the_feed_is_refused_with_words(name: str, words: str) -> None:
    """A misnamed file would end in a traceback, or nobody could tell the sender how to name it."""
    with pytest.raises(Refusal) as caught:
        partition_key(BY_DAY, name)
    assert caught.value.code == "no_partition"
    assert words in caught.value.message


def test_a_hash_needs_something_before_it() -> None:
    """A file whose name is all unsafe would have a key that begins with a sign."""
    assert with_hash("", "x").startswith("file~")
