"""A code location with jobs that do next to nothing, each in its own way; forked workers run them in the tests."""

import os
import signal
import sys
import time
from pathlib import Path

import dagster as dg

HERE = "here it waits"


class Wait(dg.Config):
    """Until when a job waits: for this file, or so many seconds."""

    file: str = ""
    seconds: float = 300.0


def _wait(context: dg.OpExecutionContext, config: Wait) -> None:
    context.log.info(HERE)
    until = time.monotonic() + config.seconds
    while time.monotonic() < until and not (config.file and Path(config.file).exists()):
        time.sleep(0.02)


@dg.asset
def first() -> None:
    """Does nothing."""


@dg.asset(deps=[first])
def second() -> None:
    """Does nothing."""


@dg.asset(deps=[second])
def third() -> None:
    """Does nothing."""


@dg.op
def wait(context: dg.OpExecutionContext, config: Wait) -> None:
    """Work that lasts."""
    _wait(context, config)


@dg.op
def be_deaf(context: dg.OpExecutionContext, config: Wait) -> None:
    """Work that heeds no signal, as one that hangs in a C library."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _wait(context, config)


@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    """Write in all three ways."""
    sys.stdout.write(f"said out loud by {os.getpid()}\n")
    sys.stderr.write("said in anger\n")
    context.log.info("said to the log")


@dg.op
def fail() -> None:
    """Go wrong in a way that Dagster sees."""
    raise ValueError("nobody expected this")


@dg.op
def vanish() -> None:
    """End without a word, as a worker does that the kernel kills."""
    os._exit(7)


def _job(op: dg.OpDefinition) -> dg.JobDefinition:
    @dg.job(name=f"{op.name}_job", executor_def=dg.in_process_executor)
    def job() -> None:
        op()

    return job


defs = dg.Definitions(
    assets=[first, second, third],
    jobs=[dg.define_asset_job("quick_job"), *map(_job, [wait, be_deaf, speak, fail, vanish])],
    executor=dg.in_process_executor,
)
