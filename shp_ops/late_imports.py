"""What we, Dagster and its friends import at the first use in a run: half a second that no forked worker should spend.

Must not live here: anything that connects, opens a file for good or starts a thread; it would be copied into every worker.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_LATE = (
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.root",
    "dagster._core.system_config.composite_descent",
    "numpy.rec",
    "psycopg2.extras",
    "pyarrow.pandas_compat",
    "pyarrow.vendored.version",
    "shp_assets.preview",
    "shp_resources.compute_logs",
    "shp_resources.dagster_storage",
    "shp_resources.run_coordinator",
    "shp_resources.run_launcher",
    "upath.implementations.local",
)


def import_late() -> None:
    """Import it now, before workers are forked."""
    for name in _LATE:
        import_module(name)


@contextmanager
def importing() -> Iterator[None]:
    """Import much in the block, and fork after it.

    Imports make a million objects and no garbage; looking for it among them costs a fifth of their time. What is there at
    the end is never looked through again, so workers share it.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
