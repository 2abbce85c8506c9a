"""The output of a process as records, whoever wrote it: our own lines, Dagster's, PostgreSQL's, Hadoop's, a traceback.

A traceback and what follows it belong to one record, with the line before it where that tells of an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from shp_core.logs.line import Record, parsed

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_TRACEBACK = "Traceback (most recent call last):"
_LINKS = ("During handling of the above exception", "The above exception was the direct cause")
_LONGEST, _MOST_LINES = 4000, 300
_LEVELS = {"warn": "warning", "fatal": "critical", "panic": "critical", "log": "info", "notice": "info", "hint": "info", "detail": "info"}
_HEADS = (
    re.compile(r"\d{4}-\d\d-\d\d [\d:,.]+ [+-]\d{4} - (?P<logger>[\w.\-]+) - (?P<level>[A-Z]+) - (?P<message>.*)"),  # Dagster
    re.compile(r"(?P<day>\d{4}-\d\d-\d\d) (?P<time>[\d:.]+) UTC \[\d+\] (?P<level>[A-Z]+):\s+(?P<message>.*)"),  # our PostgreSQL
    re.compile(r"\d{4}-\d\d-\d\d[ T][\d:,.]+ (?P<level>[A-Z]+) (?P<logger>[\w.$]+): (?P<message>.*)"),  # Hadoop
    re.compile(r"(?P<level>INFO|WARNING|ERROR|CRITICAL):\s+(?P<message>.*)"),  # uvicorn
)
_KNOWN = {"debug", "info", "warning", "error", "critical"}
_HARMLESS = frozenset({"ImportError", "ModuleNotFoundError", "SyntaxError", "FileNotFoundError", "PermissionError"})
_RAISED = re.compile(r"([A-Za-z_][\w.]*)(: .*)?\Z")


@dataclass
class Gathering:
    """Gathers the lines of one process.

    Args:
        now: tells the time, as lines spell it.
        hide_values: leave out what exceptions say, for it may quote cells; their types and lines stay.
    """

    now: Callable[[], str]
    hide_values: bool = False
    _pending: Record | None = None
    _story: list[str] = field(default_factory=list)
    _untitled: bool = False
    _raised: bool = False

    def take(self, line: str) -> Iterator[Record]:
        """Take a line; yields the records that are complete by it.

        Args:
            line: without its end.
        """
        text = _COLOURS.sub("", line).rstrip()
        if self._story and not self._begins_anew(text):
            self._go_on(text)
        elif text.startswith(_TRACEBACK) or (text and self._tells_of_an_error and not self._begins_anew(text)):
            yield from self._begin_story(text)
        elif text:
            yield from self.flush()
            self._pending = self._record(text)

    def flush(self) -> Iterator[Record]:
        """Nothing more has come for a while: yields the record that waited for more."""
        pending, story = self._pending, self._told()
        self._pending, self._story = None, []
        if pending is not None:
            yield replace(pending, traceback=story) if story else pending

    @property
    def waits(self) -> bool:
        """Whether a record waits for more."""
        return self._pending is not None

    @property
    def _tells_of_an_error(self) -> bool:
        return self._pending is not None and self._pending.level in ("error", "critical") and not self._pending.traceback

    def _begin_story(self, text: str) -> Iterator[Record]:
        if not self._tells_of_an_error:
            yield from self.flush()
        self._untitled = self._pending is None
        self._pending = self._pending or Record(self.now(), "error", "")
        self._raised = False
        self._go_on(text)

    def _begins_anew(self, text: str) -> bool:
        return parsed(text) is not None or any(head.match(text) for head in _HEADS)

    def _go_on(self, text: str) -> None:
        """Another line of a traceback: a place, what was raised, or more words of it."""
        if text.startswith((_TRACEBACK, *_LINKS)):
            self._raised = False
        elif text and not text.startswith(" "):
            text = self._what_was_raised(text)
        elif self._raised and self.hide_values:
            text = ""
        if text and len(self._story) < _MOST_LINES:
            self._story.append(text[:_LONGEST])

    def _what_was_raised(self, text: str) -> str:
        found = _RAISED.match(text) if not self._raised else None
        if found is None:
            return "" if self.hide_values else text
        self._raised = True
        told = found[1] if self.hide_values and found[1] not in _HARMLESS else text
        if self._untitled and self._pending is not None:
            self._pending = replace(self._pending, message=told[:_LONGEST])
        return told

    def _told(self) -> str:
        return "\n".join(self._story)

    def _record(self, text: str) -> Record:
        known = parsed(text)
        if known is not None:
            return known
        found = next((match for head in _HEADS if (match := head.match(text))), None)
        if found is None:
            return Record(self.now(), "info", text[:_LONGEST])
        parts = found.groupdict()
        at = f"{parts['day']}T{parts['time']}Z" if "day" in parts else self.now()
        return Record(at, _level(parts["level"]), parts["message"][:_LONGEST], parts.get("logger") or "")


def _level(word: str) -> str:
    level = _LEVELS.get(word.lower(), word.lower())
    return level if level in _KNOWN else "info"
