"""The one wrapper round every asset body: whatever goes wrong becomes a verdict in the ledger and a red partition.

`guarded` is the named boundary of the graph: the one place with a broad `except`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from shp_assets.kit import FeedKit
from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_core.healing.faults import Evidence
from shp_resources.outside import Outside

VIA_TAG = "shp/via"


@contextmanager
def guarded(context: dg.AssetExecutionContext, kit: FeedKit, outside: Outside, step: str) -> Iterator[Work]:
    """Do a step's work on the context's partition, under its lease.

    Raises:
        dg.Failure: whatever went wrong, with code, kind and next step as metadata; Dagster never retries it.
    """
    work = Work(kit, context.partition_key, context.run_id, _via(context.run), _publishes(context.run, kit), outside)
    try:
        with work.step(step):
            yield work
    except ShpError as error:
        raise _failure(context, work, error, getattr(error, "evidence", None)) from error
    except DagsterExecutionInterruptedError as error:
        stopped = Fault(Code.INTERRUPTED, f"{kit.name}/{work.partition} was interrupted.", Evidence("worker", text="interrupted"))
        _tell_ledger(context, work, stopped, stopped.evidence)
        raise error
    except Exception as error:  # boundary: a body must never die without a verdict
        context.log.exception("A step failed in a way that nobody named.")
        bug = Fault(Code.CODE_BUG, f"{type(error).__name__} in step {step} of {kit.name}.", Evidence("worker", text=type(error).__name__))
        raise _failure(context, work, bug, bug.evidence) from error


def _failure(context: dg.AssetExecutionContext, work: Work, error: ShpError, evidence: Evidence | None) -> dg.Failure:
    _tell_ledger(context, work, error, evidence)
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


def _tell_ledger(context: dg.AssetExecutionContext, work: Work, error: ShpError, evidence: Evidence | None) -> None:
    try:
        work.failed(error, evidence, getattr(error, "summary", None))
    except ShpError as silent:  # the ledger is away: Dagster's event log has the verdict
        context.log.warning(f"The ledger was not told of {error.code}: {silent.message}")


def _via(run: dg.DagsterRun) -> str:
    if "dagster/backfill" in run.tags:
        return "backfill"
    return run.tags.get(VIA_TAG, "ui")


def _publishes(run: dg.DagsterRun, kit: FeedKit) -> bool:
    return not run.asset_selection or kit.key("warehouse") in run.asset_selection
