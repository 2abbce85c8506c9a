"""What a forked worker does: execute one run, or end a run whose worker died. It never returns."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import dagster as dg
from dagster._cli.api import execute_run_command
from dagster._core.execution import context_creation_job

from shp_resources.logs import kept_descriptors
from shp_resources.workers import Workers

FAILED = 70
_log = logging.getLogger("shp.forkserver")


def execute(args: str, gate: int) -> NoReturn:
    """Execute a run once the gate opens, and end.

    Args:
        args: serialized `ExecuteRunArgs`.
        gate: a pipe; something to read means that this worker is noted, its end that nobody will ever know of it.
    """

    def work() -> None:
        _begin(gate)
        if os.read(gate, 1):
            os.close(gate)
            os.environ |= {"SHP_DB_POOL": "1", "SHP_DB_TABLES": "1"}  # short-lived: keeps its connections; the run is in its tables
            context_creation_job.default_system_loggers = _warnings_only  # type: ignore[attr-defined]
            execute_run_command.callback(args, None)  # type: ignore[misc]

    _end_with(work)


def end_run(run_id: str, why: str, workers: Workers) -> NoReturn:
    """Have a run that lost its worker end at once, forget the worker, and end.

    Args:
        run_id: the run.
        why: what became of the worker.
        workers: where it is noted; when the database cannot be told, the note stays and this is tried again.
    """

    def work() -> None:
        _begin()
        with dg.DagsterInstance.get() as instance:
            run = instance.get_run_by_id(run_id)
            if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, why)
            elif run is not None and not run.is_finished:
                instance.report_run_failed(run, why)
        workers.forget(run_id)

    _end_with(work)


def _begin(*kept: int) -> None:
    """Leave behind what belongs to the server: its session, its signals, its open files, its sequence of random numbers."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor in _open_files() - {*kept, *kept_descriptors()}:
        os.close(descriptor)
    random.seed()


def _open_files() -> set[int]:
    """All open files but the three standard ones."""
    with os.scandir("/proc/self/fd") as found:
        listed = {int(entry.name) for entry in found}
    return {number for number in listed if number > 2 and _is_open(number)}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:  # the one through which the list was read
        return False
    return True


def _warnings_only(instance: dg.DagsterInstance | None) -> list[tuple[dg.LoggerDefinition, dict[str, str]]]:
    """The console logger of runs that name none; every event is in the event log, twice is once too often."""
    return [(dg.colored_console_logger, {"name": "dagster", "log_level": "WARNING"})]


def _end_with(work: Callable[[], object]) -> NoReturn:
    """Do it and leave without the server's clean-up: nothing it holds is ours to close."""
    status = 0
    try:
        work()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else FAILED
    except BaseException:  # noqa: BLE001 - the outermost frame of a process: it must end, with its story in the log
        _log.exception("the worker fails")
        status = FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
