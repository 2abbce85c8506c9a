"""A run's log lines: the end of each step and every verdict, with feed, partition, delivery, run, attempt and code.

Must not live here: values of rows, and words of exceptions that nobody named.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shp_core.errors import ShpError
from shp_resources.ledger import Arrival, Attempt
from shp_resources.logs import about

if TYPE_CHECKING:
    from shp_assets.work import Work

_log = logging.getLogger("shp.runs")
_QUIET = frozenset({"at_once", "redrive"})


def log_step(work: Work, step: str, seconds: float) -> None:
    """A step came to its end.

    Args:
        work: the run's work.
        step: which one.
        seconds: how long it took.
    """
    _log.info("step %s took %.2f s", step, seconds, extra=_about(work))


def log_verdict(work: Work, error: ShpError, action: str) -> None:
    """Something went wrong, and what was decided about it.

    Args:
        work: the run's work.
        error: what went wrong.
        action: what was decided.
    """
    level = logging.WARNING if action in _QUIET else logging.ERROR
    _log.log(level, "%s (%s)", error.message, action, extra=_about(work, str(error.code)))


def log_path(work: Work | None, place: str, path: str) -> None:
    """Where something that nobody named went wrong.

    Args:
        work: the run's work, None where there is no partition.
        place: where this is, for people.
        path: types and lines, without messages.
    """
    _log.error("something that nobody named went wrong in %s:\n%s", place, path, extra=_about(work) if work else about())


def _about(work: Work, code: str | None = None) -> dict[str, object]:
    """What is known already; a log line asks nobody."""
    arrival: Arrival | None = work.__dict__.get("arrival")
    attempt: Attempt | None = work.__dict__.get("attempt")
    delivery, number = arrival.delivery if arrival else None, attempt.number if attempt else None
    return about(feed=work.kit.name, partition=work.partition, delivery=delivery, run=work.run_id, attempt=number, code=code)
