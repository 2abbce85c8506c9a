"""One file's way: seen, copied, and run through the graph in this process unless the sinks hold it already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import dagster as dg
import psutil
from dagster._core.errors import DagsterExecutionInterruptedError

from shp_assets.arrive import Arrived, arrive
from shp_assets.calls import Asked, call
from shp_assets.guard import VIA_TAG
from shp_assets.kit import FeedKit
from shp_assets.lake_work import LakeWork
from shp_assets.steps import SINK
from shp_assets.work import INGEST, Work
from shp_core.codes import Code
from shp_core.errors import Fault, ShpError, UsageError
from shp_core.feeds.origin import Origin
from shp_core.healing.decide import READER_ENDS
from shp_core.healing.faults import Evidence
from shp_core.states import State
from shp_ops.ingest.before import has_worker, is_done, is_worked_at
from shp_ops.ingest.files import File, Remote, plainly
from shp_ops.ingest.results import FileResult, from_record
from shp_ops.ingest.stopping import undisturbed
from shp_resources.landing import Seen, printable, sight
from shp_resources.ledger import Arrival, PartitionRecord, process_alive
from shp_resources.outside import Outside

W = TypeVar("W", bound=Work)

BUSY_SECONDS = 300.0
"""How long to wait for another worker that has the partition: a platform's run takes seconds, a big file minutes."""

_PAUSE_SECONDS = 0.2
_QUIET_LOGS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True)
class Ingestion:
    """Takes files of one feed through the graph.

    Args:
        kit: the feed.
        definitions: the feed's assets, made with the same outside systems.
        outside: the outside systems.
        instance: where Dagster keeps runs and events.
        busy_seconds: how long to wait for another worker that has a file's partition.
    """

    kit: FeedKit
    definitions: dg.Definitions
    outside: Outside
    instance: dg.DagsterInstance
    busy_seconds: float = BUSY_SECONDS

    @cached_property
    def _job(self) -> dg.JobDefinition:
        return self._whole.get_subset(asset_selection=set(self.kit.keys))

    @cached_property
    def _lake_job(self) -> dg.JobDefinition:
        return self._whole.get_subset(asset_selection=set(self.kit.lake_keys), asset_check_selection={self.kit.agreement})

    @cached_property
    def _whole(self) -> dg.JobDefinition:
        return self.definitions.get_repository_def().get_implicit_global_asset_job_def()

    def load(self, path: File) -> FileResult:
        """Deliver one file and bring it into the warehouse; whatever is wrong with it is told in the result.

        What lies elsewhere is fetched by the run.

        Raises:
            KeyboardInterrupt: this process was told to stop; the partition waits as `arrived`, its lease is free.
        """
        began = time.monotonic()
        try:
            with _interrupted():
                return self._load(path, began)
        except ShpError as error:
            shown = printable(str(path))
            return FileResult(shown, code=str(error.code), message=error.message, seconds=time.monotonic() - began)

    def follow(self, loaded: FileResult) -> FileResult:
        """Let the lake follow with a file that was loaded, also where the warehouse is away; the result with what came of that.

        Raises:
            KeyboardInterrupt: this process was told to stop.
        """
        if self.kit.lake is None or not loaded.waits_for_the_lake or loaded.partition is None:
            return loaded
        began = time.monotonic()
        try:
            with _interrupted():
                failure = self._unless_busy(loaded.partition, LakeWork, self._follow)
                record = self._standing(self.kit.name, loaded.partition)
        except ShpError as error:
            return replace(loaded, code=str(error.code), message=error.message)
        seconds = loaded.seconds + time.monotonic() - began
        return from_record(loaded.path, record, loaded.delivery, changed=loaded.changed, seconds=seconds, failure=failure)

    def _load(self, path: File, began: float) -> FileResult:
        seen = sight(plainly(path)) if isinstance(path, Path) else self._look(path)
        return self._deal(arrive(self.outside.ledger, self.kit, seen, INGEST), printable(str(path)), began)

    def _look(self, file: Remote) -> Seen:
        """A file elsewhere as it lies there; a place that is away is told as one, and asked with the platform's patience."""
        origin = Origin(file.uri)
        source = self.outside.source(origin)
        seen = call(self.outside, origin.system, self.kit.name, source.look, "look", Asked.COMMAND)[0]
        if not seen.regular:
            raise UsageError(f"{file.name} is a folder.", "Write a `/` at the end of its address.")
        return seen

    def redo(self, arrival: Arrival) -> FileResult:
        """Process an arrival that a person made, of bytes that are kept.

        Raises:
            KeyboardInterrupt: this process was told to stop.
        """
        with _interrupted():
            return self.follow(self._deal(Arrived(arrival), f"{arrival.feed}/{arrival.partition}", time.monotonic()))

    def _deal(self, arrived: Arrived, shown: str, began: float) -> FileResult:
        key = (self.kit.name, arrived.arrival.partition)
        before = self._number(*key)
        failure = self._process(arrived) if arrived.refusal is None else None
        record = self._standing(*key)
        arrival = self.outside.ledger.arrivals.get(arrived.arrival.number)
        return from_record(
            shown,
            record,
            arrival.delivery if arrival else None,
            changed=self._number(*key) != before,
            seconds=time.monotonic() - began,
            failure=failure,
        )

    def _standing(self, feed: str, partition: str) -> PartitionRecord:
        """Where a partition stands; where another worker took it up meanwhile, once that one is through."""
        record, until = self._record(feed, partition), time.monotonic() + self.busy_seconds
        while record.state is State.RUNNING and time.monotonic() < until:
            going_on = is_worked_at(self.outside.ledger, feed, partition)
            record = self._record(feed, partition)
            if not going_on:
                break
            time.sleep(_PAUSE_SECONDS)
        return record

    def _record(self, feed: str, partition: str) -> PartitionRecord:
        record = self.outside.ledger.partitions.get(feed, partition)
        assert record is not None, "an arrival always has a partition"
        return record

    def _process(self, arrived: Arrived) -> ShpError | None:
        """Start a run, unless there is nothing to do: an unchanged file writes no row.

        Returns:
            What kept the run from giving the partition a verdict (another worker), if anything did.
        """
        return self._unless_busy(arrived.arrival.partition, Work, self._do)

    def _unless_busy(self, partition: str, make: type[W], do: Callable[[W], ShpError | None]) -> ShpError | None:
        """Do one way's work; when another worker is at it, after that one."""
        until = time.monotonic() + self.busy_seconds
        while True:
            work = make(self.kit, partition, str(uuid4()), INGEST, publishes=True, outside=self.outside)
            while has_worker(work) and time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)  # it is probably publishing this very file
            try:
                failure = do(work)
            finally:
                with undisturbed():
                    self._give_back(work)
            again = failure is not None and (_is_in_other_hands(work, failure) or self._is_given_back(work, failure))
            if not again or time.monotonic() > until:
                return failure

    def _is_given_back(self, work: Work, failure: ShpError) -> bool:
        """Whether the verdict is to try at once again: the reading process was ended, which the machine may be to blame for."""
        record = self.outside.ledger.partitions.get(*work.key)
        return failure.code in READER_ENDS and record is not None and record.state is State.ARRIVED

    def _do(self, work: Work) -> ShpError | None:
        try:
            with self.outside.ledger.leases.held(*work.lease, work.holder, alive=process_alive):
                if is_done(work):
                    return None
        except Fault as fault:
            if fault.code is not Code.PARTITION_BUSY:
                raise
            return fault
        return self._run(work, self._job)

    def _follow(self, work: LakeWork) -> ShpError | None:
        """Let the lake follow, if it is to hold what it does not."""
        known = self.outside.ledger.lake.get(*work.key)
        return None if known is None or known.complete else self._run(work, self._lake_job)

    def _run(self, work: Work, job: dg.JobDefinition) -> ShpError | None:
        if self.kit.feed.partition.by == "file":
            self.instance.add_dynamic_partitions(self.kit.dynamic_name, [work.partition])
        result = job.execute_in_process(
            instance=self.instance,
            partition_key=work.partition,
            run_id=work.run_id,
            run_config=_QUIET_LOGS,
            raise_on_error=False,
            tags=self._tags(work),
        )
        return _failure(result)

    def _tags(self, work: Work) -> dict[str, str]:
        process = psutil.Process()
        return {
            VIA_TAG: INGEST,
            "shp/feed": self.kit.name,
            "shp/arrival": str(work.arrival.number),
            "shp/pid": str(process.pid),
            "shp/pid_started": f"{process.create_time():.2f}",
        }

    def _give_back(self, work: Work) -> None:
        """Whatever an interruption left open is told now (Dagster swallows one between two steps), so that nothing looks alive."""
        ledger = self.outside.ledger
        if work.run_id in {attempt.run_id for attempt in ledger.attempts.under_way(self.kit.name)}:
            stopped = Fault(Code.INTERRUPTED, f"{self.kit.name}/{work.partition} was interrupted.", Evidence("worker", text="interrupted"))
            work.failed(stopped, stopped.evidence)
        ledger.leases.release(*work.lease, work.holder)
        run = self.instance.get_run_by_id(work.run_id)
        if run is not None and run.status not in _ENDED:
            self.instance.report_run_canceled(run, message="Interrupted.")

    def _number(self, feed: str, partition: str) -> int | None:
        """Number of the publication the warehouse holds of a partition."""
        record = self.outside.ledger.publications.sinks(feed, partition).get(SINK)
        return record.number if record else None


@contextmanager
def _interrupted() -> Iterator[None]:
    """Dagster's word for an interruption, as Python's."""
    try:
        yield
    except DagsterExecutionInterruptedError as error:
        raise KeyboardInterrupt from error


def _is_in_other_hands(work: Work, failure: ShpError) -> bool:
    """Whether a run gave way to a worker whose work is this file's, too: then its end is to be waited for."""
    if failure.code is not Code.SUPERSEDED:
        return failure.code is Code.PARTITION_BUSY
    arrivals = work.outside.ledger.arrivals
    ours, newest = arrivals.get(work.arrival.number), arrivals.current(*work.key)
    return ours is not None and newest is not None and ours.delivery == newest.delivery


def _failure(result: dg.ExecuteInProcessResult) -> ShpError | None:
    """The fault or refusal that ended a run, as the guard told Dagster."""
    for event in result.all_events:
        told = event.step_failure_data.user_failure_data if event.is_step_failure else None
        if told is not None and "shp/code" in told.metadata:
            return ShpError(Code(str(told.metadata["shp/code"].value)), str(told.metadata["shp/message"].value))
    return None
