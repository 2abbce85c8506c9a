"""Remote sources: what lies there becomes arrivals; where a source does not give a file, its fallbacks are tried in order.

    look at all sources side by side ──▶ arrivals ──▶ which partitions are without? ──▶ first fallback, second, … ──▶ snapshot

Must not live here: fetching bytes (a run does), the pace of looking (the sensor), when a fallback may be asked (`shp_core.fallbacks`).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shp_assets.arrive import arrive, is_free, place_of
from shp_assets.calls import Switch
from shp_assets.kit import FeedKit
from shp_assets.periods import addresses
from shp_assets.provenance import fallback_of
from shp_core.codes import Code
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.fallbacks import FALLBACK, SNAPSHOT, gives_way, needs_fallback
from shp_core.feeds.origin import Origin
from shp_core.healing.decide import Severity
from shp_core.healing.faults import Evidence
from shp_core.healing.inventory import OF_SOURCE
from shp_core.states import State
from shp_resources.landing import Seen, printable
from shp_resources.ledger import PartitionRecord, SeenSource, StaleState
from shp_resources.outside import Outside

ROUND_SECONDS = 40.0
"""No further fallbacks are asked in a round that took so long; the next round goes on."""

PATIENCE = timedelta(minutes=5)
"""So long after its bytes could not be had a source is fetched from again, if it still shows the same file."""

_BY_THE_SOURCE = (Code.SOURCE_MISSING, Code.STILL_MOVING)
_TOLD = (Code.SOURCE_REFUSED, Code.CODE_BUG)
"""What opens no breaker, so that nobody else would tell."""

_SINK = "warehouse"


@dataclass
class Taken:
    """What a round found of one feed.

    Args:
        fault: why its source could not be looked at.
        arrived: partitions that something arrived for.
        notes: what a reader should know.
        moving: whether a file was seen that is still being written.
    """

    fault: Fault | None = None
    arrived: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    moving: bool = False


def look_round(outside: Outside, kits: Sequence[FeedKit]) -> dict[str, Taken]:
    """Look at the sources of feeds, then at the fallbacks of those that are without; what is found arrives.

    Args:
        outside: the outside systems.
        kits: feeds with remote sources, each of which gets a thread.

    Returns:
        By feed, what was found.
    """
    until = time.monotonic() + ROUND_SECONDS
    rounds = [_Round(outside, kit) for kit in kits]
    for level in range(max((len(kit.feed.source.origins) for kit in kits), default=0)):
        asked = [one for one in rounds if one.asks(level)] if time.monotonic() < until else []
        for one, found in _side_by_side(outside, [(one, one.addresses(level)) for one in asked]):
            one.take(level, found)
    for one in rounds:
        one.let_snapshots_stand()
        one.tell()
    return {one.kit.name: one.taken for one in rounds}


def lying_at_source(outside: Outside, kit: FeedKit) -> set[str]:
    """The partitions of files that are at a feed's source now; none where it cannot be looked at."""
    one = _Round(outside, kit)
    found = [files for _, files in _side_by_side(outside, [(one, one.addresses(0))]) if not isinstance(files, Fault)]
    return {place for files in found for file in files if (place := one.place(file)) is not None}


def try_source(outside: Outside, kits: Mapping[str, FeedKit], system: str) -> None:
    """Look at one source of a system that was away; a system that no feed names any more is not asked.

    Raises:
        Fault: it still fails.
    """
    named = ((kit, origin) for kit in kits.values() for origin in kit.feed.source.origins if origin.system == system)
    for kit, origin in named:
        try:
            outside.source(addresses(outside, kit, origin)[0], kit.feed.source.match).look()
        except Fault as fault:
            if fault.code is not Code.SOURCE_MISSING:  # that says: it answers
                raise
        return


@dataclass(frozen=True)
class _Asked:
    """Addresses of one source that are looked at."""

    origins: list[Origin]
    match: str


@dataclass
class _Round:
    """One feed's part of a round."""

    outside: Outside
    kit: FeedKit
    taken: Taken = field(default_factory=Taken)

    def asks(self, level: int) -> bool:
        """Whether a source is to be looked at: the first always, a fallback where something is without."""
        if level == 0:
            return True
        return level < len(self.kit.feed.source.origins) and (self._failed or bool(self._without(level)))

    def addresses(self, level: int) -> _Asked:
        """Where to look."""
        source = self.kit.feed.source
        return _Asked(addresses(self.outside, self.kit, source.origins[level]), source.match)

    def take(self, level: int, found: list[Seen] | Fault) -> None:
        """Let what was found arrive."""
        if isinstance(found, Fault):
            self.taken.notes.append(f"{self.kit.name}: {found.message}")
            if level == 0:
                self.taken.fault = found
            return
        files = [file for file in found if file.quiet]
        self.taken.moving |= len(files) < len(found)
        there = {file.source.uri for file in files}
        for file in list(self._news(files, there)) if level == 0 else list(self._wanted(level, files)):
            self._take(file, "sensor" if level == 0 else FALLBACK, there)

    def let_snapshots_stand(self) -> None:
        """Where neither the source nor a fallback gave a file, the last good delivery goes on standing, if it is young enough."""
        snapshot = self.kit.feed.source.snapshot
        if snapshot is None:
            return
        for partition in self._without(len(self.kit.feed.source.origins)):
            held = self.outside.ledger.publications.sinks(self.kit.name, partition).get(_SINK)
            young = held is not None and held.at is not None and held.at >= self.outside.clock.now() - snapshot.age
            if held is not None and held.held is not None and young:
                self._let_stand(partition, held.held.delivery)

    def tell(self) -> None:
        """Tell people that the source lets nobody in, once, and when it does again: no run meets that, so no verdict says it."""
        incidents, fault, now = self.outside.ledger.incidents, self.taken.fault, self.outside.clock.now()
        cause = f"{OF_SOURCE}{self.kit.name}"
        if fault is not None and fault.code in _TOLD:
            said = {"severity": str(Severity.WARNING), "code": str(fault.code), "message": fault.message}
            incidents.join_all(cause, self.kit.name, [], at=now, **said)
        elif fault is None:
            for incident in incidents.of_cause(cause):
                incidents.close(incident.id, "The source was looked at again, and answered.", now)

    @property
    def _failed(self) -> bool:
        return self.taken.fault is not None and gives_way(self.taken.fault.code)

    def _news(self, files: Sequence[Seen], there: set[str]) -> Iterator[Seen]:
        """Files of the source that are new, changed, back, or free to be taken up."""
        known = self.outside.ledger.arrivals.known_sources(self.kit.name)
        records = {record.partition: record for record in self.outside.ledger.partitions.list(self.kit.name)}
        for file in files:
            before = known.get(file.source.uri)
            record = records.get(before.partition) if before else None
            if self._is_new(file, before, record) or (record is not None and self._is_free(file, known, record, there)):
                yield file
            elif record is not None and record.code in _BY_THE_SOURCE and record.state is State.WAITING and self._is_over(record):
                self._move(record, State.ARRIVED)

    def _is_new(self, file: Seen, before: SeenSource | None, record: PartitionRecord | None) -> bool:
        return before is None or record is None or before.source != file.source or self._is_back(before, record)

    def _is_free(self, file: Seen, known: Mapping[str, SeenSource], record: PartitionRecord, there: set[str]) -> bool:
        return is_free(self.kit, file, known, record, lambda other: other.uri in there)

    def _is_back(self, before: SeenSource, record: PartitionRecord) -> bool:
        """Whether a fallback stands where this file of the source should, and the file may be fetched again."""
        current = self.outside.ledger.arrivals.get(record.arrival) if record.arrival not in (None, before.arrival) else None
        if current is None or fallback_of(current) is None:
            return False
        tries = self.outside.ledger.attempts.of_partition(self.kit.name, record.partition)
        could_not_be_had = any(one.arrival == before.arrival and one.code is not None for one in tries)
        return not could_not_be_had or current.at <= self.outside.clock.now() - PATIENCE

    def _is_over(self, record: PartitionRecord) -> bool:
        return record.updated_at <= self.outside.clock.now() - PATIENCE

    def _without(self, level: int) -> list[str]:
        """The partitions whose file may come from this fallback, or from a later one."""
        records = self.outside.ledger.partitions.list(self.kit.name)
        return [record.partition for record in records if self._needs(record) and self._level_of(record) < level]

    def _needs(self, record: PartitionRecord) -> bool:
        return needs_fallback(record.state, record.code, record.cause, self._failed)

    def _level_of(self, record: PartitionRecord) -> int:
        """Which source brought the newest arrival of a partition: 0 the source itself, then its fallbacks in order."""
        current = self.outside.ledger.arrivals.current(self.kit.name, record.partition)
        if current is None or current.source is None:
            return 0
        uri = current.source.uri
        return next((level for level, origin in enumerate(self.kit.feed.source.origins) if origin.holds(uri)), 0)

    def _wanted(self, level: int, files: Sequence[Seen]) -> Iterator[Seen]:
        """Files of a fallback that something is without, each under the name that its partition has at the source."""
        without, known = set(self._without(level)), {record.partition for record in self.outside.ledger.partitions.list(self.kit.name)}
        for file in files:
            named = self._named(level, file)
            partition = self.place(named)
            if partition in without or (partition is not None and partition not in known and self._failed):
                yield named

    def _named(self, level: int, file: Seen) -> Seen:
        """A fallback that is one file stands for the source's file, whatever its own name."""
        first, origin = self.kit.feed.source.origins[0], self.kit.feed.source.origins[level]
        if first.is_folder or origin.is_folder or first.by_period:
            return file
        return replace(file, source=replace(file.source, name=printable(first.name)))

    def place(self, file: Seen) -> str | None:
        """The partition that a file stands for, if it has a place."""
        with suppress(Refusal):
            return place_of(self.kit, file.source)
        return None

    def _take(self, file: Seen, via: str, there: set[str]) -> None:
        try:
            arrived = arrive(self.outside.ledger, self.kit, file, via, lambda other: other.uri in there)
        except Fault:
            raise  # the ledger is away: the next round sees all of it again
        except ShpError as error:  # one file never stops the others
            self.taken.notes.append(f"{self.kit.name}: {file.source.name}: {error.message}")
            return
        if arrived.refusal is not None:
            self.taken.notes.append(f"{self.kit.name}: {file.source.name} is held ({arrived.refusal.code})")
            return
        self.taken.arrived.append(arrived.arrival.partition)
        if via == FALLBACK:
            self.taken.notes.append(f"{self.kit.name}: {arrived.arrival.partition} comes from the fallback {file.source.uri}")

    def _let_stand(self, partition: str, delivery: str) -> None:
        ledger = self.outside.ledger
        size = ledger.arrivals.deliveries(self.kit.name, partition).get(delivery)
        if size is None:
            return
        with ledger.transaction():
            arrival = ledger.arrivals.record(self.kit.name, partition, None, SNAPSHOT)
            ledger.arrivals.name_delivery(arrival.number, delivery, size)
        self.taken.arrived.append(partition)
        self.taken.notes.append(f"{self.kit.name}: {partition} stays as it was last published (snapshot)")

    def _move(self, record: PartitionRecord, to: State) -> None:
        with suppress(StaleState):  # somebody else moved it: the next round looks again
            self.outside.ledger.partitions.move(record.feed, record.partition, to, expect_version=record.version)
            self.taken.arrived.append(record.partition)


def _side_by_side(outside: Outside, asked: Sequence[tuple[_Round, _Asked]]) -> Iterator[tuple[_Round, list[Seen] | Fault]]:
    """Look at several sources at the same time; the ledger is spoken to from this thread alone."""
    if not asked:
        return
    pool = ThreadPoolExecutor(len(asked), thread_name_prefix="look")
    try:
        begun = [(one, *_begin(outside, pool, one, what)) for one, what in asked]
        until = time.monotonic() + outside.settings.sources.look_seconds
        for one, switch, future in begun:
            yield one, future if isinstance(future, Fault) else _result(outside, switch, future, until)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(outside: Outside, pool: ThreadPoolExecutor, one: _Round, asked: _Asked) -> tuple[Switch, Future[list[Seen]] | Fault]:
    system = asked.origins[0].system if asked.origins else one.kit.feed.source.origins[0].system
    switch = Switch(outside, system, one.kit.name)
    try:
        switch.admit()
    except Fault as fault:
        return switch, fault
    return switch, pool.submit(_look, outside, asked, system, one.kit.name)


def _look(outside: Outside, asked: _Asked, system: str, feed: str) -> list[Seen]:
    """Look at all addresses; of periods, those that have no file are passed over."""
    until = time.monotonic() + outside.settings.sources.look_seconds
    found: list[Seen] = []
    for origin in asked.origins:
        if time.monotonic() > until:
            break
        try:
            source = outside.source(origin, asked.match)
            found += outside.faults.around(system, feed, "look", source.look)
        except Fault as fault:
            if fault.code is not Code.SOURCE_MISSING or len(asked.origins) == 1:
                raise
    return found


def _result(outside: Outside, switch: Switch, future: Future[list[Seen]], until: float) -> list[Seen] | Fault:
    try:
        with switch.told():
            return _in_time(outside, switch.system, future, until)
    except Fault as fault:
        return fault
    except ShpError as error:  # a package is missing, or a setting is wrong: one feed never stops the others
        return Fault(Code.SOURCE_REFUSED, f"{error.message} {error.next_step}", Evidence(switch.system, text=error.message))
    except Exception as error:  # noqa: BLE001 - boundary: what nobody named at one source never stops the others
        text = type(error).__name__
        return Fault(Code.CODE_BUG, f"{text} while looking at {switch.system}.", Evidence(switch.system, text=text))


def _in_time(outside: Outside, system: str, future: Future[list[Seen]], until: float) -> list[Seen]:
    try:
        return future.result(timeout=max(0.0, until - time.monotonic()))
    except TimeoutError:  # its own time limits end the thread later
        text = f"no answer in {outside.settings.sources.look_seconds:g} s"
        raise Fault(Code.TRANSIENT, f"{system}: {text}.", Evidence(system, errno=errno.ETIMEDOUT, text=text)) from None
