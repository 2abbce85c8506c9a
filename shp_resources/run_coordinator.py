"""The run queue named in `dagster.yaml`: Dagster's own, looked at twice a second.

A run takes half a second, so a queue that is looked at every second leaves its two places empty half of the time.
Dagster's configuration knows whole seconds only, and its loop sleeps in steps of half a second.
"""

from __future__ import annotations

from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator

DEQUEUE_SECONDS = 0.5


class ShpRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; its other options mean what they mean there."""

    @property
    def dequeue_interval_seconds(self) -> float:  # type: ignore[override]
        """Seconds between two looks at the queue."""
        return DEQUEUE_SECONDS
