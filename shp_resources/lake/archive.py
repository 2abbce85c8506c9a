"""The mapper as one file: a zip that any python3 runs, with the modules of ours that it needs and no others.

Each lies in it as source and, for a python3 of this one's release, compiled: that is a third of the mapper's start.
"""

from __future__ import annotations

import marshal
import zipfile
from importlib.abc import InspectLoader
from importlib.util import MAGIC_NUMBER, find_spec
from pathlib import Path

from shp_core.lake.mapper import ARROW, STANDARD

MODULES = (
    "shp_core",
    "shp_core.contract",
    "shp_core.contract.cells",
    "shp_core.contract.contract",
    "shp_core.contract.dates",
    "shp_core.contract.numbers",
    "shp_core.contract.reasons",
    "shp_core.lake",
    "shp_core.lake.bulk",
    "shp_core.lake.columns",
    "shp_core.lake.mapper",
    "shp_core.lake.shipped",
    "shp_core.lake.shortcut",
    "shp_core.publishing",
    "shp_core.publishing.dialect",
    "shp_core.reading",
    "shp_core.reading.textrow",
)
ARROW_MODULES = (
    "shp_core.contract.arrow_compute",
    "shp_core.contract.column_kernel",
    "shp_core.contract.end_to_end",
    "shp_core.contract.kernels",
    "shp_core.contract.number_kernel",
    "shp_core.contract.typed",
    "shp_core.contract.whole_column",
    "shp_core.lake.arrow_mapper",
    "shp_core.lake.rooms",
)
"""What the mapper's fast twin needs besides, and pyarrow, which the node must have."""

INPUT_FILE = "mapreduce_map_input_file"
"""The variable by which Hadoop Streaming tells a mapper which file it reads."""

TOO_OLD = "the mapper needs python3 of release 3.8 or newer, this node's is"

_MAIN = f"""\
import os
import sys

if sys.version_info < (3, 8):
    sys.exit("{TOO_OLD} " + sys.version.split()[0])

from shp_core.lake.mapper import main

main(os.environ.get({INPUT_FILE!r}, ""))
os._exit(0)
"""
"""All is written by then; a python that ends by itself gives back first, piece by piece, what it remembers."""
_AT = (1980, 1, 1, 0, 0, 0)  # the same modules make the same bytes
_UNCHECKED = b"\1\0\0\0" + bytes(8)
"""What stands in compiled code before the code when nobody is to hold it to its source (PEP 552)."""
_WITHOUT_REFERENCES = 2
"""The last version of marshal whose bytes do not depend on what else the process holds."""


def write_archive(path: Path, engine: str = STANDARD) -> None:
    """Write the mapper's zip.

    Args:
        path: the file; `python3 PATH SHIPMENT MODE ENGINE` runs it.
        engine: `standard`, or `arrow`: with the twin in it.
    """
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _AT), _MAIN)
        for module in (*MODULES, *(ARROW_MODULES if engine == ARROW else ())):
            source, compiled = _forms(module)
            inner = module.replace(".", "/") + ("/__init__.py" if source.name == "__init__.py" else ".py")
            archive.writestr(zipfile.ZipInfo(inner, _AT), source.read_text(encoding="utf-8"))
            archive.writestr(zipfile.ZipInfo(f"{inner}c", _AT), compiled)


def _forms(module: str) -> tuple[Path, bytes]:
    """A module's source, and the module compiled; a python3 of another release passes that over and takes the source."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None and isinstance(spec.loader, InspectLoader), f"{module} has no source"
    return Path(spec.origin), MAGIC_NUMBER + _UNCHECKED + marshal.dumps(spec.loader.get_code(module), _WITHOUT_REFERENCES)
