"""Listings for people: a table where it fits the terminal, else a few words beneath each name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shp_ops.ingest.results import FileResult

if TYPE_CHECKING:
    from rich.console import Console

_COUNTS = ("read", "clean", "rejected", "duplicate", "displaced", "loaded")
_ALWAYS = ("read", "loaded")
_LEFT = ("state", "updated (UTC)", "proof", "")


@dataclass(frozen=True)
class Listing:
    """Named rows of facts.

    Args:
        headers: names of the columns; the first one names the row.
        rows: the cells, as they are shown.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def show(self, console: Console) -> None:
        """Print it, as wide as the terminal is."""
        if self._width() <= console.width:
            console.print(self._table())
            return
        for row in self.rows:
            facts = ", ".join(self._facts(row))
            console.print(f"{row[0]}\n  {facts}" if facts else row[0], markup=False)

    def _facts(self, row: Sequence[str]) -> Iterator[str]:
        for name, cell in zip(self.headers[1:], row[1:], strict=True):
            if cell not in ("0", "-", ""):
                yield cell if name in _LEFT else f"{name} {cell}"

    def _width(self) -> int:
        columns = zip(self.headers, *self.rows, strict=True)
        return sum(max(map(len, column)) + 2 for column in columns) - 2

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, name in enumerate(self.headers):
            table.add_column(name, justify="left" if place == 0 or name in _LEFT else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table


def result_listing(results: Sequence[FileResult]) -> Listing:
    """What became of each file, a line each."""
    counts = shown_counts(result.rows for result in results)
    rows = []
    for result in results:
        unchanged = " (unchanged)" if result.published and not result.changed else ""
        state = f"{result.state or '-'}{unchanged}"
        rows.append([Path(result.path).name, *_numbers(result.rows, counts), state, f"{result.seconds:.1f}"])
    return Listing(["file", *counts, "state", "seconds"], rows)


def partition_listing(records: Sequence[Mapping[str, Any]]) -> Listing:
    """The state of each partition, a line each."""
    counts = shown_counts(record["rows"] for record in records)
    rows = [
        [record["partition"], *_numbers(record["rows"], counts), record["state"], f"{record['updated_at']:%Y-%m-%d %H:%M}"]
        for record in records
    ]
    return Listing(["partition", *counts, "state", "updated (UTC)"], rows)


def shown_counts(rows: Iterable[Mapping[str, int]]) -> list[str]:
    """The counts worth a column: rows read and loaded, and what is not zero somewhere and not said by another column."""
    found = list(rows)
    said = {"clean"} if all(row.get("clean", 0) == row.get("loaded", 0) for row in found) else set()
    return [name for name in _COUNTS if name in _ALWAYS or (name not in said and any(row.get(name) for row in found))]


def _numbers(rows: Mapping[str, int], names: Sequence[str]) -> list[str]:
    return [f"{rows.get(name, 0):,}" for name in names]
