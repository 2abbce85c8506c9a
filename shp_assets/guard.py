"""The nets round the graph: whatever goes wrong becomes a verdict in the ledger and a red partition.

    guarded      round every body of a feed's asset; the one place with a broad `except`
    caught       a hook on the same assets: what fails in a step but outside its body
    told         round a mart's body, which has no partition and no verdict

What dies outside any step is found by `lost`. What is told of an exception that nobody named is its type and the
lines it came through, never its message: foreign messages quote cells.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from shp_assets.dropped import take_up_dropped
from shp_assets.kit import LAKE_LAYERS, SINKS_AGREE, FeedKit
from shp_assets.lake_work import LakeWork
from shp_assets.logged import log_path
from shp_assets.work import BY_HAND, INGEST, Work
from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.database import fault_behind
from shp_resources.ledger import ELT, ETL
from shp_resources.logs import path_of
from shp_resources.outside import Outside
from shp_resources.rehearsed import LAYERS
from shp_resources.spool import Spooled

VIA_TAG = "shp/via"
HISTORY_TAG = "shp/history"
"""Carried by runs that catch up with what had lain there."""

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext
_STOPPED_BY_PERSON = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


@contextmanager
def guarded(context: dg.AssetExecutionContext, kit: FeedKit, outside: Outside, step: str) -> Iterator[Work]:
    """Do a step's work on the context's partition, under its lease.

    Raises:
        dg.Failure: whatever went wrong, with code, kind and next step as metadata; Dagster never retries it.
    """
    last = _last_step(context.job_def, kit)
    work = Work(kit, context.partition_key, context.run.run_id, _via(context.run), last == "warehouse", outside)
    with _noted(context, work, step):
        if step == "raw" and VIA_TAG not in context.run.tags:
            take_up_dropped(work)
        with _rehearsed(work, step):
            yield work
            if step == last and not work.publishes:
                work.ended()


@contextmanager
def guarded_lake(context: Context, kit: FeedKit, outside: Outside, step: str) -> Iterator[LakeWork]:
    """Do a step's work on the way into the lake, under that way's own lease.

    Raises:
        dg.Failure: whatever went wrong, with code, kind and next step as metadata; Dagster never retries it.
    """
    last = _last_lake_step(context.job_def, kit)
    work = LakeWork(kit, context.partition_key, context.run.run_id, _via(context.run), last != "lake", outside)
    with _noted(context, work, step), _rehearsed(work, step):
        yield work
        if step == last:
            work.ended()


@contextmanager
def _rehearsed(work: Work, step: str) -> Iterator[None]:
    """The step, or what is rehearsed for it; the asset of a sink is hit by that system's calls."""
    with work.step(step):
        if step in LAYERS:
            work.outside.faults.around(step, work.kit.name, work.place, lambda: None)
        yield


@contextmanager
def _noted(context: Context, work: Work, step: str) -> Iterator[None]:
    """Whatever ends the body is told the ledger, an interruption too."""
    try:
        with told(context, f"step {step} of {work.kit.name}", work):
            yield
    except DagsterExecutionInterruptedError:
        stopped = interruption(context.instance, work)
        _tell_ledger(context, work, stopped)
        raise


@contextmanager
def told(context: Context, place: str, work: Work | None = None) -> Iterator[None]:
    """Turn whatever goes wrong into a failure that says what it is and what can be done.

    Args:
        context: of the asset.
        place: where this is, for people.
        work: whose partition is held for it; None where there is none.

    Raises:
        dg.Failure: with code, kind and next step as metadata; Dagster never retries it.
    """
    try:
        yield
    except ShpError as error:
        _tell_ledger(context, work, error)
        raise _failure(error) from error
    except Exception as error:  # noqa: BLE001 - boundary: a body must never die without a verdict
        fault = _storage_fault(error, place) or _out_of_memory(error, place)
        if fault is None:
            path = path_of(error)
            context.log.error("Something that nobody named went wrong in %s:\n%s", place, path)
            log_path(work, place, path)
            fault = unnamed(error, place)
        _tell_ledger(context, work, fault)
        raise _failure(fault) from None  # its message may quote a cell


def caught(kit: FeedKit, way: str = ETL) -> dg.HookDefinition:
    """The hook that gives a verdict where a step failed outside its body: a type check, a blocking check.

    Args:
        kit: the feed.
        way: which of a partition's two runs the step belongs to.
    """

    @dg.failure_hook(name=f"caught_{way}_{kit.name}", required_resource_keys={"outside"})
    def hook(context: dg.HookContext) -> None:
        run = context.instance.get_run_by_id(context.run_id)
        partition = run.tags.get("dagster/partition") if run else None
        if run is None or partition is None:
            return
        work = work_of(kit, partition, run.run_id, _via(run), way, publishes(run, kit, way), context.resources.outside)
        error, place = context.op_exception or RuntimeError(), f"step {context.op.name}, outside its body"
        _tell_ledger(context, work, _storage_fault(error, place) or _out_of_memory(error, place) or unnamed(error, place))

    return hook


def interruption(instance: dg.DagsterInstance, work: Work) -> Fault:
    """What an interrupted run is told as: terminated by a person, who must ask for it again, or stopped with the platform.

    Args:
        instance: which knows whether somebody asked for the end (a Ctrl-C of `shp ingest` is no such wish).
        work: the run's work.
    """
    run = instance.get_run_by_id(work.run_id)
    place = f"{work.kit.name}/{work.partition}"
    if run is not None and run.status in _STOPPED_BY_PERSON and work.via != INGEST:
        return Fault(Code.TERMINATED, f"The run of {place} was terminated by a person.", Evidence("worker", text="terminated"))
    return Fault(Code.INTERRUPTED, f"{place} was interrupted.", Evidence("worker", text="interrupted"))


def _storage_fault(error: BaseException, place: str) -> Fault | None:
    """The fault of the database in which Dagster keeps its events, if that is what went wrong; it is the ledger's."""
    fault = fault_behind(error, "ledger")
    return Fault(fault.code, f"{fault.message} (Dagster's record, in {place}).", fault.evidence) if fault else None


def _out_of_memory(error: BaseException, place: str) -> Fault | None:
    """The fault of a machine that has no memory left for a worker; what else ran then is gone by the next run."""
    if not isinstance(error, MemoryError):
        return None
    evidence = Evidence("worker", errno=errno.ENOMEM, text=type(error).__name__)
    return Fault(classify(evidence), f"The worker had too little memory in {place}.", evidence)


def unnamed(error: BaseException, place: str) -> Fault:
    """The fault that stands for an exception nobody named; only our own exceptions' words are repeated."""
    name = type(error).__name__
    words = f"{name}: {error}" if type(error).__module__.startswith("shp_") else name
    return Fault(Code.CODE_BUG, f"{words[:300]} in {place}.", Evidence("worker", text=name))


def publishes(run: dg.DagsterRun, kit: FeedKit, way: str = ETL) -> bool:
    """Whether a run is to reach the sink of a way; of a run in some process of its own, which names no assets, it is assumed."""
    if way == ELT and kit.agreement in (run.asset_check_selection or ()):
        return True
    return not run.asset_selection or kit.key("warehouse" if way == ETL else "curated") in run.asset_selection


def work_of(kit: FeedKit, partition: str, run_id: str, via: str, way: str, publishes: bool, outside: Outside) -> Work:
    """A run's work on a partition, of either way."""
    return (LakeWork if way == ELT else Work)(kit, partition, run_id, via, publishes, outside)


def _last_step(job: dg.JobDefinition, kit: FeedKit) -> str:
    """The step with which a run's work on a feed ends."""
    layers = {key.path[0] for key in job.asset_layer.selected_asset_keys if key in kit.keys}
    if "warehouse" in layers:
        return "warehouse"
    return "validated" if layers & {"text", "validated", "quarantine"} else "raw"


def _last_lake_step(job: dg.JobDefinition, kit: FeedKit) -> str:
    """The step with which a run's work on the lake ends."""
    if any(kit.agreement in found.assets_def.asset_and_check_keys for found in job.asset_layer.data):
        return SINKS_AGREE
    layers = {key.path[0] for key in job.asset_layer.selected_asset_keys if key in kit.lake_keys}
    return max(layers, key=LAKE_LAYERS.index, default="lake")


def _failure(error: ShpError) -> dg.Failure:
    evidence: Evidence | None = getattr(error, "evidence", None)
    return dg.Failure(
        description=f"{error.code}: {error.message}",
        metadata={
            "shp/code": str(error.code),
            "shp/kind": str(error.kind),
            "shp/message": error.message,
            "shp/next": error.next_step,
            "shp/evidence": dg.JsonMetadataValue(evidence.as_dict() if evidence else {}),
        },
        allow_retries=False,
    )


def _tell_ledger(context: Context | dg.HookContext, work: Work | None, error: ShpError) -> None:
    if work is None:
        return
    try:
        work.failed(error, getattr(error, "evidence", None), getattr(error, "summary", None))
    except ShpError as silent:  # the ledger is away: the verdict is kept until it is back
        _spool(work, error)
        context.log.warning(f"The ledger was not told of {error.code}: {silent.message}")


def _spool(work: Work, error: ShpError) -> None:
    evidence: Evidence | None = getattr(error, "evidence", None)
    seen = evidence.as_dict() if evidence else {}
    with suppress(OSError):  # Dagster's event log has the verdict, and `lost_runs` gives the partition back
        work.outside.spool.keep(Spooled(*work.key, work.run_id, work.via, work.publishes, str(error.code), error.message, seen, work.way))


def _via(run: dg.DagsterRun) -> str:
    if "dagster/backfill" in run.tags:
        return "backfill"
    return run.tags.get(VIA_TAG, BY_HAND)
