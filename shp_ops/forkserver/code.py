"""Everything a run needs, imported once, so that no worker has to.

Must not live here: anything that connects, opens a file for good or starts a thread; it would be copied into every worker.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from dagster._core.code_pointer import CodePointer, ModuleCodePointer
from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value

ATTRIBUTE = "defs"

# What Dagster and its friends import at their first use in a run: 0.1 s of it, most of them entry points of fsspec.
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
    "shp_resources.compute_logs",
    "shp_resources.dagster_storage",
    "shp_resources.run_coordinator",
    "shp_resources.run_launcher",
    "upath.implementations.local",
)


def import_everything(module: str) -> None:
    """Import what runs need and make the definitions of the code location ready.

    Args:
        module: holds the definitions, under the name `defs`.
    """
    for name in _LATE:
        import_module(name)
    repository = reconstruct_repository_def_from_pointer(ModuleCodePointer(module, ATTRIBUTE, str(Path.cwd())))
    repository.get_all_jobs()


def code_of(args: str) -> CodePointer:
    """Where the definitions of a run come from.

    Args:
        args: serialized `ExecuteRunArgs`.
    """
    return deserialize_value(args, ExecuteRunArgs).job_origin.repository_origin.code_pointer
