"""Workers that are gone without a word: found by process and by run, closed with a verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping

import dagster as dg
import psutil
from dagster._core.launcher.base import WorkerStatus

from shp_assets.guard import VIA_TAG, interruption, publishes, work_of
from shp_assets.kit import FeedKit
from shp_assets.work import INGEST
from shp_core.codes import Code
from shp_core.errors import Fault, ShpError
from shp_core.healing.faults import Evidence
from shp_resources.ledger import Attempt, process_alive
from shp_resources.outside import Outside
from shp_resources.spool import Spooled

PATIENCE_SECONDS = 60.0
"""How long a run may be started before it has begun to work; its process may be on another machine."""

START_SECONDS = 25.0
"""How long a launched run may have no worker: the fork server forks within seconds, also on a busy machine."""

_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def close_lost(instance: dg.DagsterInstance, kits: Mapping[str, FeedKit], outside: Outside) -> list[Attempt]:
    """Give every attempt whose worker is gone a verdict, and end its run; returns them."""
    _enter_spooled(kits, outside)
    closed = []
    for attempt in outside.ledger.attempts.under_way():
        run = instance.get_run_by_id(attempt.run_id)
        if attempt.feed not in kits or not _is_gone(attempt, run):
            continue
        _end(instance, kits[attempt.feed], attempt, run, outside)
        if run is not None and run.status not in _ENDED:
            instance.report_run_failed(run, f"The worker (pid {attempt.pid}) is gone.")
        closed.append(attempt)
    _end_runs_that_never_began(instance, outside)
    _end_runs_that_were_lost_at_their_start(instance)
    return closed


def _enter_spooled(kits: Mapping[str, FeedKit], outside: Outside) -> None:
    """Tell the ledger what it could not be told while it was away."""
    for kept in outside.spool.all():
        if kept.feed in kits:
            told = (kept.partition, kept.run_id, kept.via, kept.way, kept.publishes)
            work = work_of(kits[kept.feed], *told, outside)
            work.failed(*_told_by(kept))
            outside.spool.forget(kept)


def _told_by(kept: Spooled) -> tuple[ShpError, Evidence | None]:
    """The failure that a kept verdict tells of; what another version of the platform named is a bug to this one."""
    try:
        return ShpError(Code(kept.code), kept.message), Evidence(**kept.evidence) if kept.evidence else None
    except (TypeError, ValueError):
        return ShpError(Code.CODE_BUG, kept.message), None


def _is_gone(attempt: Attempt, run: dg.DagsterRun | None) -> bool:
    """Whether nobody works on it any more; of other machines' processes only the run's end is known."""
    if run is not None and run.status in _ENDED:
        return True
    return not attempt.may_live


def _end(instance: dg.DagsterInstance, kit: FeedKit, attempt: Attempt, run: dg.DagsterRun | None, outside: Outside) -> None:
    if run is not None and run.status is dg.DagsterRunStatus.SUCCESS:  # a run of some steps only, asked for by hand
        outside.ledger.attempts.end(attempt.feed, attempt.partition, attempt.run_id, "ended", way=attempt.way)
        return
    publishing = run is None or publishes(run, kit, attempt.way)
    work = work_of(kit, attempt.partition, attempt.run_id, attempt.via, attempt.way, publishing, outside)
    stopped = interruption(instance, work)
    if stopped.code is Code.TERMINATED or _did_not_die_alone(attempt):
        work.failed(stopped, stopped.evidence)
        return
    text = f"lost in step {attempt.step}"
    fault = Fault(Code.WORKER_LOST, f"The worker was {text}.", Evidence("worker", text=text))
    work.lost(fault, deaths=_deaths_before(attempt, outside))


def _did_not_die_alone(attempt: Attempt) -> bool:
    """Whether the worker may have been stopped with all else (reboot, `shp down`, `shp ingest` killed).

    Whoever was started after the worker has not seen how it ended; whoever was there before knows that it alone died.
    """
    return psutil.Process().create_time() > attempt.pid_started


def _deaths_before(attempt: Attempt, outside: Outside) -> int:
    """How many workers were lost in the same step on the same bytes."""
    earlier = outside.ledger.attempts.of_partition(attempt.feed, attempt.partition)
    lost = [other for other in earlier if other.code == Code.WORKER_LOST and other.step == attempt.step]
    bytes_ = _bytes_of(attempt, outside)
    return sum(_bytes_of(other, outside) == bytes_ for other in lost)


def _bytes_of(attempt: Attempt, outside: Outside) -> str | int:
    """The delivery that an attempt worked on, or its arrival when it did not come so far."""
    arrival = outside.ledger.arrivals.get(attempt.arrival)
    return arrival.delivery if arrival and arrival.delivery else attempt.arrival


def _end_runs_that_were_lost_at_their_start(instance: dg.DagsterInstance) -> None:
    """End launched runs whose worker died before it could say that it began: run monitoring alone waits for three minutes."""
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])):
        if time.time() - record.update_timestamp.timestamp() < START_SECONDS:
            continue
        found = instance.run_launcher.check_run_worker_health(record.dagster_run)
        if found.status in (WorkerStatus.FAILED, WorkerStatus.NOT_FOUND):
            instance.report_run_failed(record.dagster_run, found.msg or "Its worker is gone.")


def _end_runs_that_never_began(instance: dg.DagsterInstance, outside: Outside) -> None:
    """End runs of `shp ingest` whose process died before its first step: the ledger does not know them."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING], tags={VIA_TAG: INGEST})
    known = {attempt.run_id for attempt in outside.ledger.attempts.under_way()}
    for record in instance.get_run_records(started):
        run, pid = record.dagster_run, record.dagster_run.tags.get("shp/pid", "")
        if run.run_id in known or time.time() - record.create_timestamp.timestamp() < PATIENCE_SECONDS or not pid.isdecimal():
            continue
        if not process_alive(int(pid), float(run.tags.get("shp/pid_started", "0"))):
            instance.report_run_failed(run, f"The worker (pid {pid}) is gone.")
