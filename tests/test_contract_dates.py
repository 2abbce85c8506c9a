"""Dates and timestamps: from a cell's text to ISO text."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shp_core.contract.dates import DIRECTIVES, form_problem, parse_form
from tests.support.contracts import Cell, day, judge, number, text

AMERICAN = '{type: date, formats: ["%m/%d/%Y"]}'
GERMAN = '{type: date, formats: ["%d.%m.%Y"]}'
BARE = "{type: date}"
STAMP = '{type: timestamp, formats: ["%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p"]}'


def outcome(column: str, cell: Cell) -> str:
    """The field, or the reasons."""
    judged = judge(column, cell)
    return judged.field if judged.field is not None else "+".join(judged.reasons)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        (AMERICAN, "1/2/2014", "2014-01-02"),
        (AMERICAN, "01/02/2014", "2014-01-02"),
        (AMERICAN, " 12/31/2014 ", "2014-12-31"),
        (AMERICAN, "2/29/2016", "2016-02-29"),
        (AMERICAN, "2/29/2014", "invalid_date"),
        (AMERICAN, "2/30/2014", "invalid_date"),
        (AMERICAN, "13/1/2014", "invalid_date"),
        (AMERICAN, "0/1/2014", "invalid_date"),
        (AMERICAN, "1/2/14", "invalid_date"),
        (AMERICAN, "1/2/20145", "invalid_date"),
        (AMERICAN, "1/2/0000", "invalid_date"),
        (AMERICAN, "1/2/0999", "0999-01-02"),
        (AMERICAN, "001/2/2014", "invalid_date"),
        (AMERICAN, "1-2-2014", "invalid_date"),
        (AMERICAN, "2014-01-02", "invalid_date"),
        (AMERICAN, "soon", "invalid_date"),
        (AMERICAN, "1/2/2014 and more", "invalid_date"),
        (AMERICAN, "٣/٤/٢٠١٤", "invalid_date"),
        (AMERICAN, "41641", "invalid_date"),
        (AMERICAN, "1/2/2014 10:30", "time_in_date"),
        (AMERICAN, "1/2/2014 00:00:00", "time_in_date"),
        (AMERICAN, "1/2/2014 10:30:15.25", "time_in_date"),
        (AMERICAN, "1/2/2014 3:04 PM", "time_in_date"),
        (AMERICAN, "1/2/2014T10:30:15", "time_in_date"),
        (AMERICAN, "2/30/2014 10:30", "invalid_date"),
        (AMERICAN, "1/2/2014 25:30", "invalid_date"),
        (GERMAN, "2.1.2014", "2014-01-02"),
        (GERMAN, "31.11.2014", "invalid_date"),
        (BARE, "2014-01-02", "invalid_date"),
        (BARE, "2014-01-02 10:30", "invalid_date"),
        ('{type: date, formats: ["%m/%d/%Y", "%Y-%m-%d"]}', "2014-01-02", "2014-01-02"),
        ('{type: date, formats: ["%d %b %Y"]}', "2 Jan 2014", "2014-01-02"),
        ('{type: date, formats: ["%d %b %Y"]}', "2 JAN\u00a02014", "2014-01-02"),
        ('{type: date, formats: ["%d %b %Y"]}', "2 Okt 2014", "invalid_date"),
        ('{type: date, formats: ["%B %d, %Y"]}', "september 7, 2014", "2014-09-07"),
        ('{type: date, formats: ["%B %d, %Y"]}', "Auguſt 7, 2014", "invalid_date"),
        ('{type: date, formats: ["%Y%m%d"]}', "20140102", "2014-01-02"),
        ('{type: date, formats: ["%Y%m%d"]}', "2014112", "invalid_date"),
        ('{type: date, formats: ["%d.%m.%y"]}', "2.1.68", "2068-01-02"),
        ('{type: date, formats: ["%d.%m.%y"]}', "2.1.69", "1969-01-02"),
        ('{type: date, formats: ["%d.%m.%y"]}', "2.1.2014", "invalid_date"),
        ('{type: date, formats: ["%%%d.%m.%Y (%H:%M)"]}', "%2.1.2014 (00:00)", "2014-01-02"),
        ('{type: date, formats: ["%d.%m.%Y %H:%M"]}', "2.1.2014 13:30", "time_in_date"),
        ('{type: date, formats: ["%d.%m.%Y %H:%M"]}', "2.1.2014 00:00", "2014-01-02"),
    ],
)
def test_dates_as_text(column: str, cell: str, expected: str) -> None:
    """Dates that exist are read in the agreed form only, padded or not; nobody guesses whether 1/2 is in January."""
    assert outcome(column, text(cell)) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2014-01-02", "2014-01-02"),
        ("2014-01-02 00:00:00", "2014-01-02"),
        ("2014-01-02 00:00", "2014-01-02"),
        ("2014-01-02T00:00:00", "2014-01-02"),
        ("2014-01-02 10:30:00", "time_in_date"),
        ("2014-01-02 00:00:00.001000", "time_in_date"),
        ("10:30:00", "invalid_date"),
        ("1900-02-29", "invalid_date"),
        ("0000-01-01", "invalid_date"),
        ("10000-01-01", "invalid_date"),
        ("2014-1-2", "invalid_date"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_date_cells(cell: str, expected: str) -> None:
    """A date cell is its date; a time of day in it is told instead of being cut off."""
    assert outcome(AMERICAN, day(cell)) == outcome(BARE, day(cell)) == expected


@pytest.mark.parametrize("cell", [number("41641"), ("b", "TRUE")])
def test_other_cells_are_no_dates(cell: Cell) -> None:
    """A serial number without a date format is refused: nobody can know that it was meant as a date."""
    assert outcome(AMERICAN, cell) == "invalid_date"
    assert outcome(STAMP, cell) == "invalid_timestamp"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (day("2014-01-02 10:30:00"), "2014-01-02 10:30:00"),
        (day("2014-01-02 10:30:00.500000"), "2014-01-02 10:30:00.5"),
        (day("2014-01-02 10:30:00.000001"), "2014-01-02 10:30:00.000001"),
        (day("2014-01-02"), "2014-01-02 00:00:00"),
        (day("0001-01-01 00:00:10"), "0001-01-01 00:00:10"),
        (day("10:30:00"), "invalid_timestamp"),
        (day("2014-01-02 24:00:00"), "invalid_timestamp"),
        (day("2014-01-02 10:30:00+05:30"), "invalid_timestamp"),
        (text("1/2/2014 10:30:00"), "2014-01-02 10:30:00"),
        (text("1/2/2014 1:05:09"), "2014-01-02 01:05:09"),
        (text("1/2/2014 12:05 am"), "2014-01-02 00:05:00"),
        (text("1/2/2014 12:05 PM"), "2014-01-02 12:05:00"),
        (text("1/2/2014 3:05 PM"), "2014-01-02 15:05:00"),
        (text("1/2/2014 13:05 PM"), "invalid_timestamp"),
        (text("1/2/2014 0:05 PM"), "invalid_timestamp"),
        (text("1/2/2014"), "invalid_timestamp"),
        (text("1/2/2014 10:30:60"), "invalid_timestamp"),
    ],
)
def test_timestamps(cell: Cell, expected: str) -> None:
    """A moment is stored to the microsecond as PostgreSQL prints it, so that both sinks can be compared."""
    assert outcome(STAMP, cell) == expected


def test_a_fraction_of_a_second_as_text() -> None:
    """Fractions keep their place value: .5 is half a second, not five microseconds."""
    column = '{type: timestamp, formats: ["%Y-%m-%dT%H:%M:%S.%f"]}'
    assert outcome(column, text("2014-01-02T10:30:00.5")) == "2014-01-02 10:30:00.5"
    assert outcome(column, text("2014-01-02T10:30:00.000005")) == "2014-01-02 10:30:00.000005"


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("%m/%Y", "names no day"),
        ("%d.%m.", "names no year"),
        ("%Y", "names no day"),
        ("day.month.year", "names no day"),
        ("%d.%m.%Y %d", "names the day twice"),
        ("%d.%m.%Y %y", "names the year twice"),
        ("%d.%m.%b %Y", "names the month twice"),
        ("%-d.%m.%Y", "%- is not a directive"),
        ("%x", "%x is not a directive"),
        ("%d.%m.%Y %z", "%z is not a directive"),
        ("%d.%m.%Y %", "% is not a directive"),
        ("%d.%m.%Y %I:%M", "needs %I and %p together"),
        ("%d.%m.%Y %H:%M %p", "needs %I and %p together"),
        ("%d.%m.%Y %M", "has %M without %H or %I"),
        ("%d.%m.%Y %H:%S", "has %S without %M"),
        ("%d.%m.%Y %H:%M.%f", "has %f without %S"),
    ],
)
def test_forms_that_cannot_be_read(form: str, problem: str) -> None:
    """The author of a feed learns at once that a form is incomplete or ambiguous."""
    assert problem in str(form_problem(form))


def test_every_directive_is_of_use() -> None:
    """Every directive that the documentation lists can really be used."""
    used = "%d.%m.%Y %H:%M:%S.%f|%d %b %y %I:%M %p|%d %B %Y"
    assert all(form_problem(form) is None for form in used.split("|"))
    assert all(directive in used for directive in DIRECTIVES)


_FORMS = ["%m/%d/%Y", "%d.%m.%Y", "%Y-%m-%d", "%Y%m%d", "%d %b %Y", "%B %d, %Y", "%d%b%Y"]


@given(st.dates(), st.sampled_from(_FORMS))
def test_the_forms_agree_with_the_standard_library(value: date, form: str) -> None:
    """A form means what Python programmers know it to mean."""
    spelled = value.strftime(form.replace("%Y", f"{value.year:04d}"))
    assert parse_form(spelled, form) == datetime.strptime(spelled, form) == datetime.combine(value, datetime.min.time())


@given(st.datetimes().map(lambda moment: moment.replace(microsecond=0)))
def test_twelve_hours_agree_with_the_standard_library(moment: datetime) -> None:
    """Noon and midnight are not mixed up."""
    form = "%m/%d/%Y %I:%M:%S %p"
    spelled = moment.strftime(form.replace("%Y", f"{moment.year:04d}"))
    assert parse_form(spelled, form) == moment


@given(st.text(max_size=30), st.sampled_from([AMERICAN, STAMP, '{type: date, formats: ["%d %B %Y"]}']))
def test_no_text_crashes(cell: str, column: str) -> None:
    """Whatever stands in a date cell ends as a date or as a reason."""
    judged = judge(column, text(cell))
    assert (judged.field is None) == bool(judged.reasons)


def test_many_different_wrong_texts_cost_little() -> None:
    """A file full of wrong dates is refused quickly: forms are compiled once, whatever else is parsed in between."""
    column = '{type: date, formats: ["%m/%d/%Y", "%d.%m.%y", "%Y-%m-%d", "%d %b %Y"]}'
    before = time.process_time()
    for number_of in range(2_000):
        assert outcome(column, text(f"wrong {number_of}")) == "invalid_date"
    assert time.process_time() - before < 3


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 30)), st.integers(0, 999_999))
def test_cells_with_a_time_read_back(moment: datetime, microseconds: int) -> None:
    """Timestamps survive the way through the text row to the last microsecond."""
    exact = moment.replace(microsecond=0) + timedelta(microseconds=microseconds)
    field = outcome(STAMP, day(exact.isoformat(" ")))
    assert datetime.fromisoformat(field.ljust(26, "0") if "." in field else field) == exact
