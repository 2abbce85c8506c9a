"""Dagster's instance as a short-lived worker wants it: the same runs and events, but standard output left alone."""

from __future__ import annotations

import os

import dagster as dg
from dagster._core.instance import InstanceRef

_NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def quiet_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, without capture of what steps print.

    Capturing starts four processes per step, costs half a second, and writes into the command's own output.
    """
    ref = InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides={"compute_logs": _NO_COMPUTE_LOGS})
    return dg.DagsterInstance.from_ref(ref)
