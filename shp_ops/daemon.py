"""Dagster's daemon as it is, but for the run queue, and that backfills are looked at every five seconds: `python -m shp_ops.daemon run …`.

Dagster looks every half minute, and needs one look to start a backfill's runs and another to see that they have ended:
whoever launched one in the UI would wait a minute for what takes seconds. There is no setting for it.
"""

from __future__ import annotations

from dagster._daemon import controller
from dagster._daemon.cli import main

from shp_ops.run_queue import RunQueue

BACKFILL_SECONDS = 5


def run() -> None:
    """Run the daemon's command line."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS
    controller.QueuedRunCoordinatorDaemon = RunQueue  # type: ignore[attr-defined]  # no setting for it either
    main()


if __name__ == "__main__":
    run()
