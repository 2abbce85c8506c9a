"""What all models of feed files share: strictness, and telling every problem of a model at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

PolicyName = Literal["standard", "patient", "none"]
"""Policies of tries within a call, as `shp_core.healing.backoff` has them."""

DURATION = r"^[1-9]\d{0,5}(s|m|h|d)$"
"""How a stretch of time is written: `90s`, `5m`, `24h`, `2d`."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Strict(BaseModel):
    """Base of all models: unknown keys are errors, values do not change, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def tell_all(problems: Iterable[str | None]) -> None:
    """Raise what is wrong, a line per problem, if anything is.

    Raises:
        ValueError: there is at least one problem.
    """
    found = [problem for problem in problems if problem]
    if found:
        raise ValueError("\n".join(found))


def require_name(value: str, problem: str | None) -> str:
    """The value, if its name has no problem.

    Raises:
        ValueError: with the problem.
    """
    tell_all([problem])
    return value


def duration_of(text: str) -> timedelta:
    """The stretch of time that a text of the form `DURATION` says."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def day_of(value: object) -> date:
    """A day as a file spells it; neither a moment nor a number of seconds passes for one.

    Raises:
        ValueError: it is no day.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"must be a day such as 2026-01-31, not {value!r}") from error
