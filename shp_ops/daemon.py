"""Dagster's daemon as it is, but for the run queue, and that backfills are looked at every five seconds: `python -m shp_ops.daemon run …`.

Dagster looks every half minute, and needs one look to start a backfill's runs and another to see that they have ended:
whoever launched one in the UI would wait a minute for what takes seconds. There is no setting for it. And it does not log that
a sensor is looked at and asks for nothing: two lines a second, which the UI shows as ticks.
"""

from __future__ import annotations

import logging

from dagster._daemon import controller
from dagster._daemon.cli import main

from shp_ops.run_queue import RunQueue

BACKFILL_SECONDS = 5
_LOOKS = "Checking for new runs for sensor"
_ASKS_NOTHING = "skipped: "


def run() -> None:
    """Run the daemon's command line."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS
    controller.QueuedRunCoordinatorDaemon = RunQueue  # type: ignore[attr-defined]  # no setting for it either
    logging.getLogger("dagster.daemon.SensorDaemon").addFilter(tells_something)
    main()


def tells_something(record: logging.LogRecord) -> bool:
    """Whether a line of the sensor daemon is more than that a sensor was looked at and asked for nothing."""
    said = record.getMessage()
    return not said.startswith(_LOOKS) and _ASKS_NOTHING not in said


if __name__ == "__main__":
    run()
