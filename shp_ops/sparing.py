"""Dagster's own programs, started with less: `python -m shp_ops.sparing MODULE [WORD …]` is `python -m MODULE [WORD …]`.

Dagster imports structlog, and alembic for its tables, which imports mako. These two bring rich and pygments along where they are
installed, to draw tracebacks: 7 MB in each process, of which none draws anything.
Must not live here: anything that Dagster's programs do otherwise than in plain Dagster.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module

_DRAWING = ("rich", "pygments")
_CAN_DO_WITHOUT = ("structlog", "mako.exceptions")


def spare() -> None:
    """Import what draws if it can without what it draws with; whoever imports that by name gets it all the same."""
    hidden = [name for name in _DRAWING if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None tells the import system that there is no such module
    try:
        for name in _CAN_DO_WITHOUT:
            import_module(name)
    finally:
        for name in hidden:
            del sys.modules[name]


def main() -> None:
    """Run the module that the command line names."""
    del sys.argv[0]
    spare()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
