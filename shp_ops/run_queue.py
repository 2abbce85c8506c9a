"""Dagster's run queue, looked at again before each launch: what came just now is never behind more than the one under way.

Dagster decides at one look which runs are launched, up to four, one after the other; a file that came meanwhile would wait for
all of them. Must not live here: what goes before what (`shp_resources.run_coordinator`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dagster._core.instance.config import ConcurrencyConfig
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon


class RunQueue(QueuedRunCoordinatorDaemon):
    """Takes runs from the queue, one at a look."""

    def _dequeue_runs_iter_loop(
        self,
        workspace_process_context: IWorkspaceProcessContext[Any],
        runs_to_dequeue: list[DagsterRun],
        concurrency_config: ConcurrencyConfig,
        fixed_iteration_time: float | None,
    ) -> Iterator[None]:
        """Launch as many runs as there were places at the first look."""
        found = runs_to_dequeue
        for place in range(len(runs_to_dequeue)):
            if place:
                found = self._get_runs_to_dequeue(workspace_process_context.instance, concurrency_config, fixed_iteration_time)
            yield from super()._dequeue_runs_iter_loop(workspace_process_context, found[:1], concurrency_config, fixed_iteration_time)
