r"""The mapper: lines of text rows in; clean lines, or rejects, out. Runs on any node that has python3 (3.8 or newer).

It converts and judges by the reference (`shp_core.contract.cells`), so both sinks mean the same. A clean line holds the
contract's columns in feed order and then the sheet's row number; a reject holds row number, `column:code,…`, kind
letters and the texts as they came. What was counted goes to standard error as Hadoop Streaming's counters.

Standard library only, Python 3.8 syntax.
"""

# ruff: noqa: B905, UP006, UP035, UP045 (Python 3.8 knows neither `zip(strict=)` nor the younger spellings of types)

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Sequence, TextIO, Tuple

from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.numbers import Notation
from shp_core.lake.shipped import Shipment
from shp_core.lake.shortcut import Shortcut, shortcut_of
from shp_core.publishing.dialect import NULL, unescape

GROUP = "shp"
"""Group of the counters: `read`, `rows`, `dropped`, `rejected`, and `reject.<code>` for each reason."""

CLEAN, REJECTS = "clean", "rejects"
_BLOCK = 1 << 20
_MEMO_ENTRIES = 65536

Bad = Dict[int, List[str]]
"""By place in the block: `column:code` for each reason."""


class MalformedLine(Exception):
    """A line is no text row of this sheet: the lake holds what nobody put there."""


class _Memo(Dict[str, Optional[str]]):
    """The fields of one column and kind by their escaped text; None where there are reasons, which `why` keeps."""

    def __init__(self, judge: CellJudge, kind: str, shortcut: Optional[Shortcut]) -> None:
        super().__init__()
        self._judge, self._kind, self._shortcut = judge, kind, shortcut
        self.why: Dict[str, Tuple[str, ...]] = {}

    def __missing__(self, escaped: str) -> Optional[str]:
        field = self._shortcut(escaped) if self._shortcut is not None else None
        if field is None:
            return self._by_reference(escaped)
        self[escaped] = field
        return field

    def _by_reference(self, escaped: str) -> Optional[str]:
        judged = self._judge.judge(self._kind, unescape(escaped))
        if judged.reasons:
            self.why[escaped] = judged.reasons
        field = None if judged.reasons else judged.field
        self[escaped] = field
        return field

    def trim(self) -> None:
        """Memory must not grow with the file."""
        if len(self) > _MEMO_ENTRIES:
            self.clear()
            self.why.clear()


class _Column:
    """Converts the cells of one contract column, a block at a time."""

    def __init__(self, column: ContractColumn, contract: Contract, position: Optional[int]) -> None:
        self._column, self._decimal, self._position = column, contract.decimal, position
        self._judge = CellJudge(column, Notation(contract.decimal, contract.group))
        self._memos: Dict[str, _Memo] = {}

    def fields(self, kinds: Sequence[str], same: bool, cells: Sequence[Sequence[str]], bad: Bad) -> List[Optional[str]]:
        """The column's fields; rows with reasons are entered into `bad`."""
        if self._position is None:
            return [NULL] * len(kinds)
        texts = cells[self._position]
        letters = kinds[0][self._position] if same else [kind[self._position] for kind in kinds]
        memos = {letter: self._memo(letter) for letter in set(letters)}
        if same:
            found = list(map(memos[letters[0]].__getitem__, texts))
        else:
            found = [memos[letter][text] for letter, text in zip(letters, texts)]
        if None in found:
            for place, field in enumerate(found):
                if field is None:
                    why = memos[letters[0] if same else letters[place]].why[texts[place]]
                    bad.setdefault(place, []).extend(f"{self._column.name}:{code}" for code in why)
        for memo in memos.values():
            memo.trim()
        return found

    def _memo(self, letter: str) -> _Memo:
        if letter not in self._memos:
            self._memos[letter] = _Memo(self._judge, letter, shortcut_of(self._column, letter, self._decimal))
        return self._memos[letter]


class Mapper:
    """Maps the lines of one sheet.

    Args:
        shipment: the contract, and where its columns stand.
        mode: `clean` or `rejects`: which lines come out.
    """

    def __init__(self, shipment: Shipment, mode: str = CLEAN) -> None:
        contract = shipment.contract
        pairs = zip(contract.columns, shipment.positions)
        self._columns = [_Column(column, contract, position) for column, position in pairs]
        self._parts = shipment.width + 3
        self._dropped = frozenset(str(row) for row in shipment.dropped)
        self._lines: Callable[..., List[str]] = self._clean if mode == CLEAN else self._rejects

    def block(self, text: str) -> Tuple[str, Counter[str]]:
        """Map whole lines.

        Args:
            text: lines, each ended by LF.

        Returns:
            The lines that come out, and what was counted.

        Raises:
            MalformedLine: a line has too few or too many fields.
        """
        rows = text[:-1].split("\n")
        if {row.count("\t") for row in rows} != {self._parts - 1}:
            raise MalformedLine(f"a line of the lake does not hold {self._parts} fields")
        flat = "\t".join(rows).split("\t")
        numbers, kinds, *cells = (flat[place :: self._parts] for place in range(self._parts))
        same, bad = len(set(kinds)) == 1, {}  # type: Tuple[bool, Bad]
        fields = [column.fields(kinds, same, cells, bad) for column in self._columns]
        left_out = {place for place, number in enumerate(numbers) if number in self._dropped} - set(bad) if self._dropped else set()
        lines = self._lines(rows, fields, numbers, bad, left_out)
        counts = Counter(read=len(rows), rows=len(rows) - len(bad) - len(left_out), dropped=len(left_out), rejected=len(bad))
        counts.update("reject." + code for reasons in bad.values() for code in {reason.rpartition(":")[2] for reason in reasons})
        return "\n".join([*lines, ""]), counts

    def _clean(self, rows: Any, fields: List[List[Any]], numbers: Sequence[str], bad: Bad, left_out: Any) -> List[str]:
        passed = zip(*fields, numbers)
        if not bad and not left_out:
            return list(map("\t".join, passed))
        return ["\t".join(one) for place, one in enumerate(passed) if place not in bad and place not in left_out]

    def _rejects(self, rows: List[str], fields: Any, numbers: Sequence[str], bad: Bad, left_out: Any) -> List[str]:
        return ["\t".join([numbers[place], ",".join(bad[place]), rows[place].partition("\t")[2]]) for place in sorted(bad)]


def blocks(stream: BinaryIO, size: int = _BLOCK) -> Iterator[str]:
    """A stream in pieces of whole lines.

    Args:
        stream: UTF-8 lines; the last one may lack its LF.
        size: bytes to read at once.
    """
    rest = b""
    while True:
        piece = stream.read(size)
        if not piece:
            break
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield (rest + piece[:cut]).decode("utf-8")
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield rest.decode("utf-8") + "\n"


def run(shipment: Shipment, mode: str, source: BinaryIO, out: BinaryIO, told: TextIO) -> None:
    """Map a whole stream.

    Args:
        shipment: the contract, and where its columns stand.
        mode: `clean` or `rejects`.
        source: lines of text rows.
        out: gets the lines that come out.
        told: gets the counters.
    """
    mapper = Mapper(shipment, mode)
    for text in blocks(source):
        lines, counts = mapper.block(text)
        out.write(lines.encode("utf-8"))
        for name, count in counts.items():
            if count:
                told.write(f"reporter:counter:{GROUP},{name},{count}\n")
    out.flush()


def main() -> None:
    """`python3 mapper.zip SHIPMENT MODE`, lines on standard input."""
    shipment = Shipment.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    run(shipment, sys.argv[2], sys.stdin.buffer, sys.stdout.buffer, sys.stderr)
