"""A partition's history for people: one event, one line that fits a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shp_core.states import State

_HASH, _RUN = 12, 8


def event_lines(event: dict[str, Any]) -> Iterator[str]:
    """The lines that tell an event: when and what, and beneath it why, if there is a reason.

    Args:
        event: as `shp history --json` tells it, `at` a time.
    """
    tell = _TELLERS.get(event["what"], _facts)
    yield f"{event['at']:%Y-%m-%d %H:%M:%S}  {event['what'].replace('_', ' '):<11}  {tell(event)}".rstrip()
    if event.get("message") and event["what"] != "transition":  # the attempt's end said it already
        yield f"{'':21}{event['message']}"


def _arrival(event: dict[str, Any]) -> str:
    size = f", {event['size']:,} bytes" if "size" in event else ""
    return f"#{event['number']} {event.get('name', '(made by hand)')}{size} via {event['via']}"


def _delivery(event: dict[str, Any]) -> str:
    return f"{event['delivery'][:_HASH]}, {event['size']:,} bytes, of arrival #{event['arrival']}"


def _attempt(event: dict[str, Any]) -> str:
    return f"{event['number']} on arrival #{event['arrival']} via {event['via']}, run {event['run_id'][:_RUN]}"


def _attempt_end(event: dict[str, Any]) -> str:
    step = f" in {event['step']}" if "code" in event and "step" in event else ""
    due = f", due again at {event['due_at']:%H:%M:%S}" if event.get("due_at") else ""
    return f"{event['number']}: {event['outcome']}{_code(event)}{step}{due}"


def _transition(event: dict[str, Any]) -> str:
    why = f" ({event['message']})" if event["new"] == State.WAIVED and event.get("message") else _code(event)
    if event["new"] == State.PARKED and not why:
        why = " (the warehouse holds it, the lake follows)"
    return f"{event.get('old', '-')} -> {event['new']}{why}"


def _publication(event: dict[str, Any]) -> str:
    return f"#{event['number']} {event['sink']} holds {event['rows']:,} rows of delivery {event['delivery'][:_HASH]}"


def _code(event: dict[str, Any]) -> str:
    return f" ({event['code']})" if "code" in event else ""


def _facts(event: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in event.items() if name not in ("at", "what", "message"))


_TELLERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "arrival": _arrival,
    "delivery": _delivery,
    "attempt": _attempt,
    "attempt_end": _attempt_end,
    "transition": _transition,
    "publication": _publication,
}
