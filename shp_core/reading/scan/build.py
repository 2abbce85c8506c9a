"""Compiles the kernels: `python -m shp_core.reading.scan.build [FOLDER]`; `make setup` does.

The only module of the scan that needs numba. Must not live here: loading (`library`).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from shp_core.reading.scan.library import BYTES, ENTRIES, INTEGER, INTS, LONGS, OWN_FOLDER, file_name, prepare, target_machine


def build(folder: Path) -> Path:
    """Compile the kernels into a folder; returns the file.

    Raises:
        OSError: the folder cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix="kernels-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(compiled())
        Path(temporary).replace(folder / file_name())
    except BaseException:  # no rest may stay, whatever went wrong
        Path(temporary).unlink(missing_ok=True)
        raise
    return folder / file_name()


def compiled() -> bytes:
    """Compile all kernels; the content of a library file."""
    prepare()
    symbols, code = {}, []
    for name in ENTRIES:
        symbols[name], made = _object_code(name)
        code.append(made)
    body = b"".join(code)
    header = {"symbols": symbols, "lengths": [len(made) for made in code], "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(header).encode() + b"\n" + body


def _object_code(name: str) -> tuple[str, bytes]:
    """The symbol and the object code of a kernel."""
    from shp_core.reading.scan.kernels.base import OPTIONS, numba

    module, arguments = ENTRIES[name]
    function = getattr(importlib.import_module(f"shp_core.reading.scan.kernels.{module}"), name)
    signature = numba.types.int64(*[_types(numba.types)[kind] for kind in arguments])
    kernel = numba.njit(signature, no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    made = kernel.overloads[kernel.signatures[0]]
    code: bytes = target_machine().emit_object(llvm.parse_assembly(kernel.inspect_llvm(kernel.signatures[0])))
    return made.fndesc.llvm_func_name, code


def _types(types: Any) -> dict[str, Any]:
    pointers = {BYTES: types.uint8, INTS: types.int32, LONGS: types.int64}
    return {INTEGER: types.int64, **{kind: types.CPointer(target) for kind, target in pointers.items()}}


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else OWN_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    build(target)
