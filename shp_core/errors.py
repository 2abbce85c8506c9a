"""The platform's own errors, on one screen.

    ShpError                     anything the platform says is wrong: code, message, next step
     ├─ UsageError               a command or a setting is wrong (exit code 2)
     ├─ FeedFilesError           feed files have errors: all errors of all files at once
     ├─ Refusal                  a whole delivery is refused: the sender or the feed must change
     └─ Fault                    something outside failed: kind, evidence; the bytes are not to blame

Every message names file, sheet, row or column where there is one, and `next_step` says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shp_core.codes import Code
from shp_core.healing.faults import Evidence, FaultKind


class ShpError(Exception):
    """Anything the platform says is wrong.

    Args:
        code: stable code of what is wrong.
        message: what is wrong and where, for people; no secrets, no values of cells.
        next_step: what the reader can do; the code's own sentence by default.
    """

    def __init__(self, code: Code, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_step = next_step or code.info.operator

    @property
    def kind(self) -> FaultKind:
        """The fault kind, which decides what happens next."""
        return self.code.info.kind

    def as_dict(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        return {"code": str(self.code), "message": self.message, "next": self.next_step}


class UsageError(ShpError):
    """A command was called wrongly or a setting is wrong."""

    def __init__(self, message: str, next_step: str, code: Code = Code.USAGE) -> None:
        super().__init__(code, message, next_step)


class FeedFilesError(ShpError):
    """Feed files have errors.

    Args:
        errors: one sentence per error, each naming file, path and what to write instead.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__(Code.FEED_INVALID, "\n".join(errors), "Correct the files named above, then run: shp feeds check")
        self.errors = list(errors)


class Refusal(ShpError):
    """A whole delivery is refused; its bytes are kept.

    Args:
        code: stable code of scope `file`.
        message: what is wrong and where (sheet, column, part, limit and value).
        details: further facts for programs (counts, names of columns); no values of cells.
    """

    def __init__(self, code: Code, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(code, message, code.info.sender)
        self.details = details or {}


class Fault(ShpError):
    """Something outside failed.

    Args:
        code: stable code of scope `platform` (or `source_missing`, `still_moving`).
        message: what failed, for people.
        evidence: what was seen.
    """

    def __init__(self, code: Code, message: str, evidence: Evidence, next_step: str | None = None) -> None:
        super().__init__(code, message, next_step)
        self.evidence = evidence
