"""Contracts from YAML text, text rows from Python lists, and a validation's artefacts in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from shp_core.contract.cells import CellJudge, Judged
from shp_core.contract.compile import compile_contract
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.convert import ConvertedBatch, Converter, Reject
from shp_core.contract.header import map_header
from shp_core.contract.numbers import Notation
from shp_core.contract.summary import Summary
from shp_core.contract.validate import validate
from shp_core.feeds.model import Feed
from shp_core.reading.textrow import SheetStats

Cell = tuple[str, str | None]
"""A cell: kind letter and text."""

ABSENT: Cell = ("-", None)


def feed_of(text: str) -> Feed:
    """The feed that YAML text describes; name and owner are given unless the text names them."""
    return Feed.model_validate({"feed": "things", "owner": "team:tests", **yaml.safe_load(text)})


def contract_of(text: str) -> Contract:
    """The compiled contract of a feed given as YAML text."""
    return compile_contract(feed_of(text))


def column_of(text: str) -> ContractColumn:
    """One contract column called `A` from the YAML text of its description, such as `{type: text}`."""
    return contract_of(f"columns: {{A: {text}}}").columns[0]


def judge(column: str, cell: Cell, decimal: str = ".", group: str = ",") -> Judged:
    """What becomes of one cell in a column given as YAML text."""
    return CellJudge(column_of(column), Notation(decimal, group)).judge(*cell)


def text(value: str) -> Cell:
    """A text cell."""
    return ("s", value)


def number(value: str) -> Cell:
    """A number cell with the reader's text."""
    return ("n", value)


def day(value: str) -> Cell:
    """A date cell with the reader's text."""
    return ("d", value)


def text_batch(rows: Sequence[Sequence[Cell]], first: int = 2, extra: dict[int, str] | None = None) -> pa.RecordBatch:
    """Text rows as the reader hands them on: `row`, `kinds`, `c1` … `cN`, `extra`.

    Args:
        rows: cells by row; all rows equally wide.
        first: sheet row number of the first.
        extra: by index, the cells right of the header as the reader's JSON.
    """
    width = len(rows[0]) if rows else 0
    columns = [pa.array([row[place][1] for row in rows], pa.string()) for place in range(width)]
    right = pa.array([(extra or {}).get(index) for index in range(len(rows))], pa.string())
    names = ["row", "kinds", *(f"c{place + 1}" for place in range(width)), "extra"]
    kinds = pa.array(["".join(cell[0] for cell in row) for row in rows], pa.string())
    numbers = pa.array(range(first, first + len(rows)), pa.int32())
    return pa.RecordBatch.from_arrays([numbers, kinds, *columns, right], names=names)


def converted(contract: Contract, rows: Sequence[Sequence[Cell]], header: Sequence[str] | None = None) -> ConvertedBatch:
    """Rows through the batch converter, under the contract's own header unless another is given."""
    titles = header if header is not None else [column.header for column in contract.columns]
    return Converter(contract, map_header(titles, contract)).convert(text_batch(rows))


@dataclass
class MemorySource:
    """Text rows on their way in, from memory."""

    header: tuple[str, ...]
    batches: Sequence[pa.RecordBatch]
    stats: SheetStats = field(default_factory=lambda: SheetStats("Sheet1"))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self.batches)


class MemoryBench:
    """A validation's artefacts, in memory."""

    def __init__(self) -> None:
        self.text: list[pa.RecordBatch] = []
        self.kept: list[pa.RecordBatch] = []
        self.clean: list[pa.RecordBatch] = []
        self.rejects: list[Reject] = []

    def put_text(self, batch: pa.RecordBatch) -> None:
        self.text.append(batch)

    def put_candidates(self, batch: pa.RecordBatch) -> None:
        self.kept.append(batch)

    def candidates(self) -> Iterator[pa.RecordBatch]:
        return iter(self.kept)

    def text_rows(self, rows: pa.Array) -> Iterator[pa.RecordBatch]:
        for batch in self.text:
            yield batch.filter(pc.is_in(batch.column("row"), value_set=rows))

    def put_clean(self, batches: Iterable[pa.RecordBatch] | None) -> None:
        self.clean = list(self.kept if batches is None else batches)

    def put_rejects(self, rejects: Sequence[Reject]) -> None:
        self.rejects.extend(rejects)

    def clean_rows(self) -> list[dict[str, Any]]:
        """The clean rows as Python values, without their hashes."""
        return [{name: value for name, value in row.items() if name != "_hash"} for batch in self.clean for row in batch.to_pylist()]

    def why(self) -> dict[int, list[str]]:
        """Per rejected sheet row its reasons, `column:code`."""
        return {reject.row: [f"{reason.column}:{reason.code}" for reason in reject.reasons] for reject in self.rejects}


def validated(
    contract: Contract, rows: Sequence[Sequence[Cell]], header: Sequence[str] | None = None, batch_rows: int = 1000
) -> tuple[Summary, MemoryBench]:
    """Rows through the whole validation, in batches of `batch_rows`; the first stands in sheet row 2."""
    titles = tuple(header if header is not None else [column.header for column in contract.columns])
    batches = [text_batch(rows[start : start + batch_rows], start + 2) for start in range(0, len(rows), batch_rows)]
    bench = MemoryBench()
    summary = validate(contract, MemorySource(titles, batches, SheetStats("Sheet1", rows=len(rows))), bench)
    return summary, bench


def extra_cells(*cells: tuple[int, str, str | None]) -> str:
    """Cells right of the header as the reader hands them on: column number, kind, text."""
    return json.dumps([list(cell) for cell in cells])
