"""What happens to the dropped files, as the ledger tells it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_core.states import HELD_STATES, PUBLISHED_STATES, State
from shp_resources.landing import sight, uri_of
from shp_resources.ledger import Ledger, PartitionRecord
from shp_resources.warehouse.counts import present

STEPS = ("raw", "validated", "warehouse", "lake")
_SETTLED = PUBLISHED_STATES | HELD_STATES
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Dropped:
    """A sample in its landing folder: feed, the file, and the partition it is."""

    feed: str
    path: Path
    partition: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def key(self) -> tuple[str, str]:
        """(feed, partition)."""
        return self.feed, self.partition


@dataclass(frozen=True)
class Sight:
    """Where a file is: steps done (of `STEPS`), and the partition's record once the file itself was seen."""

    done: int
    step: str
    record: PartitionRecord | None

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.record is not None and self.record.state in _SETTLED and not _follows(self.record)

    @property
    def published(self) -> bool:
        """Whether the tables hold the file."""
        return self.record is not None and self.record.state.is_published

    def with_displaced(self, displaced: int) -> Sight:
        """The same with so many rows that stand aside now."""
        if self.record is None:
            return self
        return replace(self, record=replace(self.record, rows=present(self.record.rows, displaced)))


OnSight = Callable[[Mapping[Dropped, Sight]], None]
"""Told where all files are."""


def watch(ledger: Ledger, files: list[Dropped], seconds: float, on_sight: OnSight) -> dict[Dropped, Sight]:
    """Wait until every file is settled.

    Args:
        ledger: the ledger.
        files: what was dropped.
        seconds: how long to wait at most.
        on_sight: told about all files, twice a second.

    Raises:
        ShpError: it took too long.
    """
    until = time.monotonic() + seconds
    while True:
        sights = look(ledger, files)
        on_sight(sights)
        if all(sight.settled for sight in sights.values()):
            return sights
        if time.monotonic() > until:
            waiting = ", ".join(file.name for file, sight in sights.items() if not sight.settled)
            raise ShpError(Code.CODE_BUG, f"Not settled after {seconds:.0f} s: {waiting}.", "Look at the logs: logs/ in the demo's home.")
        time.sleep(_PAUSE_SECONDS)


def look(ledger: Ledger, files: list[Dropped]) -> dict[Dropped, Sight]:
    """Where every file is now."""
    feeds = {file.feed for file in files}
    records = {(record.feed, record.partition): record for feed in feeds for record in ledger.partitions.list(feed)}
    sources = {uri: seen.source for feed in feeds for uri, seen in ledger.arrivals.known_sources(feed).items()}
    steps = {(attempt.feed, attempt.partition): attempt.step for attempt in ledger.attempts.under_way()}

    def is_known(file: Dropped) -> bool:  # an older file under the same name says nothing about this one
        return sources.get(uri_of(file.path)) == sight(file.path).source

    return {file: _sight(records.get(file.key) if is_known(file) else None, steps.get(file.key)) for file in files}


def _sight(record: PartitionRecord | None, step: str | None) -> Sight:
    if record is None:
        return Sight(0, "waiting", None)
    if record.state in PUBLISHED_STATES:
        return Sight(len(STEPS), str(record.state), record)
    if record.state is State.RUNNING and step in STEPS:
        return Sight(STEPS.index(step), step, record)
    if _follows(record):
        return Sight(STEPS.index("lake"), "lake", record)
    return Sight(0, str(record.state), record)


def _follows(record: PartitionRecord) -> bool:
    """Whether only the run to the lake is still to come."""
    return record.behind is not None and record.cause is None
