"""Is the process that works for a run still there? What run monitoring asks the launcher of each started run.

A wrong "no" ends a run that works, so whatever is not known to be gone counts as there; `lost_runs` looks at the ledger.
"""

from __future__ import annotations

import json

import grpc
import psutil
from dagster import DagsterEventType, DagsterInstance, DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from shp_resources.workers import Worker

_THERE = CheckRunHealthResult(WorkerStatus.RUNNING)
_CLOCK_SECONDS = 2.0
_ANSWER_SECONDS = 5
_HERE = ("localhost", "127.0.0.1", "::1", None)


def health(run: DagsterRun, worker: Worker | None, instance: DagsterInstance) -> CheckRunHealthResult:
    """Whether anybody works for a started run.

    Args:
        run: the run.
        worker: its noted worker, if it has one.
        instance: where its events are.
    """
    if worker is not None:
        return _THERE if worker.alive() else _gone(f"The worker (pid {worker.process.pid}) is gone.")
    if GRPC_INFO_TAG in run.tags:
        return _of_code_server(run, instance)
    if _was_launched(run, instance):
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "Its worker ended without a word.")
    return _THERE  # `shp ingest`, `dagster asset materialize`: processes that nobody launched


def _gone(why: str) -> CheckRunHealthResult:
    return CheckRunHealthResult(WorkerStatus.FAILED, why)


def _was_launched(run: DagsterRun, instance: DagsterInstance) -> bool:
    return bool(instance.get_records_for_run(run.run_id, of_type=DagsterEventType.RUN_STARTING, limit=1).records)


def _of_code_server(run: DagsterRun, instance: DagsterInstance) -> CheckRunHealthResult:
    """A run that Dagster's default launcher started: its process first, for it may outlive the code server."""
    pid, at = _began(run, instance)
    if pid is None or _lives(pid, at) or _knows(json.loads(run.tags[GRPC_INFO_TAG]), run.run_id):
        return _THERE
    return _gone(f"The worker (pid {pid}) is gone, and the code server does not know of it.")


def _began(run: DagsterRun, instance: DagsterInstance) -> tuple[int | None, float]:
    """The process that told of its start, and when."""
    for record in instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT, limit=5).records:
        pid = record.event_log_entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return int(str(pid.value)), record.event_log_entry.timestamp
    return None, 0.0


def _lives(pid: int, at: float) -> bool:
    """Whether this process lives and was there already at that time (seconds since 1970)."""
    try:
        process = psutil.Process(pid)
        return process.create_time() <= at + _CLOCK_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _knows(server: dict[str, object], run_id: str) -> bool:
    """Whether the code server that started a run still has it; one of another machine that does not answer may have it."""
    address = {name: server.get(name) for name in ("host", "port", "socket")}
    client = DagsterGrpcClient(**address, use_ssl=bool(server.get("use_ssl")))  # type: ignore[arg-type]
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=_ANSWER_SECONDS)
    except (DagsterUserCodeUnreachableError, grpc.RpcError):
        return server.get("host") not in _HERE
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel
