"""Everything a run needs, imported once, so that no worker has to.

Must not live here: anything that connects, opens a file for good or starts a thread; it would be copied into every worker.
"""

from __future__ import annotations

from pathlib import Path

from dagster._core.code_pointer import CodePointer, ModuleCodePointer
from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value

from shp_ops.late_imports import import_late

ATTRIBUTE = "defs"


def import_everything(module: str) -> None:
    """Import what runs need and make the definitions of the code location ready.

    Args:
        module: holds the definitions, under the name `defs`.
    """
    import_late()
    repository = reconstruct_repository_def_from_pointer(ModuleCodePointer(module, ATTRIBUTE, str(Path.cwd())))
    repository.get_all_jobs()


def code_of(args: str) -> CodePointer:
    """Where the definitions of a run come from.

    Args:
        args: serialized `ExecuteRunArgs`.
    """
    return deserialize_value(args, ExecuteRunArgs).job_origin.repository_origin.code_pointer
