"""Attempts whose worker is gone: found by process and by run, closed with a verdict."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.work import Work
from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_resources.ledger import Attempt, Holder, process_alive
from shp_resources.outside import Outside

ATTEMPTS_ON_THE_SAME_BYTES = 2
"""A second death on the same bytes holds the partition: the bytes may be what kills."""

_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def close_lost(instance: dg.DagsterInstance, kits: Mapping[str, FeedKit], outside: Outside) -> list[Attempt]:
    """Give every attempt whose worker is gone a verdict, and end its run; returns them."""
    closed = []
    for attempt in outside.ledger.attempts.under_way():
        run = instance.get_run_by_id(attempt.run_id)
        if attempt.feed not in kits or not _is_gone(attempt, run):
            continue
        _end(kits[attempt.feed], attempt, run, outside)
        if run is not None and run.status not in _ENDED:
            instance.report_run_failed(run, f"The worker (pid {attempt.pid}) is gone.")
        closed.append(attempt)
    return closed


def _is_gone(attempt: Attempt, run: dg.DagsterRun | None) -> bool:
    """Whether nobody works on it any more; of other machines' processes only the run's end is known."""
    if run is not None and run.status in _ENDED:
        return True
    here = attempt.host == Holder.here(attempt.run_id).host
    return here and not process_alive(attempt.pid, attempt.pid_started)


def _end(kit: FeedKit, attempt: Attempt, run: dg.DagsterRun | None, outside: Outside) -> None:
    if run is not None and run.status is dg.DagsterRunStatus.SUCCESS:  # a run of some steps only, asked for by hand
        outside.ledger.attempts.end(attempt.feed, attempt.partition, attempt.run_id, "ended")
        return
    work = Work(kit, attempt.partition, attempt.run_id, attempt.via, publishes=True, outside=outside)
    text = f"lost in step {attempt.step}"
    work.lost(Fault(Code.WORKER_LOST, f"The worker was {text}.", Evidence("worker", text=text)), again=_may_try_again(attempt, outside))


def _may_try_again(attempt: Attempt, outside: Outside) -> bool:
    arrival = outside.ledger.arrivals.get(attempt.arrival)
    if arrival is None or arrival.delivery is None:
        return True
    tried = outside.ledger.attempts.count_on_delivery(attempt.feed, attempt.partition, arrival.delivery)
    return tried < ATTEMPTS_ON_THE_SAME_BYTES
