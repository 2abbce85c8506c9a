"""Numbers that do not repeat, a column of a batch at a time: strict patterns, Arrow's casts, bounds.

What a pattern does not know is left to the reference, cell by cell. Must not live here: what a number means (`numbers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal

import pyarrow as pa

from shp_core.contract import arrow_compute as pc
from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.typed import arrow_type
from shp_core.contract.whole_column import NOISE, WholeColumn
from shp_core.publishing.dialect import NULL

Values = Callable[[], pa.Array]
"""The values of a column, made when they are asked for: who wants the fields alone, as the mapper does, pays for no others."""

Converted = tuple[Values, pa.Array, pa.BooleanArray | None]
"""Values, dialect fields, and which of them hold; None: all."""

Field = Callable[[str, str | None], str | None]
"""The reference: the field of a cell of a kind, None where there is a reason to reject it."""

_WHOLE_DIGITS = {"integer": 10, "bigint": 18}
_PLAIN_SCALE = 6
"""Up to this scale Arrow prints decimals without an exponent."""

_SAFE_DIGITS = 9
"""A double of so many digits, its scale's among them, is multiplied with an error below a millionth of the last one."""

_SYMBOL_OF = {"USD": "$", "EUR": "€", "GBP": "£"}


class NumberKernel:
    """Converts number cells of one column.

    Args:
        column: a numeric column.
        contract: how it spells numbers.
        field: the reference.
    """

    def __init__(self, column: ContractColumn, contract: Contract, field: Field) -> None:
        self._column = column
        self._field = field
        self._type = arrow_type(column)
        self._patterns = dict(_patterns(column, contract))
        self._decimal, self._group = contract.decimal, contract.group
        self._symbol = _SYMBOL_OF.get(column.currency or "", "")
        low, high = column.bounds
        self._low = self._bound(low)
        self._high = self._bound(high)
        self._knows = column.scale <= _PLAIN_SCALE and column.allowed is None
        self._whole = WholeColumn(column) if self._knows and self._patterns else None

    def _bound(self, bound: str | None) -> pa.Scalar | None:
        """A bound as a value of the column; one that the column cannot hold is left to the reference."""
        if bound is None:
            return None
        value = Decimal(bound)
        if value != round(value, self._column.scale) or abs(value) >= Decimal(10) ** 15:
            self._patterns = {}
            return None
        return pa.scalar(int(value) if pa.types.is_integer(self._type) else value, self._type)

    def convert(self, kind: str, texts: pa.Array) -> Converted | None:
        """Values and fields, or None: the reference must look at most of them.

        Args:
            kind: the cells' kind letter.
            texts: the cells' texts, null where there is none.
        """
        pattern = self._patterns.get(kind) if self._knows else None
        if pattern is None:
            return None
        whole = self._whole.convert(texts) if self._whole is not None and kind == "n" else None
        if whole is not None:
            return self._sound(*whole, texts, None)
        known = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
        plain = self._plain(texts) if kind == "s" else texts
        if not pc.all(known).as_py():
            found = self._with_odd(kind, texts, plain, known)
            if found is None:
                return None
            plain = found
        return self._cast(plain, texts)

    def _with_odd(self, kind: str, texts: pa.Array, plain: pa.Array, known: pa.BooleanArray) -> pa.Array | None:
        """Plain numbers where the pattern knows them, else what noise or the reference makes of them; null: nothing."""
        odd = pc.and_not(pc.is_valid(texts), known)
        spelled = pc.filter(texts, odd)
        found = self._without_noise(spelled) if kind == "n" else pa.nulls(len(spelled), pa.string())
        if found.null_count * 2 > len(texts):
            return None
        if found.null_count:
            left = pc.is_null(found)
            fields = [self._field(kind, text) for text in pc.filter(spelled, left).to_pylist()]
            found = pc.replace_with_mask(found, left, pa.array(fields, pa.string()))
        none = pa.scalar(None, pa.string())
        return pc.replace_with_mask(pc.if_else(known, plain, none), odd, found)

    def _without_noise(self, texts: pa.Array) -> pa.Array:
        """Doubles that lie close to a value of the scale, as that value (`21.340000000002` as `21.34`); others as null."""
        digits = _SAFE_DIGITS - self._column.scale
        sound = pc.match_substring_regex(texts, f"^-?[0-9]{{1,{digits}}}\\.[0-9]{{1,17}}$")
        doubles = pc.cast(pc.if_else(sound, texts, pa.scalar(None, pa.string())), pa.float64())
        scaled = pc.multiply(doubles, 10.0**self._column.scale)
        nearest = pc.round(scaled)
        close = pc.less(pc.abs(pc.subtract(scaled, nearest)), NOISE)
        whole = pc.cast(pc.if_else(pc.fill_null(close, False), nearest, pa.scalar(None, pa.float64())), pa.int64())
        if not self._column.scale:
            return pc.cast(whole, pa.string())
        unit = pa.scalar(Decimal(1).scaleb(-self._column.scale), pa.decimal128(_PLAIN_SCALE + 1, self._column.scale))
        return pc.cast(pc.multiply(pc.cast(whole, pa.decimal128(19, 0)), unit), pa.string())

    def _cast(self, plain: pa.Array, texts: pa.Array) -> Converted | None:
        try:
            values = pc.cast(plain, self._type)
        except pa.ArrowInvalid:  # ten digits may be more than an integer holds
            return None
        return self._sound(lambda: values, pc.cast(values, pa.string()), texts, self._within(values))

    def _sound(self, values: Values, fields: pa.Array, texts: pa.Array, holds: pa.BooleanArray | None) -> Converted:
        """What was found, null taken for a blank cell where the column may have one and where there is no text."""
        if not fields.null_count:
            return values, fields, holds
        blank = pc.is_null(texts) if self._column.optional else False
        sound = pc.or_(pc.is_valid(fields), blank)
        return values, pc.fill_null(fields, NULL), sound if holds is None else pc.and_(sound, holds)

    def _plain(self, texts: pa.Array) -> pa.Array:
        """A spelled number without its signs of currency and groups."""
        if self._symbol:
            texts = pc.replace_substring(texts, self._symbol, "", max_replacements=1)
        if self._group:
            texts = pc.replace_substring(texts, self._group, "")
        return texts if self._decimal == "." else pc.replace_substring(texts, self._decimal, ".")

    def _within(self, values: pa.Array) -> pa.BooleanArray | None:
        """Which values lie within the bounds, nulls among them; None: all."""
        above = pc.greater_equal(values, self._low) if self._low is not None else None
        below = pc.less_equal(values, self._high) if self._high is not None else None
        within = pc.and_(above, below) if above is not None and below is not None else above if above is not None else below
        if within is None or pc.all(within).as_py() is not False:
            return None
        return pc.fill_null(within, True)


def _patterns(column: ContractColumn, contract: Contract) -> Iterator[tuple[str, str]]:
    """By kind the texts that Arrow casts to exactly what the reference makes of them: narrower than the reference's."""
    digits = _WHOLE_DIGITS.get(column.type) or min(15, column.precision - column.scale)
    if digits < 1:
        return
    fraction = f"(\\.[0-9]{{1,{column.scale}}})?" if column.scale else ""
    yield "n", f"^-?[0-9]{{1,{digits}}}{fraction}$"
    point = re.escape(contract.decimal)
    if contract.group in ("", ",", ".", "'"):
        spelled = f"({point}[0-9]{{1,{column.scale}}})?" if column.scale else ""
        groups = max((digits - 3) // 3, 0)
        whole = (
            f"([0-9]{{1,{digits}}}|[1-9][0-9]{{0,2}}({re.escape(contract.group)}[0-9]{{3}}){{1,{groups}}})"
            if contract.group and groups
            else f"[0-9]{{1,{digits}}}"
        )
        symbol = _SYMBOL_OF.get(column.currency or "") if column.type == "money" else None
        yield "s", f"^-?{re.escape(symbol) + '?' if symbol else ''}{whole}{spelled}$"
