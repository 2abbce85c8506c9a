"""Start the fork server: import everything, then serve."""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

# Before anything that brings a pool of threads along: a fork copies only the thread that calls it.
for _pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_pool] = "1"


def main() -> None:
    """Import, freeze, serve."""
    from shp_ops.forkserver.version import version_on_disk
    from shp_resources.settings import Settings

    settings = Settings.load()
    version = version_on_disk(settings)  # before the imports: a change during them is seen as one
    started = time.monotonic()
    _import_everything()
    from shp_ops.forkserver.server import ForkServer

    gc.collect()
    gc.freeze()
    threads = len(list(Path("/proc/self/task").iterdir()))
    sys.stderr.write(f"fork server ready after {time.monotonic() - started:.1f} s, {threads} threads, version {version}\n")
    sys.stderr.flush()
    ForkServer(settings, version).serve()


def _import_everything() -> None:
    """What a run needs, so that no worker imports it."""
    import shp_resources.dagster_storage
    import shp_resources.run_launcher  # noqa: F401


if __name__ == "__main__":
    main()
