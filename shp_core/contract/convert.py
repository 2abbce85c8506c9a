"""A batch of text rows through the contract: typed rows, and rejects with their reasons.

Rows in which everything passes go through the kernels (`kernels`), all others cell by cell through the reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from shp_core.codes import Code
from shp_core.contract.cells import CellJudge, Judged
from shp_core.contract.contract import Contract
from shp_core.contract.header import Mapping, column_letters
from shp_core.contract.kernels import Declined, Kernels
from shp_core.contract.numbers import Notation
from shp_core.contract.reasons import RAGGED_ROW
from shp_core.contract.typed import typed_batch
from shp_core.errors import Refusal
from shp_core.publishing.dialect import NULL, row_digest
from shp_core.reading.textrow import ERROR, FORMULA, RAGGED

_MEMO_ENTRIES = 65_536
_MEMO_CHARACTERS = 4 << 20
"""How much of one column and kind is remembered: most columns repeat themselves, memory must not grow with the file."""


@dataclass(frozen=True)
class Reason:
    """Why a row is a reject: a stable code, said of a column (its name in tables), or of the whole row (`*`)."""

    column: str
    code: str


@dataclass(frozen=True)
class Reject:
    """A row that breaks the contract.

    Args:
        row: the sheet's row number.
        reasons: one per broken rule, in feed order of columns.
        kinds: kind letters of the text row.
        texts: texts of the text row.
    """

    row: int
    reasons: tuple[Reason, ...]
    kinds: str
    texts: tuple[str | None, ...]


@dataclass(frozen=True)
class ConvertedBatch:
    """What became of a batch of text rows.

    Args:
        typed: clean rows: `_row`, the contract's columns, `_hash` (row hash, 16 bytes).
        keys: for each clean row the dialect text of its key; empty in feeds without a key.
        rejects: the other rows.
        suspects: rows whose cells all converted but break a row rule: typed, for the second witness.
        nulls: blanks per column (by name) over all rows of the batch.
    """

    typed: pa.RecordBatch
    keys: list[str]
    rejects: list[Reject]
    suspects: pa.RecordBatch
    nulls: dict[str, int] = field(default_factory=dict)


_RAGGED = Reason("*", RAGGED_ROW)


class _Memo(dict[str | None, str | None]):
    """Remembers the fields of one column and kind; `bad` keeps the cells with reasons."""

    def __init__(self, kind: str, judge: CellJudge) -> None:
        super().__init__()
        self._kind = kind
        self._judge: Callable[[str, str | None], Judged] = judge.judge
        self._characters = 0
        self.bad: dict[str | None, Judged] = {}

    def __missing__(self, text: str | None) -> str | None:
        judged = self._judge(self._kind, text)
        self._characters += len(text or "")
        if judged.reasons:
            self.bad[text] = judged
        self[text] = judged.field
        return judged.field

    def trim(self) -> None:
        """Forget everything when there is too much of it."""
        if len(self) > _MEMO_ENTRIES or self._characters > _MEMO_CHARACTERS:
            self.clear()
            self.bad.clear()
            self._characters = 0


class _ColumnConverter:
    """Converts the cells of one contract column, a batch at a time."""

    def __init__(self, judge: CellJudge) -> None:
        self._judge = judge
        self._memos: dict[str, _Memo] = {}

    def fields(self, letters: Sequence[str], texts: Sequence[str | None]) -> tuple[list[str | None], dict[int, Judged]]:
        """The dialect fields, and by index in the batch the cells that have reasons."""
        kinds = set(letters)
        for kind in kinds - self._memos.keys():
            self._memos[kind] = _Memo(kind, self._judge)
        memos = self._memos
        if len(kinds) == 1:
            fields = list(map(memos[kinds.pop()].__getitem__, texts))
        else:
            fields = [memos[kind][text] for kind, text in zip(letters, texts, strict=True)]
        bad = self._bad(letters, texts)
        for memo in memos.values():
            memo.trim()
        return fields, bad

    def _bad(self, letters: Sequence[str], texts: Sequence[str | None]) -> dict[int, Judged]:
        bad = {kind: memo.bad for kind, memo in self._memos.items() if memo.bad}
        if not bad:
            return {}
        pairs = enumerate(zip(letters, texts, strict=True))
        return {index: bad[kind][text] for index, (kind, text) in pairs if kind in bad and text in bad[kind]}


class Converter:
    """Converts batches of text rows of one sheet.

    Args:
        contract: the contract.
        mapping: where its columns stand in the sheet.
    """

    def __init__(self, contract: Contract, mapping: Mapping) -> None:
        notation = Notation(contract.decimal, contract.group)
        self._contract = contract
        self._mapping = mapping
        self._columns = [_ColumnConverter(CellJudge(column, notation)) for column in contract.columns]
        self._kernels = Kernels(contract, mapping.positions)
        self._key_places = [contract.names.index(name) for name in contract.key]

    def convert(self, batch: pa.RecordBatch) -> ConvertedBatch:
        """Convert one batch.

        Args:
            batch: text rows: `row`, `kinds`, `c1` … `cN`, `extra`.

        Raises:
            Refusal: `column_unknown`: a column without a header holds data.
        """
        self._refuse_strays(batch)
        try:
            sure = self._kernels.convert(batch)
        except Declined:
            return self.by_reference(batch)
        nulls = {name: sure.typed.column(name).null_count for name in self._contract.names}
        clean = ConvertedBatch(sure.typed, sure.keys, [], sure.typed.slice(0, 0), nulls)
        if sure.rows is None:
            return clean
        return _together(batch.column("row"), clean, self.by_reference(batch.filter(pc.invert(sure.rows))))

    def by_reference(self, batch: pa.RecordBatch) -> ConvertedBatch:
        """Convert one batch cell by cell: the meaning that the kernels must agree with."""
        rows: list[int] = batch.column("row").to_pylist()
        kinds: list[str] = batch.column("kinds").to_pylist()
        fields, bad = self._fields(batch, kinds)
        clean = [index for index in range(len(rows)) if index not in bad] if bad else None
        suspects = [index for index, cells in bad.items() if all(judged.field is not None for judged in cells.values())]
        kept = _pick(fields, clean)
        return ConvertedBatch(
            typed=self._typed(rows if clean is None else [rows[index] for index in clean], kept),
            keys=self._keys(kept),
            rejects=self._rejects(batch, rows, kinds, bad),
            suspects=self._typed([rows[index] for index in suspects], _pick(fields, suspects)),
            nulls=self._nulls(fields, bad),
        )

    def _fields(self, batch: pa.RecordBatch, kinds: list[str]) -> tuple[list[list[str | None]], dict[int, dict[str, Judged]]]:
        """Fields by column, and by index the judged cells with reasons (by column name)."""
        fields: list[list[str | None]] = []
        bad: dict[int, dict[str, Judged]] = {}
        for column, converter, position in zip(self._contract.columns, self._columns, self._mapping.positions, strict=True):
            if position is None:
                fields.append([NULL] * len(kinds))
                continue
            texts = batch.column(2 + position).to_pylist()
            values, wrong = converter.fields([kind[position] for kind in kinds], texts)
            fields.append(values)
            for index, judged in wrong.items():
                bad.setdefault(index, {})[column.name] = judged
        return fields, bad

    def _typed(self, rows: list[int], fields: list[list[str | None]]) -> pa.RecordBatch:
        texts = map("\t".join, zip(*fields, strict=True)) if rows else ()
        return typed_batch(self._contract, rows, fields, [row_digest(text) for text in texts])

    def _keys(self, fields: list[list[str | None]]) -> list[str]:
        if not self._key_places:
            return []
        return list(map("\t".join, zip(*(fields[place] for place in self._key_places), strict=True)))

    def _rejects(self, batch: pa.RecordBatch, rows: list[int], kinds: list[str], bad: dict[int, dict[str, Judged]]) -> list[Reject]:
        places = sorted(bad)
        chosen = batch.take(pa.array(places, pa.int32()))
        texts = zip(*(chosen.column(2 + place).to_pylist() for place in range(self._mapping.width)), strict=True)
        return [Reject(rows[place], _reasons(bad[place]), kinds[place], row) for place, row in zip(places, texts, strict=True)]

    def _nulls(self, fields: list[list[str | None]], bad: dict[int, dict[str, Judged]]) -> dict[str, int]:
        nulls = {column.name: column_fields.count(NULL) for column, column_fields in zip(self._contract.columns, fields, strict=True)}
        for cells in bad.values():
            for name, judged in cells.items():
                nulls[name] += judged.reasons == (Code.MISSING_VALUE,)
        return nulls

    def _refuse_strays(self, batch: pa.RecordBatch) -> None:
        extra = batch.column("extra")
        extra_ok = self._mapping.extra_allowed or extra.null_count == len(extra)
        if extra_ok and not self._mapping.stray:
            return
        rows: list[int] = batch.column("row").to_pylist()
        kinds: list[str] = batch.column("kinds").to_pylist()
        for position in self._mapping.stray:
            cells = zip([letters[position] for letters in kinds], batch.column(2 + position).to_pylist(), strict=True)
            for row, (kind, text) in zip(rows, cells, strict=True):
                if _holds_data(kind, text):
                    self._refuse_stray(column_letters(position), row)
        if extra_ok:
            return
        for row, spelled in zip(rows, extra.to_pylist(), strict=True):
            for number, kind, text in json.loads(spelled) if spelled else ():
                if _holds_data(kind, text):
                    self._refuse_stray(column_letters(number - 1), row)

    def _refuse_stray(self, place: str, row: int) -> None:
        raise Refusal(
            Code.COLUMN_UNKNOWN,
            f"Column {place} has data (first in row {row}) but no header, which the feed does not know.",
            {"missing": [], "unknown": [""], "row": row},
        )


def _together(rows: pa.Array, clean: ConvertedBatch, rest: ConvertedBatch) -> ConvertedBatch:
    """Rows of one batch that went two ways, in the order they came in (a sheet has no row twice)."""
    nulls = {name: count + rest.nulls[name] for name, count in clean.nulls.items()}
    if not rest.typed.num_rows:
        return replace(rest, typed=clean.typed, keys=clean.keys, nulls=nulls)
    typed = pa.Table.from_batches([clean.typed, rest.typed]).combine_chunks().to_batches()[0]
    order = pc.array_sort_indices(pc.index_in(typed.column("_row"), value_set=rows))
    keys = [*clean.keys, *rest.keys]
    return replace(rest, typed=typed.take(order), keys=[keys[place] for place in order.to_pylist()] if keys else [], nulls=nulls)


def _reasons(cells: dict[str, Judged]) -> tuple[Reason, ...]:
    if any(RAGGED_ROW in judged.reasons for judged in cells.values()):
        return (_RAGGED,)  # of a row that is out of step every cell is wrong, and for one reason
    return tuple(Reason(name, code) for name, judged in cells.items() for code in judged.reasons)


def _holds_data(kind: str, text: str | None) -> bool:
    """Whether a cell says anything: a blank text does not, an error or a formula without a value does.

    A row that is out of step is a reject in any case, so its cells say nothing about columns.
    """
    return kind in (ERROR, FORMULA) or (kind != RAGGED and bool(text and text.strip()))


def _pick(columns: list[list[str | None]], indexes: list[int] | None) -> list[list[str | None]]:
    if indexes is None:
        return columns
    return [[column[index] for index in indexes] for column in columns]
