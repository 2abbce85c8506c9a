"""What holds every process that reads a file: its limits, its parent, and a verdict however reading ends.

Standard library only, Python 3.8 syntax. Must not live here: reading, and what a verdict leads to.
"""

from __future__ import annotations

import codecs
import ctypes
import os
import resource
import signal
from typing import Any, Callable, Dict

from shp_core.reading.problem import Refused

_PR_SET_PDEATHSIG = 1
_CODECS = ("cp437", "utf-16-le")
_STDOUT = 1


def load_codecs() -> None:
    """Load what a workbook may be spelled in, while files can still be opened."""
    for codec in _CODECS:
        codecs.lookup(codec)


def stay_with(parent: int) -> None:
    """Die with the parent, however it dies.

    Args:
        parent: its pid; if it has ended already, so does this process.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def limit(memory: int, cpu: int, writes: int = 0) -> None:
    """Limit this process; it can open one more file, the workbook, and write none but scratch files that are open.

    Args:
        memory: bytes of address space.
        cpu: seconds of processor time; the system ends the process then.
        writes: bytes, how long a file may become by what it writes.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (writes, writes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    workbook = os.dup(_STDOUT)  # the lowest free descriptor; the workbook's will be the same
    os.close(workbook)
    resource.setrlimit(resource.RLIMIT_NOFILE, (workbook + 1, workbook + 1))


def verdict_of(read: Callable[[], Dict[str, Any]], memory: int) -> Dict[str, Any]:
    """Read, and say how it ended, whatever happens.

    Args:
        read: reads; returns the verdict of a good end.
        memory: `child_memory_bytes`, named if that is not enough.

    Returns:
        What `read` returned, else `{"refused": {"code", "message", "details"}}` (the file is refused),
        `{"lost": what}` (the private copy cannot be read) or `{"crashed": what}` (anything else).
    """
    try:
        return read()
    except Refused as problem:
        return {"refused": problem.as_dict()}
    except MemoryError:
        message = f"reading needs more memory than child_memory_bytes = {memory}"
        return {"refused": {"code": "reader_out_of_memory", "message": message, "details": {}}}
    except OSError as error:
        return {"lost": f"{type(error).__name__}: {os.strerror(error.errno or 0)}"}
    except Exception as error:  # noqa: BLE001  the process's outermost boundary: the parent must hear of it in any case
        return {"crashed": f"{type(error).__name__}: {error}"[:300]}
