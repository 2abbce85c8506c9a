"""The second half of a command over a feed with a lake: the lake follows when the warehouse has all files.

So a slow cluster stands before no file, and one of its jobs maps many of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from shp_ops.ingest.results import FileResult
from shp_ops.ingest.workers import LAKE, Event, Order, Take, take_all

if TYPE_CHECKING:
    from shp_ops.ingest.one import Ingestion
    from shp_resources.outside import Outside

OnEvent = Callable[[Event], None]
Make = Callable[["Outside"], "Ingestion"]


def until_the_lake(on_event: OnEvent) -> OnEvent:
    """What is told while the warehouse is loaded: a file that the lake is to follow with is not done yet."""

    def tell(event: Event) -> None:
        result = event.result
        if result is not None and result.waits_for_the_lake:
            event = Event(event.index, LAKE, result.rows.get("loaded", 0))
        on_event(event)

    return tell


def into_the_lake(order: Order, make: Make, loaded: list[FileResult], on_event: OnEvent) -> list[FileResult]:
    """Let the lake follow when the warehouse has all files: a slow cluster stands before none of them, and one job maps many."""
    waiting = [index for index, result in enumerate(loaded) if result.waits_for_the_lake]
    if not waiting:
        return loaded
    files = [order.paths[index] for index in waiting]
    known = dict(zip(files, (loaded[index] for index in waiting), strict=True))

    def make_follow(outside: Outside) -> Take:
        ingestion = make(outside)
        return lambda file: ingestion.follow(known[file])

    def tell(event: Event) -> None:
        if event.result is not None:
            on_event(replace(event, index=waiting[event.index]))

    following = take_all(Order(files, [[place] for place in range(len(files))], order.outside, make_follow), tell)
    found = dict(zip(waiting, following, strict=True))
    return [_with_its_end(result, found.get(index)) for index, result in enumerate(loaded)]


def _with_its_end(loaded: FileResult, followed: FileResult | None) -> FileResult:
    """What became of a file; of one whose worker was lost on the way into the lake, what is known of it from before."""
    if followed is None or followed.partition is not None:
        return followed or loaded
    return replace(loaded, code=followed.code, message=followed.message)
