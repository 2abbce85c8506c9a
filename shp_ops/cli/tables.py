"""Tables for people: columns that say nothing are left out, so that the rest fits a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from shp_ops.ingest.results import FileResult

_COUNTS = ("read", "clean", "rejected", "duplicate", "displaced", "loaded")
_ALWAYS = ("read", "loaded")


def result_table(results: Sequence[FileResult]) -> Table:
    """What became of each file, a line each."""
    counts = shown_counts(result.rows for result in results)
    table = new_table("file", counts, "state", "seconds")
    for result in results:
        state = result.state or "-"
        if result.published and not result.changed:
            state += " (unchanged)"
        table.add_row(Path(result.path).name, *_numbers(result.rows, counts), state, f"{result.seconds:.1f}")
    return table


def partition_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """The state of each partition, a line each."""
    counts = shown_counts(record["rows"] for record in records)
    table = new_table("partition", counts, "state", "attempts", "updated (UTC)")
    for record in records:
        updated = f"{record['updated_at']:%Y-%m-%d %H:%M}"
        state = record["state"] + (f" ({record['code']})" if record["code"] else "")
        table.add_row(record["partition"], *_numbers(record["rows"], counts), state, str(record["attempts"]), updated)
    return table


def shown_counts(rows: Iterable[Mapping[str, int]]) -> list[str]:
    """The counts worth a column: rows read and loaded, and what is not zero somewhere."""
    found = list(rows)
    usual = all(row.get("clean", 0) == row.get("loaded", 0) for row in found)
    return [name for name in _COUNTS if name in _ALWAYS or (any(row.get(name) for row in found) and not (name == "clean" and usual))]


def new_table(first: str, counts: Sequence[str], *others: str) -> Table:
    """A table without lines: names at the left, numbers at the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column(first, overflow="fold")
    for name in counts:
        table.add_column(name, justify="right", no_wrap=True)
    for name in others:
        table.add_column(name, justify="right" if name in ("seconds", "attempts") else "left", overflow="fold")
    return table


def _numbers(rows: Mapping[str, int], names: Sequence[str]) -> list[str]:
    return [f"{rows.get(name, 0):,}" for name in names]
