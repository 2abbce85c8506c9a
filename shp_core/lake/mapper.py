r"""The mapper: lines of text rows in; clean lines, or rejects, out. Runs on any node that has python3 (3.8 or newer).

It converts and judges by the reference (`shp_core.contract.cells`), so both sinks mean the same. A clean line holds the
contract's columns in feed order and then the sheet's row number; a reject holds row number, `column:code,…`, kind
letters and the texts as they came. What was counted goes to standard error as Hadoop Streaming's counters.

Standard library only, Python 3.8 syntax.
"""

# ruff: noqa: B905, UP006, UP035 (Python 3.8 knows neither `zip(strict=)` nor the younger spellings of types)

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from importlib import import_module
from typing import Any, BinaryIO, Iterator, List, Sequence, Set, TextIO, Tuple

from shp_core.contract.reasons import RAGGED_ROW
from shp_core.lake.columns import Bad, columns_of
from shp_core.lake.shipped import Shipment, from_cargo
from shp_core.reading.textrow import KINDS, RAGGED

GROUP = "shp"
"""Group of the counters: `read`, `rows`, `dropped`, `rejected`, `reject.<code>` for each reason, and `by_<engine>`: tasks that
it mapped."""

CLEAN, REJECTS = "clean", "rejects"
STANDARD, ARROW = "standard", "arrow"
"""What maps: the standard library on any node, or Arrow on nodes whose python has it (`shp_core.lake.arrow_mapper`)."""

_TOLD_AFTER = 20_000
"""Rows between two messages to Hadoop, which ends tasks that say nothing for long."""

_KEPT = 1 << 24
"""Bytes asked for and given back at once: from then on the C library keeps what blocks of lines give back, up to twice as
much, and does not ask for fresh pages for each of them, which costs a twelfth of the time."""

_KINDS = frozenset(KINDS)


class MalformedLine(Exception):
    """A line is no text row of this sheet: the lake holds what nobody put there."""


class Mapper:
    """Maps the lines of one sheet.

    Args:
        shipment: the contract, and where its columns stand.
        mode: `clean` or `rejects`: which lines come out.
    """

    engine = STANDARD
    block_bytes = 1 << 17
    """So much that a block's cells stay in the processor's cache: eight times as much costs a sixth of the speed."""

    def __init__(self, shipment: Shipment, mode: str = CLEAN) -> None:
        self._columns = columns_of(shipment)
        self._parts = shipment.width + 3
        self._dropped = frozenset(str(row) for row in shipment.dropped)
        self._mode = mode
        self._words = f"a line of the lake does not hold {self._parts} fields"

    def map(self, lines: bytes) -> Tuple[bytes, Counter[str]]:
        """Map whole lines, as they lie in a file; see `block`."""
        mapped, counts = self.block(lines.decode("utf-8"))
        return mapped.encode("utf-8"), counts

    def each(self, source: BinaryIO) -> Iterator[Tuple[bytes, Counter[str]]]:
        """Map a whole stream of lines, a block after the other."""
        return map(self.map, blocks(source, self.block_bytes))

    def block(self, text: str) -> Tuple[str, Counter[str]]:
        """Map whole lines.

        Args:
            text: lines, each ended by LF.

        Returns:
            The lines that come out, and what was counted.

        Raises:
            MalformedLine: a line has too few or too many fields.
        """
        numbers, kinds, *cells = self._split(text)
        patterns, bad = _patterns(kinds), {}  # type: Tuple[Set[str], Bad]
        self._hold_in_step(numbers, patterns)
        fields = [column.fields(kinds, patterns, cells, bad) for column in self._columns]
        if any(RAGGED in pattern for pattern in patterns):
            _tell_once(kinds, bad)
        left_out = {place for place, number in enumerate(numbers) if number in self._dropped} - set(bad) if self._dropped else set()
        lines = _clean(fields, numbers, {*bad, *left_out}) if self._mode == CLEAN else _rejects(text, numbers, bad)
        counts = Counter(read=len(kinds), rows=len(kinds) - len(bad) - len(left_out), dropped=len(left_out), rejected=len(bad))
        counts.update("reject." + code for reasons in bad.values() for code in {reason.rpartition(":")[2] for reason in reasons})
        return "\n".join([*lines, ""]), counts

    def _split(self, text: str) -> List[List[str]]:
        """The lines' fields, column by column: all lines are taken apart at once."""
        flat = text[:-1].replace("\n", "\t").split("\t")
        columns = [flat[place :: self._parts] for place in range(self._parts - 1)]
        if len(flat) != text.count("\n") * self._parts:
            raise MalformedLine(self._words)
        return columns

    def _hold_in_step(self, numbers: List[str], patterns: Set[str]) -> None:
        """Raise unless row numbers and kind letters stand in their places: behind a line that is too short or too long they do not."""
        width = self._parts - 3
        if not "".join(numbers).isdigit() or not all(len(kinds) == width and set(kinds) <= _KINDS for kinds in patterns):
            raise MalformedLine(self._words)


def _patterns(kinds: List[str]) -> Set[str]:
    """The rows' kind letters; mostly all rows have the same, which is seen faster than a set is made."""
    return {kinds[0]} if kinds.count(kinds[0]) == len(kinds) else set(kinds)


def _clean(fields: Sequence[Sequence[Any]], numbers: Sequence[str], without: Set[int]) -> List[str]:
    passed = zip(*fields, numbers)
    if not without:
        return list(map("\t".join, passed))
    return ["\t".join(one) for place, one in enumerate(passed) if place not in without]


def _rejects(text: str, numbers: Sequence[str], bad: Bad) -> List[str]:
    rows = text.split("\n") if bad else []
    return ["\t".join([numbers[place], ",".join(bad[place]), rows[place].partition("\t")[2]]) for place in sorted(bad)]


def _tell_once(kinds: Sequence[str], bad: Bad) -> None:
    """Of a row that is out of step every cell is wrong, and for one reason."""
    for place in bad:
        if RAGGED in kinds[place]:
            bad[place] = [f"*:{RAGGED_ROW}"]


def blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """A stream in pieces of whole lines.

    Args:
        stream: lines; the last one may lack its LF.
        size: bytes to read at once, before the rest of the last line.
    """
    while True:
        piece = stream.read(size)
        if not piece:
            break
        if not piece.endswith(b"\n"):
            piece += stream.readline()
        yield piece if piece.endswith(b"\n") else piece + b"\n"


def mapper_of(shipment: Shipment, mode: str, engine: str) -> Any:
    """The mapper, or its twin if that is asked for and this node's python has what it needs.

    Args:
        shipment: the contract, and where its columns stand.
        mode: `clean` or `rejects`.
        engine: `standard` or `arrow`.
    """
    if engine == ARROW and sys.version_info >= (3, 11):
        try:  # by name: who follows the imports of this module must find the standard library alone
            return import_module("shp_core.lake.arrow_mapper").ArrowMapper(shipment, mode)
        except ImportError:
            pass
    return Mapper(shipment, mode)


def run(mapper: Any, source: BinaryIO, out: BinaryIO, told: TextIO) -> None:
    """Map a whole stream.

    Args:
        mapper: the mapper of the stream's sheet, or its twin.
        source: lines of text rows.
        out: gets the lines that come out.
        told: gets the counters.
    """
    counts = Counter(**{f"by_{mapper.engine}": 1})  # type: Counter[str]
    silent = 0
    for mapped, counted in mapper.each(source):
        out.write(mapped)
        counts.update(counted)
        silent += counted["read"]
        if silent >= _TOLD_AFTER:
            _tell(counts, told)
            silent = 0
    _tell(counts, told)
    out.flush()


def _tell(counts: Counter[str], told: TextIO) -> None:
    for name, count in counts.items():
        if count:
            told.write(f"reporter:counter:{GROUP},{name},{count}\n")
    told.flush()
    counts.clear()


class _Without:
    """Packages that are not there: Arrow would import them wherever they are installed, for 0.3 s of processors and for nothing."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Nobody else is asked for them."""
        if name in ("numpy", "pandas"):
            raise ModuleNotFoundError(name)


def main(path: str = "") -> None:
    """`python3 mapper.zip SHIPMENT MODE [ENGINE]`, lines on standard input.

    Args:
        path: the file whose lines they are, where it is known.
    """
    gc.disable()  # nothing here makes cycles, and looking for them costs a twentieth of the time
    bytes(_KEPT)
    with open(sys.argv[1], encoding="utf-8") as cargo:  # noqa: PTH123 (pathlib costs a tenth of the start)
        shipment = from_cargo(cargo.read(), path)
    sys.meta_path.insert(0, _Without())
    os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")  # Arrow's memory in pages of 2 MiB is mostly cleared for nothing: a tenth of the time
    mapper = mapper_of(shipment, sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else STANDARD)
    run(mapper, sys.stdin.buffer, sys.stdout.buffer, sys.stderr)
