"""The kernels as native code: compiled once, kept on disk, loaded without numba.

Importing numba and asking its cache costs 0.3 s and 80 MB, which a process that reads one workbook cannot afford. So
what numba makes of a kernel is kept as object code, and a reading process needs only LLVM's loader: 0.06 s. A file is
named by what it was made from (the kernels' sources, the version of LLVM's binding, the processor), so a wrong one is
never found. Must not live here: the kernels (`kernels`).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

_MODULES = ("layout", "base", "words", "texts", "tags", "numbers", "cells", "plain", "rows", "columns", "strings")
_SOURCES = Path(__file__).parent / "kernels"
OWN_FOLDER = Path(__file__).parent / "__pycache__"
"""Where an installation keeps its compiled kernels; `make setup` fills it."""

_FORMAT = 1
_OUTSIDE = {"memset": "memset", "memcpy": "memcpy", "memmove": "memmove", "NRT_MemInfo_call_dtor": "abort"}

# Arguments of the kernels: addresses of bytes, of 32-bit and of 64-bit integers, and integers.
BYTES, INTS, LONGS, INTEGER = "b", "i", "l", "n"
ENTRIES = {
    "scan_rows": ("rows", "bnn" + "ll" + "bbib" + "bl" + "ibb" + "ibi" + "bnl"),
    "measure": ("columns", "l" + "nnnn" + "bl" + "bb" + "il"),
    "fill_columns": ("columns", "nnn" + "i" + "bnbnbnbn" + "ll" + "bninbn"),
    "fill_rows": ("columns", "nnn" + "ibi" + "iib"),
    "scan_strings": ("strings", "bnn" + "ll" + "bn" + "ibn" + "bn" + "l"),
}
"""By kernel: its module and the kinds of its arguments."""


class KernelFailed(Exception):
    """A kernel stopped itself: an index was out of its array's bounds."""


class Library:
    """Loaded kernels, each a method-like attribute that takes addresses and integers and returns an integer.

    Args:
        content: a library file's bytes, as `compiled` gives them.
    """

    def __init__(self, content: bytes) -> None:
        header, code = _parsed(content)
        prepare()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
        for length in header["lengths"]:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code[:length]))
            code = code[length:]
        self._engine.finalize_object()
        self.scan_rows = self._kernel("scan_rows", header)
        self.measure = self._kernel("measure", header)
        self.fill_columns = self._kernel("fill_columns", header)
        self.fill_rows = self._kernel("fill_rows", header)
        self.scan_strings = self._kernel("scan_strings", header)

    def _kernel(self, name: str, header: dict[str, Any]) -> Any:
        """A Python function for a kernel; numba's convention is `status f(result*, error**, arguments…)`."""
        _, arguments = ENTRIES[name]
        kinds = [ctypes.c_int64 if kind == INTEGER else ctypes.c_void_p for kind in arguments]
        native = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *kinds)(
            self._engine.get_function_address(header["symbols"][name])
        )
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        places = ctypes.addressof(result), ctypes.addressof(error)

        def call(*arguments: Any) -> int:
            if native(*places, *arguments):
                raise KernelFailed(name)
            return result.value

        return call


def load(folders: Iterable[Path]) -> Library | None:
    """The library, from the first folder that has a whole one."""
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return Library((folder / file_name()).read_bytes())
    return None


def load_or_build(folders: Iterable[Path]) -> Library | None:
    """The library; if no folder has it, it is compiled and kept in the first one that can be written.

    Returns:
        None if there is none and none can be kept: compiling takes seconds, which is too much for each workbook. None also
        on a processor whose numbers begin with the largest byte: kernels take eight letters for one number.
    """
    if sys.byteorder != "little":
        return None
    listed = list(folders)
    library = load(listed)
    for folder in listed if library is None else []:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "kernels.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                library = load([folder]) or _built_apart(folder)
            break
    return library


def _built_apart(folder: Path) -> Library | None:
    """Compile in a process of its own: numba and what it imports do not belong into one that reads."""
    command = (sys.executable, "-S", "-P", "-m", "shp_core.reading.scan.build", str(folder))
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return load([folder])


def file_name() -> str:
    """Name of the library made from these sources for this processor."""
    made_from = hashlib.sha256(f"{_FORMAT} {llvmlite.__version__} {_processor()}".encode())
    for module in _MODULES:
        made_from.update((_SOURCES / f"{module}.py").read_bytes())
    made_from.update(json.dumps(ENTRIES).encode())
    return f"kernels-{made_from.hexdigest()[:24]}.bin"


def prepare() -> None:
    """Make LLVM ready for this processor, and tell it the only functions that kernels may call.

    A name that it does not know would be called at address zero. Nothing is counted, so nothing is ever freed.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    process = ctypes.CDLL(None)
    for name, stands_in in _OUTSIDE.items():
        llvm.add_symbol(name, ctypes.cast(getattr(process, stands_in), ctypes.c_void_p).value)


def _parsed(content: bytes) -> tuple[dict[str, Any], bytes]:
    line, _, body = content.partition(b"\n")
    header: dict[str, Any] = json.loads(line)
    if header["sha256"] != hashlib.sha256(body).hexdigest():
        raise ValueError("damaged library")
    return header, body


def _processor() -> str:
    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def target_machine() -> Any:
    """Of this processor, with all it can."""
    target = llvm.Target.from_triple(llvm.get_process_triple())
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, reloc="static", jit=True)
