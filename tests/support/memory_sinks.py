"""What sinks are to hold and hold, in memory, for simulations: the ledger's `publications` and `lake`.

`tests/test_memory_ledger.py` holds it to the real ledger's behaviour. Must not live here: decisions, and rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shp_core.healing.cause import GUARDED
from shp_resources.ledger import LAKE, Behind, Publication, SinkRecord, Superseded

Key = tuple[str, str, str]
_NOBODY = {"agreed_at": None, "cause": None, "code": None}


@dataclass
class MemorySinks:
    """The records of all sinks.

    Args:
        records: by feed, partition and sink.
        numbers: of publications, the last one drawn.
        fences: under which the sinks were made to hold what they hold.
    """

    records: dict[Key, SinkRecord] = field(default_factory=dict)
    numbers: int = 0
    fences: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def change(self, key: Key, **values: Any) -> None:
        """Set fields of a record that is there."""
        if key in self.records:
            self.records[key] = replace(self.records[key], **values)


@dataclass
class MemoryPublications:
    """What `Publications` tells of sinks."""

    sinks_: MemorySinks

    def intend(self, feed: str, partition: str, sink: str, publication: Publication, fence: tuple[int, int]) -> None:
        """A newer fence's word stands."""
        key = (feed, partition, sink)
        known = self.sinks_.records.get(key)
        if known is not None and known.fence > fence:
            raise Superseded(feed, partition, f"a newer attempt publishes to {sink}")
        made = known or SinkRecord(sink, publication, fence, None, None, None, None, None)
        self.sinks_.records[key] = replace(made, intended=publication, fence=fence)

    def confirm(
        self, feed: str, partition: str, sink: str, publication: Publication, fence: tuple[int, int], *, rows: int, hash: str, at: datetime
    ) -> None:
        """What it was made to hold; what is older than noted, or the same again, changes nothing."""
        key = (feed, partition, sink)
        known = self.sinks_.records.get(key) or SinkRecord(sink, publication, fence, None, None, None, None, None)
        same = (known.held, known.rows, known.hash) == (publication, rows, hash)
        if known.held is not None and (self.sinks_.fences[key] > fence or same):
            return
        self.sinks_.numbers += 1
        self.sinks_.fences[key] = fence
        self.sinks_.records[key] = replace(known, held=publication, number=self.sinks_.numbers, rows=rows, hash=hash, at=at)

    def sinks(self, feed: str, partition: str) -> dict[str, SinkRecord]:
        """By sink."""
        return {key[2]: record for key, record in self.sinks_.records.items() if key[:2] == (feed, partition)}


@dataclass
class MemoryLake:
    """What `LakeSinks` does."""

    sinks_: MemorySinks

    def want(self, feed: str, partition: str, publication: Publication, fence: tuple[int, int], now: datetime) -> None:
        """Its run is due if that is new."""
        key = (feed, partition, LAKE)
        known = self.sinks_.records.get(key)
        if known is None:
            made = SinkRecord(LAKE, publication, fence, None, None, None, None, None)
            self.sinks_.records[key] = replace(made, next_attempt_at=now)
        elif known.fence <= fence:
            due = {} if known.intended == publication else {**_NOBODY, "next_attempt_at": now}
            self.sinks_.change(key, intended=publication, fence=fence, **due)

    def get(self, feed: str, partition: str) -> SinkRecord | None:
        """One partition's."""
        return self.sinks_.records.get((feed, partition, LAKE))

    def doubt(self, feed: str, partition: str, now: datetime) -> None:
        """Read again; what is held back stays so."""
        known = self.get(feed, partition)
        waits = known is not None and (known.cause is not None or known.next_attempt_at is not None)
        self._set(feed, partition, agreed_at=None, **({} if waits else {"next_attempt_at": now}))

    def arm(self, feed: str, partition: str, now: datetime) -> None:
        """Due."""
        self._set(feed, partition, **_NOBODY, next_attempt_at=now)

    def pause(self, feed: str, partition: str, until: datetime) -> None:
        """Not before."""
        self._set(feed, partition, next_attempt_at=until)

    def agreed(self, feed: str, partition: str, now: datetime) -> None:
        """Both say the same."""
        self._set(feed, partition, **{**_NOBODY, "next_attempt_at": None, "agreed_at": now})

    def hold(self, feed: str, partition: str, cause: str | None, code: str | None, message: str | None, due: datetime | None) -> None:
        """What holds it back."""
        self._set(feed, partition, agreed_at=None, cause=cause, code=code, next_attempt_at=due)

    def due(self, feed: str, now: datetime, kept_back: Collection[str], limit: int) -> list[Behind]:
        """Whose time has come, or whose breaker is closed again."""

        def asked(record: SinkRecord) -> bool:
            place = _place(record)
            system = place.partition("/")[0]
            drained = record.next_attempt_at is None and system in GUARDED and record.cause == place
            in_time = record.next_attempt_at is not None and record.next_attempt_at <= now
            return (drained or in_time) and place not in kept_back and system not in kept_back

        return self._behind(asked, {feed})[:limit]

    def parked_behind(self, breaker: str, feeds: Collection[str]) -> Behind | None:
        """The oldest that waits for a breaker."""
        return next(iter(self._behind(lambda record: record.cause == breaker, feeds)), None)

    def _behind(self, which: Callable[[SinkRecord], bool], feeds: Collection[str]) -> list[Behind]:
        mine = [(key, one) for key, one in self.sinks_.records.items() if key[2] == LAKE and key[0] in feeds and not one.complete]
        found = [Behind(key[0], key[1], one) for key, one in mine if which(one)]
        return sorted(found, key=lambda one: (one.sink.fence[0], one.partition))

    def _set(self, feed: str, partition: str, **values: Any) -> None:
        self.sinks_.change((feed, partition, LAKE), **values)


def _place(record: SinkRecord) -> str:
    return (record.cause or "").removeprefix("transient/")
