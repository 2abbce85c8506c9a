"""One question and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from shp_core.errors import ShpError


@dataclass(frozen=True)
class Check:
    """What was found.

    Args:
        name: what was looked at.
        ok: whether it is as it should be.
        message: what was found, in a sentence.
        next: the command or the step that mends it, None where nothing is to be mended.
    """

    name: str
    ok: bool
    message: str
    next: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        return asdict(self)


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name, True, message)


def wrong(name: str, message: str, next_step: str) -> Check:
    """Something is to be mended."""
    return Check(name, False, message, next_step)


def told(name: str, ask: Callable[[], str]) -> Check:
    """Ask, and take an error of ours for the answer.

    Args:
        name: what is looked at.
        ask: says what it found; raises when it is not as it should be.
    """
    try:
        return ok(name, ask())
    except ShpError as error:
        return wrong(name, error.message, error.next_step)
