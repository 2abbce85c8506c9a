"""The text of `docs/codes.md`, made from the table of codes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from shp_core.code_table import TABLE
from shp_core.codes import Code, Scope

_HEAD = """\
# Reason codes

<!-- Generated from shp_core/codes.py; `python -m tests.support.generated` writes it anew. -->

Everything the platform can say is wrong has one of these codes, in the JSON of the command `shp`, in the tables of the
schemas `quarantine` and `shp`, in checks and in messages. Codes are public: new ones may come, none disappears or changes its
meaning. The fault kind says what the platform does about it by itself; [the runbook](runbook.md) has a paragraph for each.
"""

_SCOPES = {
    Scope.ROW: "## Rows\n\nThe row is a reject: kept with its place and its text, and not loaded. The other rows go on.",
    Scope.FILE: "## Files\n\nThe whole delivery is refused or waits: its bytes are kept, the table keeps what it had.",
    Scope.PLATFORM: "## Platform\n\nNothing is wrong with the file. The platform goes on by itself where the fault kind allows it.",
    Scope.FEED: "## Feed files, settings and commands\n\nSomebody has to correct a file, a setting or a command.",
}


def codes_page() -> str:
    """The text of `docs/codes.md`."""
    return "\n".join([_HEAD, *(part for scope in Scope for part in _section(scope))])


def meaning(code: Code) -> str:
    """A hash of what a code means: scope, fault kind and the operator's sentence."""
    info = TABLE[code]
    return sha256(f"{info.scope}\n{info.kind}\n{info.operator}".encode()).hexdigest()[:12]


def _section(scope: Scope) -> Iterator[str]:
    yield f"{_SCOPES[scope]}\n"
    yield "| code | fault kind | for the sender | for the operator |"
    yield "|---|---|---|---|"
    for code in Code:
        info = TABLE[code]
        if info.scope is scope:
            yield f"| `{code}` | `{info.kind}` | {_cell(info.sender)} | {_cell(info.operator)} |"
    yield ""


def _cell(text: str) -> str:
    return "" if text == "-" else text.replace("|", "\\|")
