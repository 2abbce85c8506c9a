"""The text of a proposed feed file, with a comment where the evidence is worth telling. No value of a cell stands in it.

Must not live here: decisions (`decide`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shp_core.proposing.decide import Decision, ProposedColumn, looks_like_a_key

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _()/.-]*(?<! )\Z")
_WORDS = ("true", "false", "null")
_OWNER = re.compile(r"[A-Za-z][\w.+-]*[:@][\w.-]+\Z", re.ASCII)
_DAY = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_COMMENT_AT = 60
_OTHER_KEYS = 3
_NO_KEY = "# No key: no column, and no two, tell all rows of the sample apart."


@dataclass(frozen=True)
class Proposal:
    """A proposed feed.

    Args:
        name: the feed's name.
        owner: who answers for it.
        sample: name of the sample, printable.
        rows: how many rows the sample has.
        source: what the feed file says of its source.
        decision: what the evidence decided.
        notes: further remarks, a line each.
    """

    name: str
    owner: str
    sample: str
    rows: int
    source: dict[str, Any]
    decision: Decision
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, ...]:
        """The proposed key; a column that merely happens to tell rows apart is none."""
        first = next(iter(self.decision.keys), ())
        return first if any(looks_like_a_key(header) for header in first) else ()

    @property
    def text(self) -> str:
        """The feed file."""
        return "\n".join([*self._head(), *self._columns(), *self._tail()]) + "\n"

    def _head(self) -> Iterator[str]:
        yield f"# Proposed from {self.rows:,} rows of {self.sample}. Read it through; `shp feeds explain` tries it on other files."
        yield from (f"# {note}" for note in self.notes)
        yield f"feed: {self.name}"
        owner = self.owner if _OWNER.match(self.owner) else quoted(self.owner)
        yield _commented(f"owner: {owner}", "who answers for this feed: an e-mail address, or team:name")
        yield f"source: {flow(self.source)}"
        day = _DAY.search(self.sample)
        by_day = f"; or {{by: day, start: {day.group()}}}, by the date in its name" if day else ""
        yield _commented("partition: {by: file}", f"a file is a partition{by_day}")

    def _columns(self) -> Iterator[str]:
        yield "columns:"
        columns = self.decision.columns
        width = min(max(len(scalar(column.header)) for column in columns) + 1, 32)
        yield from (_line(column, width) for column in columns)

    def _tail(self) -> Iterator[str]:
        if self.decision.notation:
            decimal, group = self.decision.notation
            yield f"numbers: {{decimal: {quoted(decimal)}, group: {quoted(group)}}}"
        others = [key for key in self.decision.keys if key != self.key]
        told = " or ".join(sequence(key) for key in others[:_OTHER_KEYS])
        if self.key:
            yield _commented(f"key: {sequence(self.key)}", "tells all rows of the sample apart" + (f"; so does {told}" if told else ""))
        else:
            yield f"# key: {told}   tells all rows of the sample apart; is it what identifies a row?" if told else _NO_KEY
        yield _commented("rules: {max_rejected_share: 0.05}", "with more rejects than this a file is refused")


def _line(column: ProposedColumn, width: int) -> str:
    return _commented(f"  {scalar(column.header) + ':':<{width}} {flow(column.keys)}", column.remark)


def _commented(text: str, remark: str) -> str:
    return f"{text:<{_COMMENT_AT}} # {remark}" if remark else text


def flow(keys: dict[str, Any]) -> str:
    """A mapping in one line."""
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in keys.items()) + "}"


def sequence(texts: tuple[str, ...] | list[str]) -> str:
    """A list in one line."""
    return f"[{', '.join(scalar(text) for text in texts)}]"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(quoted(text) for text in value)}]"
    return scalar(value) if isinstance(value, str) else str(value)


def scalar(text: str) -> str:
    """A text as YAML, without quotes if none are needed."""
    return text if _PLAIN.match(text) and text.lower() not in _WORDS else quoted(text)


def quoted(text: str) -> str:
    """A text as YAML in double quotes; whatever is not printable is an escape."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable() and char != "\ufeff":
        return char
    return f"\\U{ord(char):08X}" if ord(char) > 0xFFFF else f"\\u{ord(char):04X}"
