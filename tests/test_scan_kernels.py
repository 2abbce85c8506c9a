"""The scan's kernels one by one, against what Python's own library says of the same bytes."""

from __future__ import annotations

import math
import re
import sys
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import unescape

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shp_core.reading.numbers import number_text
from tests.support.plain_kernels import Bytes, padded, plain

texts, numbers, tags = plain("texts"), plain("numbers"), plain("tags")
ENTITY = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&apos;": "'", "&quot;": '"'}
PIECES = st.sampled_from([*ENTITY, "_x0041_", "_x00e4_", "_", "x", "]]", ">", "]", " ", "\n", "\t", "ä", "€", "😀", "plain words", "0"])
BROKEN = st.sampled_from(["&#65;", "&copy;", "&", "]]>", "\x01", "\r", "\x1f"])


def is_character(character: str) -> bool:
    """Whether XML 1.0 allows a character (section 2.2)."""
    code = ord(character)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


# texts


@given(st.lists(PIECES, max_size=12))
def test_a_text_ends_at_its_tag(pieces: list[str]) -> None:
    """A text would be cut off, or run into the next cell."""
    text = "".join(pieces)
    assume("]]>" not in text)
    end, flags = texts.text_end(padded(text + "</v>"), 0)
    assert end == len(text.encode())
    assert bool(flags & texts.ENTITIES) == ("&" in text)
    assert bool(flags & texts.ESCAPES) == bool(re.search(r"_x[0-9a-fA-F]{4}_", text))
    assert not flags & texts.BAD


@given(st.lists(PIECES, max_size=6), BROKEN, st.lists(PIECES, max_size=6))
def test_what_is_not_understood_is_said_where_it_stands(before: list[str], broken: str, after: list[str]) -> None:
    """A reference to a character, or one that XML forbids, would be taken for plain text."""
    head = "".join(before)
    assume("]]>" not in head and not head.endswith("]") and not head.endswith("&"))
    end, flags = texts.text_end(padded(head + broken + "".join(after) + "</v>"), 0)
    assert flags & texts.BAD
    assert len(head.encode()) <= end <= len((head + broken).encode())


@pytest.mark.parametrize("spelled", [*ENTITY, "&LT;", "&lt", "&amp", "&#38;", "&apos", "&quo;", "&", "&&amp;"])
def test_five_entities_and_no_other(spelled: str) -> None:
    """`&copy;` would become an ampersand, or `&lt;` stay as it is."""
    length = texts.entity_length(padded(spelled), 0)
    assert length == (len(spelled) if spelled in ENTITY else 0)
    if length:
        assert chr(texts.entity_character(padded(spelled), 0)) == ENTITY[spelled]


@given(st.lists(st.one_of(st.sampled_from(list(ENTITY)), st.text("abc ä€😀;", max_size=5)), max_size=12))
def test_entities_are_replaced_once(pieces: list[str]) -> None:
    """`&amp;lt;` would become `<`."""
    spelled = "".join(pieces).encode()
    out = bytearray(len(spelled))
    end = texts.without_entities(padded(spelled), 0, len(spelled), out, 0)
    assert out[:end].decode() == unescape(spelled.decode(), {"&apos;": "'", "&quot;": '"'})


@given(
    st.one_of(st.binary(min_size=4, max_size=4), st.text(min_size=1, max_size=1).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@settings(max_examples=600)
def test_a_character_beyond_ascii_is_utf_8_that_xml_allows(data: bytes) -> None:
    """Bytes that are no text would reach the database, which refuses the whole partition."""
    assume(data[0] >= 0x80)
    length = texts.character_length(padded(data), 0)
    whole = [size for size in (2, 3, 4) if decoded(data[:size]) is not None]
    assert length == (whole[0] if whole else 0)


def decoded(data: bytes) -> str | None:
    """The one character that the bytes are, if XML allows it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) == 1 and is_character(text) else None


@pytest.mark.parametrize(
    "data",
    [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xe0\x80\xaf", b"\x80", b"\xf8\x88\x80\x80"],
)
def test_tricks_with_utf_8_are_refused(data: bytes) -> None:
    """A character in a longer spelling than it needs passes filters that look for its short one."""
    assert texts.character_length(padded(data), 0) == 0


def test_every_white_space_character_is_blank_and_no_other() -> None:
    """A cell of non-breaking blanks would be a value, or a cell with a letter a blank."""
    for code in (*range(1, 0x3100), 0xFEFF, 0x1F600):
        character = chr(code)
        data = character.encode()
        assert texts.has_ink(padded(data), 0, len(data)) == (not character.isspace()), hex(code)


@given(st.text(max_size=20))
def test_blank_is_what_python_calls_blank(text: str) -> None:
    """Both readers must take the same rows for empty."""
    assume(all(character > "\0" and not 0xD800 <= ord(character) <= 0xDFFF for character in text))
    data = text.encode()
    assert texts.has_ink(padded(data), 0, len(data)) == bool(text.strip())
    assert texts.characters(padded(data), 0, len(data)) == len(text)


@given(st.text("_x0aF9g", min_size=7, max_size=9))
def test_an_escape_is_an_escape(text: str) -> None:
    """`_x000D_` would stay in a text, or `_xyz_` be taken for a character."""
    text = "_" + text[1:]  # it is asked for underscores only
    assert texts.is_escape(padded(text), 0) == bool(re.match(r"_x[0-9a-fA-F]{4}_", text))


# numbers


def spelled_number(text: str) -> str | None:
    """What the kernel makes of a number; None where it leaves it to the reference."""
    out = bytearray(400)
    how, end = numbers.number(padded(text), 0, len(text), out, 5)
    if how == numbers.OPEN_NUMBER:
        return None
    return text if how == numbers.AS_SPELLED else out[5:end].decode()


@given(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False).map(repr), st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str)
    )
)
@settings(max_examples=400)
def test_a_number_is_what_the_reference_says_or_left_to_it(text: str) -> None:
    """A price would depend on which reader happened to read it."""
    assert spelled_number(text) in (None, number_text(text))


@given(st.integers(-(10**7), 10**7), st.integers(1, 4))
@settings(max_examples=300)
def test_what_adding_up_leaves_behind_is_undone(cents: int, times: int) -> None:
    """`8625.389999999999` is what spreadsheet programs write for 8625.39."""
    value = sum([cents / 100] * times)
    found = spelled_number(repr(value))
    assert found in (None, number_text(repr(value)))
    if found is not None:
        assert abs(float(found) - value) <= 2 * math.ulp(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"), ("7", "7"), ("-12", "-12"), ("1.5", "1.5"), ("-0.25", "-0.25"), ("8625.389999999999", "8625.39"),
        ("0.30000000000000004", "0.3"), ("123456789012345678", "123456789012345678"), ("90953.28000000003", "90953.28"),
        ("896627.4999999995", "896627.4999999995"), ("86985552038.861061", "86985552038.86105"),
        ("0.12345678901234567", "0.12345678901234566"),
        ("00", None), ("-0", None), ("1.50", None), (".5", None), ("5.", None), ("1e3", None), ("+1", None), ("", None), ("1 ", None),
        ("x", None),
    ],
)  # fmt: skip
def test_ordinary_numbers_are_certain_and_odd_ones_are_not(text: str, expected: str | None) -> None:
    """Ordinary sheets would be read slowly, or odd numbers by guesswork."""
    assert spelled_number(text) == expected


@given(st.floats(min_value=sys.float_info.min, max_value=1e300))
def test_the_distance_of_doubles(value: float) -> None:
    """Two numbers would be taken for neighbours that are not."""
    assume(value > 1e-290)
    assert numbers.ulp_of(value) == math.ulp(value)


@given(st.integers(0, 10**18 - 1), st.integers(0, 17))
def test_a_decimal_is_written_without_zeros_at_its_end(digits: int, places: int) -> None:
    """`1.50` and `1.5` would be two keys."""
    out = bytearray(60)
    end = numbers.write_decimal(out, 3, digits, places)
    written = out[3:end].decode()
    assert Decimal(written) == Decimal(digits).scaleb(-places)
    assert not ("." in written and written.endswith(("0", ".")))


@given(st.integers(0, 10**18))
def test_the_width_of_a_number(value: int) -> None:
    """Digits would be lost on the left."""
    assert numbers.width_of(value) == len(str(value))


@given(st.integers(numbers.FIRST_DAY, numbers.LAST_1900))
@settings(max_examples=300)
def test_days_of_the_1900_calendar(serial: int) -> None:
    """A date would be a day off, or four years."""
    out = bytearray(12)
    end = numbers.write_day(out, 1, serial, 0)
    assert out[1:end].decode() == (date(1899, 12, 30) + timedelta(serial)).isoformat()


@given(st.integers(0, numbers.LAST_1904))
@settings(max_examples=200)
def test_days_of_the_1904_calendar(serial: int) -> None:
    """Workbooks from old Macs would lose four years and a day."""
    out = bytearray(12)
    end = numbers.write_day(out, 0, serial, 1)
    assert out[:end].decode() == (date(1904, 1, 1) + timedelta(serial)).isoformat()


@pytest.mark.parametrize("value", [1.0, 2.0, 1024.0, 0.5, 2.0**52])
def test_next_to_a_power_of_two_nothing_is_certain(value: float) -> None:
    """Below a power of two doubles lie twice as close as above it."""
    assert numbers.near_power(value)
    assert not numbers.near_power(value * 1.3)


# tags

NAME = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,6}", fullmatch=True).filter(lambda name: name != "xmlns")
VALUE = st.text("abc 0:/.#'>-", max_size=8)


def attributes(markup: str) -> tuple[list[tuple[str, str]], int, int]:
    """What the kernel finds behind a tag's name: attributes, how the tag ends, and where."""
    data, at, found = padded(markup), 0, []
    while True:
        what, first, name_end, value = tags.next_attribute(data, at)
        if what != tags.ATTRIBUTE:
            return found, what, first
        end = tags.value_end(data, value)
        found.append((data[first:name_end].decode(), data[value:end].decode()))
        at = end + 1


@given(st.dictionaries(NAME, VALUE, max_size=6), st.sampled_from([" ", "\n ", "\t"]), st.booleans())
def test_attributes_are_found_as_they_were_written(written: dict[str, str], blank: str, closed: bool) -> None:
    """A cell's address or type would be missed."""
    markup = "".join(f'{blank}{name}="{value}"' for name, value in written.items()) + ("/>" if closed else ">")
    found, what, end = attributes(markup + "<v>")
    assert found == list(written.items())
    assert (what, end) == (tags.CLOSED if closed else tags.OPEN, len(markup))


def skipped(markup: str, prefixes: str = "x14ac:mc:") -> int:
    """How a tag ends whose attributes mean nothing."""
    names: list[Any] = [0] * 64
    listed = Bytes(prefixes.encode())
    return int(tags.skip_attributes(padded(markup), 0, listed, names)[0])


@pytest.mark.parametrize(
    ("markup", "ends"),
    [
        (">", tags.OPEN), ("/>", tags.CLOSED), (' a="1">', tags.OPEN), (' a="1" b="2"/>', tags.CLOSED),
        (' x14ac:dyDescent="0.25">', tags.OPEN), (' a="">', tags.OPEN), (" \n\t>", tags.OPEN),
    ],
)  # fmt: skip
def test_tags_as_programs_write_them_are_understood(markup: str, ends: int) -> None:
    """Whole sheets would be left to the slow reader."""
    assert skipped(markup) == ends


@pytest.mark.parametrize(
    "markup",
    [
        " a='1'>", ' a="1"b="2">', ' a = "1">', ' a="1" a="2">', ' other:a="1">', ' xmlns="u">', ' a="&lt;">', ' a="ä">', ' a="<">',
        ' 1a="1">', " a>", ' a="1', ' mc:a="1" x14ac:a="1">', "".join(f' a{number}="1"' for number in range(17)) + ">",
    ],
)  # fmt: skip
def test_whatever_could_mean_something_else_is_not_understood(markup: str) -> None:
    """XML that is not well formed, or means more than it seems to, would be read as if it were neither."""
    assert skipped(markup) == tags.BROKEN


@given(st.lists(NAME, min_size=1, max_size=4, unique=True), NAME)
def test_prefixes_count_only_when_they_are_declared(declared: list[str], asked: str) -> None:
    """A prefix that begins like a declared one would be taken for it."""
    listed = Bytes("".join(f"{name}:" for name in declared).encode())
    name = f"{asked}:a"
    assert tags.declared(padded(name), 0, len(asked), listed) == (asked in declared)
    assert tags.colon_in(padded(name), 0, len(name)) == len(asked)
    assert tags.colon_in(padded(asked), 0, len(asked)) == -1


@given(NAME, NAME)
def test_names_are_equal_or_not(one: str, other: str) -> None:
    """An attribute that stands there twice would be overlooked, or two be taken for one."""
    data = padded(one + other)
    assert tags.same(data, 0, len(one), len(one), len(one) + len(other)) == (one == other)
