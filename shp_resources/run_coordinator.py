"""The run queue named in `dagster.yaml`: Dagster's own, looked at twice a second; and what in it may wait for live data.

A run takes half a second, so a queue that is looked at every second leaves its two places empty half of the time.
Dagster's configuration knows whole seconds only, and its loop sleeps in steps of half a second.
"""

from __future__ import annotations

from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.storage.tags import BACKFILL_ID_TAG, PRIORITY_TAG

DEQUEUE_SECONDS = 0.5

QUEUE_TAG = "shp/queue"
"""Carried by runs that live data goes before; `dagster.yaml` keeps one place free of them."""

AFTER_LIVE = {PRIORITY_TAG: "-1", QUEUE_TAG: "after_live"}
"""Of runs that wait for those of files that came just now: history, re-drives, the lake."""

BELOW_LIVE = {PRIORITY_TAG: "-2", QUEUE_TAG: "after_live"}
"""Of backfills, which wait for these too."""

WAITING_AT_ONCE = 3
"""How many of them run at once, as `dagster.yaml` says."""


class ShpRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; its other options mean what they mean there."""

    @property
    def dequeue_interval_seconds(self) -> float:  # type: ignore[override]
        """Seconds between two looks at the queue."""
        return DEQUEUE_SECONDS

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Put a run into the queue; one of a backfill that a person launched takes the way of our own."""
        run = context.dagster_run
        if BACKFILL_ID_TAG in run.tags and PRIORITY_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, BELOW_LIVE)
        return super().submit_run(context)
