"""Start the fork server: import everything, then serve.

python -m shp_ops.forkserver [MODULE]      MODULE holds the definitions of the code location it works for
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

# Before anything that brings a pool of threads along: a fork copies only the thread that calls it.
for _pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_pool] = "1"
os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # Arrow's allocator starts one at import

OUR_DEFINITIONS = "shp_ops.definitions"


def main(module: str) -> None:
    """Import, freeze, serve.

    Args:
        module: holds the definitions.
    """
    from shp_ops.forkserver.version import Version
    from shp_ops.late_imports import importing
    from shp_ops.sparing import spare
    from shp_resources.logs import log_to_stderr
    from shp_resources.settings import Settings

    log_to_stderr()
    settings = Settings.load()
    version = Version(settings, module)  # before the imports: a change during them is seen as one
    started = time.monotonic()
    spare()
    with importing():
        from shp_ops.forkserver.code import import_everything
        from shp_ops.forkserver.server import ForkServer

        import_everything(module)
    threads = len(list(Path("/proc/self/task").iterdir()))
    ready = "fork server ready after %.1f s, version %s, threads: %d"
    logging.getLogger("shp.forkserver").info(ready, time.monotonic() - started, version, threads)
    ForkServer(settings, version).serve()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else OUR_DEFINITIONS)
