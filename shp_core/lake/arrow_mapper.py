r"""The mapper's fast twin, for nodes whose python has Arrow: the warehouse's own kernels over blocks of lines.

Rows that the kernels are certain of come out of Arrow; every other row, and every block that is not as `text_lines` writes
it, goes through the mapper itself, so what comes out is the same byte for byte. A property test holds the two together.
Must not live here: what a text means (`shp_core.contract`).
"""

from __future__ import annotations

import os
import threading
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv

from shp_core.contract import arrow_compute as pc
from shp_core.contract.column_kernel import Memo
from shp_core.contract.contract import ContractColumn
from shp_core.contract.end_to_end import texts_end_to_end
from shp_core.contract.kernels import Declined, Kernels, both, memos_of, patterns_of
from shp_core.lake.mapper import ARROW, CLEAN, Mapper
from shp_core.lake.rooms import blocks_in_rooms, in_order
from shp_core.lake.shipped import Shipment
from shp_core.publishing.dialect import NULL
from shp_core.reading.textrow import KINDS

_PARSE = csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False)
_KINDS = frozenset(KINDS)
_MOST_THREADS = 4

Mapped = tuple[bytes | memoryview, Counter[str]]
"""The lines that come out of a block, and what was counted."""


class ArrowMapper:
    """Maps the lines of one sheet, as `Mapper` does, on as many threads as the process has processors, at most four.

    Args:
        shipment: the contract, and where its columns stand.
        mode: `clean` or `rejects`: which lines come out.
    """

    engine = ARROW
    block_bytes = 1 << 22

    def __init__(self, shipment: Shipment, mode: str = CLEAN) -> None:
        self._shipment, self._mode = shipment, mode
        self._threads = min(len(os.sched_getaffinity(0)), _MOST_THREADS)
        self._own, self._memos = threading.local(), memos_of(shipment.contract, escaped=True)

    def each(self, source: BinaryIO) -> Iterator[Mapped]:
        """Map a whole stream of lines; what comes out keeps their order.

        Raises:
            MalformedLine: a line has too few or too many fields.
        """
        return in_order(self.map, blocks_in_rooms(source, self.block_bytes, self._threads + 1), self._threads)

    def map(self, lines: memoryview) -> Mapped:
        """Map whole lines; see `each`."""
        if not hasattr(self._own, "twin"):  # what a twin remembers is no other thread's business
            self._own.twin = _Twin(self._shipment, self._mode, self._memos)
        mapped: Mapped = self._own.twin.map(lines)
        return mapped


class _Twin:
    """The kernels, and the mapper for what they leave."""

    def __init__(self, shipment: Shipment, mode: str, memos: dict[ContractColumn, Memo]) -> None:
        self._mapper, self._clean = Mapper(shipment, mode), mode == CLEAN
        self._kernels = Kernels(shipment.contract, shipment.positions, memos)
        self._dropped = pa.array([str(row) for row in shipment.dropped], pa.string())
        self._width = shipment.width
        names = ["row", "kinds", *(f"c{place + 1}" for place in range(shipment.width)), "extra"]
        used = {f"c{position + 1}" for position in shipment.positions if position is not None}
        self._names, self._all = [name for name in names if name in ("row", "kinds", *used)], names
        self._convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[NULL],
            strings_can_be_null=True,
            include_columns=self._names,
            check_utf8=False,
        )
        self._read = csv.ReadOptions(column_names=names, use_threads=False, block_size=2**31 - 1)

    def map(self, lines: memoryview) -> Mapped:
        """Map whole lines."""
        try:
            batch = self._rows(lines)
            _, fields, holds = self._kernels.told(batch)
            return self._joined(lines, batch, fields, both(holds, self._kept(batch)))
        except (Declined, pa.ArrowInvalid):
            return self._mapper.map(bytes(lines))

    def _rows(self, lines: memoryview) -> pa.RecordBatch:
        """The rows of a block, columns that the contract does not use empty.

        Raises:
            Declined: a row, or the order of the rows, is not as it should be.
            pa.ArrowInvalid: so is a line.
        """
        held: bytes = lines.obj  # type: ignore[assignment]
        if held.find(b"\r", 0, len(lines)) >= 0 or not held[:1].isdigit():  # to Arrow the end of a line, or a mark of UTF-8
            raise Declined
        block = pa.py_buffer(lines)
        pa.StringArray.from_buffers(1, pa.py_buffer(array("i", (0, len(lines)))), block).validate(full=True)  # columns that nobody uses too
        batches = csv.read_csv(block, self._read, _PARSE, self._convert).to_batches()
        if len(batches) != 1 or not self._in_step(batches[0]):
            raise Declined
        found, none = dict(zip(self._names, batches[0].columns, strict=True)), pa.nulls(len(batches[0]), pa.string())
        return pa.RecordBatch.from_pydict({name: found.get(name, none) for name in self._all})

    def _in_step(self, batch: pa.RecordBatch) -> bool:
        rows, patterns = batch.column("row"), patterns_of(batch.column("kinds"))
        fit = all(kind is not None and len(kind) == self._width and set(kind) <= _KINDS for kind in patterns)
        return fit and not rows.null_count and bool(pc.all(pc.ascii_is_decimal(rows)).as_py())

    def _kept(self, batch: pa.RecordBatch) -> pa.BooleanArray | None:
        """Rows that no rule about the file dropped; None: all."""
        return pc.invert(pc.is_in(batch.column("row"), value_set=self._dropped)) if len(self._dropped) else None

    def _joined(self, lines: memoryview, batch: pa.RecordBatch, fields: list[pa.Array], holds: pa.BooleanArray | None) -> Mapped:
        rows, read = batch.column("row"), batch.num_rows
        if holds is None or pc.all(holds, skip_nulls=False).as_py():
            return self._lines(rows, fields), Counter(read=read, rows=read)
        numbers = pc.cast(rows, pa.int32())
        if pc.any(pc.less_equal(numbers[1:], numbers[:-1])).as_py():  # nothing would say where the others' lines belong
            raise Declined
        holds = pc.fill_null(holds, False)
        sure = pc.sum(holds).as_py()
        every, odd = bytes(lines).split(b"\n"), pc.indices_nonzero(pc.invert(holds)).to_pylist()
        left, counts = self._mapper.map(b"\n".join([*(every[place] for place in odd), b""]))
        counts.update(read=sure, rows=sure)
        if not self._clean:
            return left, counts
        some = self._lines(pc.filter(rows, holds), [pc.filter(field, holds) for field in fields])
        return _merged(bytes(some), left), counts

    def _lines(self, rows: pa.StringArray, fields: list[pa.Array]) -> memoryview:
        if not self._clean or not len(rows):
            return memoryview(b"")
        ended = pa.concat_arrays([rows[:-1], pa.array([rows[-1].as_py() + "\n"])])  # a join has nothing behind the last line
        lines = pc.binary_join_element_wise(*fields, ended, "\t")
        return texts_end_to_end(pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines), "\n"))


def _merged(some: bytes, others: bytes) -> bytes:
    """Lines of two kinds in the order of their rows, whose number is a line's last field."""
    lines: list[bytes] = [*some.splitlines(keepends=True), *others.splitlines(keepends=True)]
    ordered: list[bytes] = sorted(lines, key=_row)
    return b"".join(ordered)


def _row(line: bytes) -> int:
    return int(line.rpartition(b"\t")[2])
