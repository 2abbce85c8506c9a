"""What a forked worker does: execute one run, or report one that died. It never returns."""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from typing import NoReturn

import dagster as dg
from dagster._cli.api import execute_run_command

FAILED = 70


def execute(args: str) -> NoReturn:
    """Execute a run and end.

    Args:
        args: serialized `ExecuteRunArgs`.
    """
    _begin()
    os.environ |= {"SHP_DB_POOL": "1", "SHP_DB_TABLES": "1"}  # short-lived: it may keep its connections; the run is in its tables
    _end_with(lambda: execute_run_command.callback(args, None))  # type: ignore[misc]


def report_death(run_id: str, why: str) -> NoReturn:
    """Have a run that lost its worker fail at once, and end."""
    _begin()

    def report() -> None:
        with dg.DagsterInstance.get() as instance:
            run = instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                instance.report_run_failed(run, why)

    _end_with(report)


def _begin() -> None:
    """Leave behind what belongs to the server: its session, its signal handlers, its sequence of random numbers."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()


def _end_with(work: object) -> NoReturn:
    """Do it and leave without the server's clean-up: nothing it holds is ours to close."""
    status = 0
    try:
        work()  # type: ignore[operator]
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else FAILED
    except BaseException:  # noqa: BLE001 - the outermost frame of a process: it must end, with its story in the log
        traceback.print_exc()
        status = FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
