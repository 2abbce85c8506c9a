"""Serial numbers, ISO dates, and which number formats show dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.reading.dates import iso_text, serial_text
from shp_core.reading.formats import BUILTIN, DATED, TIMED, shows


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        (1, "1900-01-01"),
        (59, "1900-02-28"),
        (60, None),  # the 29 February 1900 that never was
        (60.5, None),
        (61, "1900-03-01"),
        (36526, "2000-01-01"),
        (45000.5, "2023-03-15 12:00:00"),
        (45000.430902777778, "2023-03-15 10:20:30"),
        (45000.4309027778, "2023-03-15 10:20:30"),  # 15 digits, as some programs write it
        (45000.123456, "2023-03-15 02:57:46.598000"),
        (45000.9999999999, "2023-03-16"),  # rounds up to midnight
        (2958465, "9999-12-31"),
        (2958465.9999999999, None),
        (2958466, None),
        (-1, None),
        (0, "00:00:00"),
        (0.5, "12:00:00"),
        (0.75001, "18:00:00.864000"),
    ],
)
def test_serials_of_the_1900_epoch(serial: float, text: str | None) -> None:
    """Dates would be off by a day, or a date that never was would be loaded."""
    assert serial_text(serial, DATED, date1904=False) == text


@pytest.mark.parametrize(
    ("serial", "shown", "text"),
    [
        (0, DATED, "1904-01-01"),
        (0.5, DATED, "1904-01-01 12:00:00"),
        (0.5, TIMED, "12:00:00"),
        (60, DATED, "1904-03-01"),
        (43538, DATED, "2023-03-15"),
        (2957003, DATED, "9999-12-31"),
        (2957004, DATED, None),
        (-1, DATED, None),
    ],
)
def test_serials_of_the_1904_epoch(serial: float, shown: str, text: str | None) -> None:
    """Every date of a workbook from an old Mac would be four years and a day off."""
    assert serial_text(serial, shown, date1904=True) == text


@given(st.datetimes(min_value=datetime(1900, 3, 1), max_value=datetime(9999, 12, 30)))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_a_moment_comes_back_to_the_millisecond(moment: datetime) -> None:
    """A date cell would say another time than the person who typed it."""
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    serial = (moment - datetime(1899, 12, 30)) / timedelta(days=1)
    text = serial_text(serial, DATED, date1904=False)
    assert text == (moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat(" "))


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        ("2024-02-29", "2024-02-29"),
        ("2024-01-05T10:20:30", "2024-01-05 10:20:30"),
        ("2024-01-05T10:20:30.5Z", "2024-01-05 10:20:30.500000"),
        ("2024-01-05T10:20", "2024-01-05 10:20:00"),
        ("2024-01-05T00:00:00", "2024-01-05"),
        ("10:20:30", "10:20:30"),
        ("00:00:00", "00:00:00"),
        ("2023-02-29", None),
        ("2024-01-05 10:20", None),
        ("2024-01-05T25:00", None),
        ("2024-01-05T10:20:30+02:00", None),
        ("05/01/2024", None),
        ("", None),
        ("Z", None),
        ("T10:20", "10:20:00"),
    ],
)
def test_dates_spelled_in_iso_8601(spelled: str, text: str | None) -> None:
    """A date that does not exist would be made up, or a good one refused."""
    assert iso_text(spelled) == text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("yyyy-mm-dd", DATED),
        ("d/m/yy", DATED),
        ("[$-409]d\\-mmm\\-yy;@", DATED),
        ("[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", DATED),
        ("mmm", DATED),
        ("MMMM YYYY", DATED),
        ("yyyy-mm-dd hh:mm:ss.000", DATED),
        ("[$-411]ggge", DATED),
        ("[Red]dd.mm.yyyy", DATED),
        ('dd" day of "mmmm', DATED),
        ("h:mm AM/PM", TIMED),
        ("h A/P", TIMED),
        ("mm:ss.0", TIMED),
        ("ss", TIMED),
        ("[h]:mm:ss", None),
        ("[mm]:ss", None),
        ("[ss].00", None),
        ("General", None),
        ("GENERAL", None),
        ("0.00", None),
        ("0.00E+00", None),
        ("#,##0.00", None),
        ('#,##0 "days"', None),
        ("0 \\d", None),
        ("0 kg", None),
        ("_-* #,##0_d", None),
        ("*d0", None),
        ("[$USD] 0", None),
        ("[>=1000]0", None),
        ("0;[Blue]yyyy", None),
        ("@", None),
        ("", None),
        ('"unclosed yyyy', None),
        ("[unclosed yyyy", None),
    ],
)
def test_which_format_codes_show_dates(code: str, expected: str | None) -> None:
    """Amounts would be read as dates, or dates as numbers."""
    assert shows(code) == expected


def test_elapsed_time_is_an_amount() -> None:
    """Thirty hours of work would arrive as six o'clock in the morning."""
    assert BUILTIN.get(46) is None and shows("[h]:mm") is None


def test_builtin_formats_need_no_entry_in_the_file() -> None:
    """Dates in the commonest format of all would arrive as numbers, because files do not spell it out."""
    assert BUILTIN[14] == DATED and BUILTIN[22] == DATED and BUILTIN[20] == TIMED
    assert not {0, 1, 2, 9, 10, 37, 44, 48, 49} & BUILTIN.keys()


def test_iso_and_serial_agree() -> None:
    """The same day would be two texts, depending on how a program stores it."""
    assert serial_text((date(2024, 5, 17) - date(1899, 12, 30)).days, DATED, date1904=False) == iso_text("2024-05-17")
