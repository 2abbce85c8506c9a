"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from shp_ops.ingest.results import FileResult

_COUNTS = ("read", "clean", "rejected", "duplicate", "displaced", "loaded")


def result_table(results: Sequence[FileResult]) -> Table:
    """What became of each file, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    for name in _COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for result in results:
        counts = [f"{result.rows.get(name, 0):,}" for name in _COUNTS]
        state = result.state or "-"
        if result.code:
            state += f" ({result.code})"
        elif not result.changed:
            state += " (unchanged)"
        table.add_row(Path(result.path).name, *counts, state, f"{result.seconds:.1f}")
    return table
