"""One column of a batch, by what the reference said of its texts before.

Most columns repeat themselves: every distinct text goes through the reference once, and is looked up in Arrow from
then on. Must not live here: what a text means (`cells`).
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from shp_core.contract import arrow_compute as pc
from shp_core.contract.cells import CellJudge
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.number_kernel import Converted, NumberKernel
from shp_core.contract.typed import arrow_type, fields_to_array
from shp_core.publishing.dialect import NULL, unescape

_REPEATS = 4
"""A column counts as repeating when it has this many cells for each distinct text."""
_SAMPLE_ROWS = 1024

_MAX_MEMO = 65_536
_MAX_MEMO_CHARACTERS = 4 << 20
_MAX_KNOWN = 16_384
_MAX_KNOWN_BYTES = 4 << 20
"""So many texts, and so much of them, is looked up in Arrow, which makes a table of them for every batch."""


class ColumnKernel:
    """Converts one column of a batch to typed values and dialect fields.

    Args:
        column: the column.
        contract: its contract.
        memo: what the reference said of texts.
    """

    def __init__(self, column: ContractColumn, contract: Contract, memo: Memo) -> None:
        self._column = column
        self._memo = memo
        self._numbers = NumberKernel(column, contract, memo.field) if column.numeric else None
        self._known = {kind: _Known(kind, column, memo) for kind in "snbd-"}

    def absent(self, rows: int) -> Converted:
        """An optional column that the sheet does not have."""
        return lambda: pa.nulls(rows, arrow_type(self._column)), pa.array([NULL] * rows, pa.string()), None

    def convert(self, kind: str, texts: pa.Array) -> Converted | None:
        """Values and fields of a column whose cells are all of one kind, and which of them hold; None: none does.

        Args:
            kind: the cells' kind letter.
            texts: the cells' texts, null where there is none.
        """
        if kind not in self._known:
            return None
        if self._numbers is not None and _mostly_differs(texts):
            found = self._numbers.convert(kind, texts)
            if found is not None:
                return found
        return self._known[kind].convert(texts)


class _Known:
    """What the reference made of texts of one kind, as arrays.

    Args:
        kind: their kind letter.
        column: their column.
        memo: remembers more of them than can be looked up quickly.
    """

    def __init__(self, kind: str, column: ContractColumn, memo: Memo) -> None:
        self._kind, self._column, self._memo = kind, column, memo
        self._nothing = _Learnt(pa.array([], pa.string()), pa.array([], arrow_type(column)), pa.array([], pa.string()))
        self.learnt = self._nothing

    def convert(self, texts: pa.Array) -> Converted:
        """Values, fields, and which of them hold."""
        encoded = pc.dictionary_encode(texts, "encode")  # a null is then one of the distinct texts
        distinct, rows = encoded.dictionary, encoded.indices
        places = pc.index_in(distinct, value_set=self.learnt.texts)
        if places.null_count:
            self._learn(distinct, places)
            places = pc.index_in(distinct, value_set=self.learnt.texts)
        holds = pc.take(pc.is_valid(places), rows) if places.null_count else None
        learnt, fields = self.learnt, pc.take(self.learnt.fields, places)
        expanded = texts if fields.equals(distinct) else pc.take(fields, rows)
        return lambda: pc.take(pc.take(learnt.values, places), rows), expanded, holds

    def _learn(self, distinct: pa.Array, places: pa.Array) -> None:
        new = pc.filter(distinct, pc.is_null(places))
        if len(self.learnt.texts) + len(new) > _MAX_KNOWN or self.learnt.texts.nbytes + new.nbytes > _MAX_KNOWN_BYTES:
            self.learnt = self._nothing
            new = distinct
        fields = pa.array([self._memo.field(self._kind, text) for text in new.to_pylist()], pa.string())
        if fields.null_count:
            new, fields = pc.filter(new, pc.is_valid(fields)), pc.drop_null(fields)
        parts = zip(self.learnt, (new, fields_to_array(self._column, fields), fields), strict=True)
        self.learnt = _Learnt(*(pa.concat_arrays(part) for part in parts))


class _Learnt(NamedTuple):
    """Texts, and the value and dialect field of each."""

    texts: pa.StringArray
    values: pa.Array
    fields: pa.StringArray


class Memo:
    """What the reference said of texts, within bounds: memory must not grow with the file. Threads may share it.

    Args:
        judge: the reference.
        escaped: whether the texts are fields of the lake's lines.
    """

    def __init__(self, judge: CellJudge, escaped: bool = False) -> None:
        self._judge, self._escaped = judge, escaped
        self.fields: dict[tuple[str, str | None], str | None] = {}
        self._characters = 0

    def field(self, kind: str, text: str | None) -> str | None:
        """The dialect field of a cell; None: there is a reason to reject it."""
        try:
            return self.fields[kind, text]
        except KeyError:
            judged = self._judge.judge(kind, unescape(text) if self._escaped and text is not None else text)
            return self._remember(kind, text, None if judged.reasons else judged.field)

    def _remember(self, kind: str, text: str | None, field: str | None) -> str | None:
        if len(self.fields) >= _MAX_MEMO or self._characters > _MAX_MEMO_CHARACTERS:
            self.fields.clear()
            self._characters = 0
        self.fields[kind, text] = field
        self._characters += len(text or "")
        return field


def _mostly_differs(texts: pa.Array) -> bool:
    sample = texts.slice(0, _SAMPLE_ROWS)
    return len(pc.unique(sample)) * _REPEATS > len(sample)
