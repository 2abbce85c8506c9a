"""A partition that a person empties: an arrival that brings nothing, which no sink is to hold any row of.

The order is that of every publication: the ledger notes what the sinks are to hold (nothing), the sinks are made to, the
ledger follows. Stopped half-way, the same again ends it. Must not live here: which partitions, and who asked.
"""

from __future__ import annotations

from contextlib import ExitStack

from shp_assets.kit import FeedKit
from shp_core.errors import Fault, UsageError
from shp_core.publishing.dialect import hash_text
from shp_core.states import State
from shp_resources.hdfs.client import Hdfs
from shp_resources.hive import HiveTables, hive_of
from shp_resources.lake.manifests import withdraw
from shp_resources.lake.publish import Partition
from shp_resources.ledger import LAKE, NOTHING, Arrival, Holder, process_alive
from shp_resources.outside import Outside

_WAREHOUSE = "warehouse"


def empty(outside: Outside, kit: FeedKit, partition: str, via: str, words: str) -> None:
    """Let no sink hold anything of a partition, and nobody wait for it; the next arrival fills it again.

    Args:
        outside: the outside systems.
        kit: the feed.
        partition: partition key.
        via: who makes the arrival.
        words: the audit entry.

    Raises:
        Fault: a worker has the partition (`partition_busy`), or a sink failed: the same again ends what was begun.
    """
    ledger, lake = outside.ledger, kit.lake
    with ExitStack() as held:
        holder = Holder.here(f"{via}/{partition}")
        for key in (partition, f"{partition}/{LAKE}"):
            held.enter_context(ledger.leases.held(kit.name, key, holder, alive=process_alive))
        arrival = _intend(outside, kit, partition, via, words)
        fence = (arrival.number, 1)
        outside.warehouse.withdraw(kit.target, partition, fence)
        _confirm(outside, arrival, _WAREHOUSE)
        if lake is not None:
            _leave_lake(outside, kit, Partition(kit.name, lake, partition, NOTHING.delivery, fence))
            _confirm(outside, arrival, LAKE)
            ledger.lake.agreed(kit.name, partition, outside.clock.now())


def _intend(outside: Outside, kit: FeedKit, partition: str, via: str, words: str) -> Arrival:
    ledger, now = outside.ledger, outside.clock.now()
    with ledger.transaction():
        arrival = ledger.arrivals.record(kit.name, partition, None, via)
        ledger.publications.intend(kit.name, partition, _WAREHOUSE, NOTHING, (arrival.number, 1))
        if kit.lake is not None:
            ledger.lake.want(kit.name, partition, NOTHING, (arrival.number, 1), now)
        record = ledger.partitions.get(kit.name, partition)
        assert record is not None, "an arrival always has a partition"
        if record.state is State.RUNNING:  # its worker is dead; what it left is settled first, by who looks for lost runs
            raise UsageError(f"A run of {kit.name}/{partition} is under way, or was lost a moment ago.", "Try again in a minute.")
        ledger.partitions.move(
            kit.name, partition, State.WAIVED, expect_version=record.version, message=words, delivery=None, rows={}, cause=None
        )
        return arrival


def _confirm(outside: Outside, arrival: Arrival, sink: str) -> None:
    """Also for roll-ups, which are made anew without it."""
    key, fence = (arrival.feed, arrival.partition), (arrival.number, 1)
    outside.ledger.publications.confirm(*key, sink, NOTHING, fence, rows=0, hash=hash_text(0), at=outside.clock.now(), again=True)


def _leave_lake(outside: Outside, kit: FeedKit, partition: Partition) -> None:
    for folder in (partition.curated, partition.lake, partition.rejects):
        withdraw(outside.lake, folder)
    server, place = hive_of(outside.settings), outside.lake
    if server is not None and isinstance(place, Hdfs):
        try:
            HiveTables(server, place).leave(kit.contract, partition.key)
        except Fault as fault:
            raise UsageError(
                f"{partition.feed}/{partition.key} is empty, but Hive still shows it: {fault}", "Run the same again."
            ) from fault
