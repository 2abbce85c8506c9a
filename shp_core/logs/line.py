"""One log line: a JSON object, the same keys in every process; and the same line for a person's eyes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

WHERE = ("feed", "partition", "delivery", "run", "attempt", "code")
"""What a line may say of the work that it is about, in this order."""

_SHORT = 8
_SHORTENED = ("delivery", "run")


@dataclass(frozen=True)
class Record:
    """What a line says.

    Args:
        at: when, ISO 8601 in UTC.
        level: `debug`, `info`, `warning`, `error` or `critical`.
        message: what happened, one line where it can be.
        logger: who said it; empty: the process itself.
        where: feed, partition, delivery, run, attempt, code, as far as they are known.
        traceback: where it went wrong.
    """

    at: str
    level: str
    message: str
    logger: str = ""
    where: Mapping[str, str | int] = field(default_factory=dict)
    traceback: str = ""


def stamp(instant: datetime) -> str:
    """An instant as lines spell it: `2026-11-21T07:05:09.123Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(record: Record, process: str = "") -> str:
    """The line of a record, without its end.

    Args:
        record: what it says.
        process: which process says it; empty: whoever reads the line knows.
    """
    head = {"at": record.at, "level": record.level, "process": process, "logger": record.logger}
    known = {name: value for name in WHERE if (value := record.where.get(name)) not in (None, "")}
    fields = {**head, "message": record.message, **known, "traceback": record.traceback}
    return json.dumps({name: value for name, value in fields.items() if value != ""}, ensure_ascii=False)


def parsed(line: str) -> Record | None:
    """The record that a line holds, None when it is no line of ours."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
        where = {name: found[name] for name in WHERE if name in found}
        return Record(found["at"], found["level"], found["message"], found.get("logger", ""), where, found.get("traceback", ""))
    except (ValueError, KeyError):
        return None


def readable(line: str) -> str:
    """A line as a person reads it; one that is no line of ours stays as it is."""
    record = parsed(line)
    if record is None:
        return line
    where = " ".join(f"{name}={_shortened(name, value)}" for name, value in record.where.items())
    text = "  ".join(part for part in (record.at, f"{record.level:<8}", record.message, where and f"[{where}]") if part)
    return f"{text}\n{record.traceback.rstrip()}" if record.traceback else text


def _shortened(name: str, value: str | int) -> str:
    return str(value)[:_SHORT] if name in _SHORTENED else str(value)
