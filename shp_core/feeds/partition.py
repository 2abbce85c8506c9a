"""The key `partition` of a feed file: what one expected piece of the feed is, and when it is due.

Must not live here: which pieces that makes, and when (`shp_core.expectations`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from shp_core.contract.dates import form_problem
from shp_core.feeds.base import Strict, day_of, tell_all
from shp_core.feeds.column import pattern_problem

By = Literal["file", "day", "week", "month", "hour"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = (r"(?P<date>\d{4}-\d{2}-\d{2})", "%Y-%m-%d")
_SPELLED = {
    "day": _DAY,
    "week": _DAY,
    "month": (r"(?P<date>\d{4}-\d{2})", "%Y-%m"),
    "hour": (r"(?P<date>\d{4}-\d{2}-\d{2}T\d{2})", "%Y-%m-%dT%H"),
}
_PERIODS = "`by: day`, `week`, `month` or `hour`"
MOST_FILES = 100_000
"""The most files that a feed may expect in a day."""

_KEY = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9_.=~-]{0,198}\Z")


class Calendar(Strict):
    """Which days are expected; a file for another day is taken all the same."""

    days: list[Weekday] = Field(list(WEEKDAYS), min_length=1, description="The days of the week that are expected.")
    holidays: list[date] = Field(default_factory=list, description="Days that are not expected, such as `[2026-12-25]`.")

    @field_validator("holidays", mode="before")
    @classmethod
    def _holidays(cls, value: object) -> object:
        return [day_of(item) for item in value] if isinstance(value, list) else value

    def expects(self, day: date) -> bool:
        """Whether something is expected for a day."""
        return WEEKDAYS[day.weekday()] in self.days and day not in self.holidays


class Partition(Strict):
    """What one expected piece of the feed is."""

    by: By = Field("file", description="`file`: a file is a partition. `day`, `week` (from Monday), `month`, `hour`: a period is.")
    from_: str | None = Field(
        None, alias="from", description=f"By period: pattern with a group `date` in the file's name; by day `{_DAY[0]}` by default."
    )
    format: str | None = Field(
        None, description="By period: how the group `date` is written; `%Y-%m-%d`, by month `%Y-%m`, by hour `%Y-%m-%dT%H` by default."
    )
    start: date | None = Field(
        None, description="By period: the first expected day. By file: the day on which `expects` is due, of a number the first."
    )
    due: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="Time of day at which a partition is due; without it none is awaited. By hour: how long after the hour's end.",
    )
    due_days: int | None = Field(
        None,
        ge=0,
        le=366,
        description="Days before `due` counts: after the day itself (by day), after the day that follows the period (by week, month).",
    )
    timezone: str = Field("UTC", description="Time zone of periods and due times (IANA name).")
    calendar: Calendar | None = Field(
        None, description="By day and hour, and for a number of files: which days are expected; all of them by default."
    )
    expects: list[str] | int = Field(
        default_factory=list, description="By file: the files that are expected, named without their endings, or how many come in a day."
    )
    placeholder_days: int | None = Field(
        None,
        ge=1,
        le=366,
        description="By period with `due`: how many days older the good partition may be that stands in for a late one.",
    )
    many: Literal["newest"] | None = Field(None, description="By period: `newest` lets the newest of several files for one period win.")

    @field_validator("start", mode="before")
    @classmethod
    def _start(cls, value: object) -> object:
        return day_of(value) if value is not None else None

    @field_validator("expects", mode="before")
    @classmethod
    def _expects(cls, value: object) -> object:
        names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        number = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_FILES
        if names or number:
            return value
        raise ValueError(f"must be a list of names, such as [A, B], or how many files come in a day, 1 to {MOST_FILES:,}, not {value!r}")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not a known time zone; write an IANA name such as Europe/Berlin") from error
        return value

    @model_validator(mode="after")
    def _fits(self) -> Partition:
        tell_all(self._file_problems() if self.by == "file" else self._period_problems())
        return self

    @property
    def by_period(self) -> bool:
        """Whether a partition is a stretch of time."""
        return self.by != "file"

    @property
    def pattern(self) -> str:
        """By period: the pattern with a group `date`."""
        return self.from_ or _SPELLED[self.by][0]

    @property
    def form(self) -> str:
        """By period: how the group `date` is written."""
        return self.format or _SPELLED[self.by][1]

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of periods and due times."""
        return ZoneInfo(self.timezone)

    @property
    def named(self) -> list[str]:
        """By file: the partitions that are expected by name."""
        return self.expects if isinstance(self.expects, list) else []

    @property
    def a_day(self) -> int | None:
        """By file: how many files are expected in a day; None where they are named, or none is."""
        return self.expects if isinstance(self.expects, int) else None

    def _file_problems(self) -> Iterator[str]:
        dated = ("start", "due") if self.expects else ()
        allowed = {"by", "expects", "timezone", *dated, *(("calendar",) if self.a_day else ())}
        for field in sorted(self.model_fields_set - allowed):
            more = " with `expects`" if field in ("start", "due") else ""
            yield f"`{field.rstrip('_')}` is for {_PERIODS}{', or for `by: file`' + more if more else ''}; write one of them or remove it"
        if self.a_day and (self.start is None or self.due is None):
            yield "`expects` of a number needs `start`, the first day, and `due`, the time of day by which that many files have come"
        if self.named and (self.start is None) != (self.due is None):
            yield "`expects` is due at `start` (the day) and `due` (the time of day); write both or none"
        for key in self.named:
            if not _KEY.match(key) or ".." in key:
                yield f"`expects` names {key!r}, which is no partition; write a file's name without its ending, such as shop_1"
        for key in sorted({key for key in self.named if self.named.count(key) > 1}):
            yield f"`expects` names {key!r} twice"

    def _period_problems(self) -> Iterator[str]:
        if self.start is None:
            yield f"`by: {self.by}` needs `start`, the first expected day, such as 2026-01-01"
        if self.expects:
            yield f"`expects` is for `by: file`; by {self.by} the periods themselves are expected: write `due`"
        if self.calendar is not None and self.by not in ("day", "hour"):
            yield f"`calendar` is for `by: day` and `by: hour`; remove it from this feed by {self.by}"
        if self.due_days is not None and (self.due is None or self.by == "hour"):
            yield "`due_days` is for `by: day`, `week` or `month` with a `due`; write `due` or remove it"
        if self.placeholder_days is not None and self.due is None:
            yield "`placeholder_days` stands in for what is late; write `due` too, or remove it"
        problem = pattern_problem(self.pattern)
        if problem:
            yield f"`from` {problem}"
        elif "date" not in re.compile(self.pattern).groupindex:
            yield f"`from` needs a group named date, such as '{_SPELLED[self.by][0]}'"
        problem = _form_problem(self.by, self.form)
        if problem:
            yield f"`format` {problem}"


def _form_problem(by: By, form: str) -> str | None:
    """Why a form of periods cannot be used; a month needs no day, an hour may have an offset."""
    if by == "month":
        return form_problem(f"{form} %d" if "%d" not in form else form)
    problem = form_problem(form.replace("%z", "") if by == "hour" else form)
    if problem is None and by == "hour" and "%H" not in form and "%I" not in form:
        return "names no hour; write directives such as %Y-%m-%dT%H"
    return problem
