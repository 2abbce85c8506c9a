"""One file's way: seen, copied, and run through the graph in this process unless the sinks hold it already."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import dagster as dg
import psutil

from shp_assets.arrive import Arrived, arrive
from shp_assets.guard import VIA_TAG
from shp_assets.kit import FeedKit
from shp_assets.steps import SINK, keep_bytes
from shp_assets.work import Work
from shp_core.contract.contract import CONVERTER_VERSION
from shp_core.errors import ShpError
from shp_core.states import State
from shp_ops.ingest.results import FileResult, from_record
from shp_resources.landing import printable, sight
from shp_resources.ledger import Publication
from shp_resources.outside import Outside

_QUIET_LOGS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Ingestion:
    """Takes files of one feed through the graph.

    Args:
        kit: the feed.
        definitions: the code location, made with the same outside systems.
        outside: the outside systems.
    """

    kit: FeedKit
    definitions: dg.Definitions
    outside: Outside

    @cached_property
    def _job(self) -> dg.JobDefinition:
        whole = self.definitions.get_repository_def().get_implicit_global_asset_job_def()
        return whole.get_subset(asset_selection=set(self.kit.keys))

    @cached_property
    def _instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.get()

    def take(self, path: Path) -> FileResult:
        """Deliver one file and process it; whatever is wrong with it is told in the result."""
        began = time.monotonic()
        try:
            return self._take(path, began)
        except ShpError as error:
            shown = printable(str(path))
            return FileResult(shown, code=str(error.code), message=error.message, seconds=time.monotonic() - began)

    def _take(self, path: Path, began: float) -> FileResult:
        arrived = arrive(self.outside.ledger, self.kit, sight(path), "ingest")
        key = (self.kit.name, arrived.arrival.partition)
        before = self._held(*key)
        if arrived.refusal is None:
            self._process(arrived)
        record = self.outside.ledger.partitions.get(*key)
        assert record is not None, "an arrival always has a partition"
        arrival = self.outside.ledger.arrivals.get(arrived.arrival.number)
        delivery = arrival.delivery if arrival else None
        seconds = time.monotonic() - began
        return from_record(printable(str(path)), record, delivery, changed=self._held(*key) != before, seconds=seconds)

    def _process(self, arrived: Arrived) -> None:
        """Start a run, unless the very same publication is held by the sink: an unchanged file writes no row."""
        run_id = str(uuid4())
        work = Work(self.kit, arrived.arrival.partition, run_id, "ingest", publishes=True, outside=self.outside)
        if self._is_held(work):
            self._settle(work)
        else:
            self._run(work)

    def _is_held(self, work: Work) -> bool:
        try:
            kept = keep_bytes(work)
        except ShpError:
            return False  # the run will say so, in its own words
        record = self.outside.ledger.publications.sinks(*work.key).get(SINK)
        wanted = Publication(kept.delivery, self.kit.contract.version, CONVERTER_VERSION)
        return record is not None and record.held == wanted == record.intended

    def _settle(self, work: Work) -> None:
        """The bytes are the same: the new arrival changes nothing but the state."""
        record = self.outside.ledger.partitions.get(*work.key)
        if record is not None and record.state is State.ARRIVED:
            state = State.PUBLISHED_WITH_REJECTS if record.rows.get("rejected") else State.PUBLISHED
            self.outside.ledger.partitions.move(*work.key, state, expect_version=record.version)

    def _run(self, work: Work) -> None:
        if self.kit.feed.partition.by == "file":
            self._instance.add_dynamic_partitions(self.kit.dynamic_name, [work.partition])
        process = psutil.Process()
        self._job.execute_in_process(
            instance=self._instance,
            partition_key=work.partition,
            run_id=work.run_id,
            run_config=_QUIET_LOGS,
            raise_on_error=False,
            tags={
                VIA_TAG: "ingest",
                "shp/feed": self.kit.name,
                "shp/arrival": str(work.arrival.number),
                "shp/pid": str(process.pid),
                "shp/pid_started": f"{process.create_time():.2f}",
            },
        )

    def _held(self, feed: str, partition: str) -> int | None:
        """Number of the publication the warehouse holds of a partition."""
        record = self.outside.ledger.publications.sinks(feed, partition).get(SINK)
        return record.number if record else None
