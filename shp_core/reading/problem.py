"""How the reading modules say that a workbook cannot be read.

Codes are spelled as text here, because these modules run without the rest of the platform (an older Python on a
cluster node, a process that must start fast); a test holds every spelling to the enumeration. The parent of the
reading process turns a `Refused` into a `Refusal`.
"""

from __future__ import annotations

from typing import Any

DAMAGED = "damaged_workbook"
MARKUP = "invalid_markup"
UNSAFE = "unsafe_workbook"
DISAGREES = "reader_disagrees"


class Refused(Exception):
    """A workbook is refused, whoever reads it.

    Args:
        code: spelling of a reason code of scope `file`.
        message: what is wrong and where; names are shown with `shown`, never raw.
        details: further facts for programs; no values of cells.
    """

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}

    def as_dict(self) -> dict[str, Any]:
        """The form in which it leaves the reading process."""
        return {"code": self.code, "message": self.message, "details": self.details}


class Unreadable(Refused):
    """There is something in the workbook that cannot be read; of a fast reader that says so, its reference is asked."""


def limit_reached(limit: str, value: int | float, where: str) -> Unreadable:
    """The refusal of a file that reaches a limit.

    Args:
        limit: field of `Limits`.
        value: that field's value.
        where: what reached it.
    """
    return Unreadable("limit_reached", f"{where}: the limit {limit} = {value} is reached", {"limit": limit, "value": value})


def shown(name: str, at_most: int = 80) -> str:
    """A name from outside, safe in a message: quoted, one line, printable ASCII, bounded."""
    return ascii(name if len(name) <= at_most else name[:at_most] + "...")
