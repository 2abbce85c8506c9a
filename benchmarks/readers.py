"""Readers, each in a process of its own: `python -m benchmarks.readers NAME WORKBOOK…`.

Prints one JSON document: for each workbook the seconds from its path to the last row in Arrow, its rows and the sum of
its units; for our own reader also the memory of its reading process. Imports are done before the first clock starts.
Must not live here: comparing them (`reading`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from shp_core.limits import Limits
from shp_core.reading.textrow import SheetSpec
from shp_resources.intake import private_copy
from shp_resources.processes import proportional_size
from shp_resources.reader import WorkbookReader

UNITS = "Units Sold"
_MIB = 1 << 20

Answer = dict[str, Any]


def ours(scan: bool) -> Callable[[Path], Answer]:
    """The platform's way: private copy with its hash, gate, reading process, every cell with its kind and address.

    As in the platform, the first workbook waits for a process to start, and the others are read by forks of it.
    """
    reader = WorkbookReader(Limits(), scan=scan, warm=True)

    def read(path: Path) -> Answer:
        with tempfile.TemporaryDirectory() as folder, _watched() as peak:
            start = time.perf_counter()
            copied = private_copy(path, Path(folder), Limits())
            with reader.open(copied.path, SheetSpec()) as batches:
                table = pa.Table.from_batches(list(batches), batches.schema)
            seconds = time.perf_counter() - start
        column = table.column(f"c{batches.header.index(UNITS) + 1}")
        units = pc.sum(pc.cast(column, pa.int64())).as_py()
        return {"seconds": seconds, "rows": table.num_rows, "units": units, "reader": batches.reader, "peak": max(peak)}

    return read


def fastexcel_bare(path: Path) -> Answer:
    """fastexcel, into Arrow; it checks nothing."""
    import fastexcel

    start = time.perf_counter()
    batch = fastexcel.read_excel(path).load_sheet(0).to_arrow()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows": batch.num_rows, "units": int(pc.sum(batch.column(UNITS)).as_py())}


def openpyxl_read_only(path: Path) -> Answer:
    """The fastest mode of openpyxl, values alone."""
    import openpyxl

    start = time.perf_counter()
    header, *rows = openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0].iter_rows(values_only=True)
    seconds = time.perf_counter() - start
    column = header.index(UNITS)
    return {"seconds": seconds, "rows": len(rows), "units": sum(int(str(row[column])) for row in rows)}


READERS: dict[str, Callable[[Path], Answer]] = {
    "scan": ours(scan=True),
    "reference": ours(scan=False),
    "fastexcel": fastexcel_bare,
    "openpyxl": openpyxl_read_only,
}


@contextmanager
def _watched() -> Iterator[list[float]]:
    """The memory (PSS, MiB) of this process's children, sampled while they live."""
    seen, done = [0.0], threading.Event()

    def look() -> None:
        me = psutil.Process(os.getpid())
        while not done.wait(0.01):
            seen.append(sum(proportional_size(child.pid) for child in me.children(recursive=True)) / _MIB)

    thread = threading.Thread(target=look)
    if os.environ.get("BENCH_MEMORY"):
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        if thread.ident is not None:
            thread.join()


@click.command()
@click.argument("name", type=click.Choice(list(READERS)))
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(name: str, paths: tuple[Path, ...]) -> None:
    """Read workbooks and say how long each took."""
    __import__({"fastexcel": "fastexcel", "openpyxl": "openpyxl"}.get(name, "sys"))
    json.dump([READERS[name](path) for path in paths], sys.stdout)


if __name__ == "__main__":
    main()
