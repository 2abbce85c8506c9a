"""Number cells of a column, told all at once: where every text is digits with at most a sign and a point.

Nearly every column of numbers is like that, noise of doubles (`21.340000000002`) included; one that is not is left to
`number_kernel`. Must not live here: what a number means (`numbers`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa

from shp_core.contract import arrow_compute as pc
from shp_core.contract.contract import ContractColumn
from shp_core.contract.end_to_end import texts_end_to_end
from shp_core.contract.typed import arrow_type

_DIGITS, _SIGNS = b"0123456789", b".-"

_SAFE = 10**9
"""A double with fewer digits, its scale's among them, is multiplied with an error below a millionth of the last one."""

NOISE = 0.25e-4
"""A quarter of how far a double may lie from a value of the scale (in units of its last digit) and still mean it."""

_STEPS = pa.decimal128(19, 0)

Told = tuple[Callable[[], pa.Array], pa.Array]
"""Values, made when they are asked for, and dialect fields."""


class WholeColumn:
    """Converts number cells of one column, all of them or none.

    Args:
        column: a numeric column; its scale is one at which Arrow prints decimals without an exponent.
    """

    def __init__(self, column: ContractColumn) -> None:
        self._type, self._scale = arrow_type(column), column.scale
        self._integer = pa.types.is_integer(self._type)
        self._low, self._high = (None if bound is None else Decimal(bound).scaleb(column.scale) for bound in column.bounds)
        self._most = 2 ** (self._type.bit_width - 1) - 1 if self._integer else 10**column.precision - 1

    def convert(self, texts: pa.Array) -> Told | None:
        """Values and dialect fields, null where the text is; None: not every text is a number that keeps the column's bounds.

        Args:
            texts: the cells' texts.
        """
        signs = bytes(texts_end_to_end(texts)).translate(None, _DIGITS)
        if signs.translate(None, _SIGNS):
            return None
        try:
            if self._integer and b"." not in signs:
                return self._of_digits(texts, signs)
            return self._of_doubles(texts, signs)
        except pa.ArrowInvalid:
            return None

    def _of_digits(self, texts: pa.Array, signs: bytes) -> Told | None:
        numbers = pc.cast(texts, pa.int64())
        if not self._within(_range(numbers)):
            return None
        as_they_are = not signs and not pc.any(pc.starts_with(texts, "0")).as_py()
        return lambda: pc.cast(numbers, self._type), texts if as_they_are else pc.cast(numbers, pa.string())

    def _of_doubles(self, texts: pa.Array, signs: bytes) -> Told | None:
        scaled = pc.multiply(pc.cast(texts, pa.float64()), 10.0**self._scale)
        steps = pc.cast(pc.floor(pc.add(scaled, 0.5)), pa.int64(), safe=False)
        found = _range(steps)
        if found is None or max(-found[0], found[1]) >= _SAFE or not self._within(found):
            return None
        off = pc.abs(pc.subtract(scaled, pc.cast(steps, pa.float64())))  # far, where a number was too large for steps
        if pc.any(pc.greater(off, NOISE)).as_py():
            return None
        no_fraction = _least(steps, found) > 10**self._scale  # the noise of a fraction may make a whole one of it
        if b"." in signs and _bare_point(texts, signs, no_fraction):
            return None
        return self._spelled(steps, no_fraction)

    def _within(self, found: tuple[int, int] | None) -> bool:
        low = -self._most if self._low is None else max(self._low, -self._most)
        high = self._most if self._high is None else min(self._high, self._most)
        return found is not None and bool(low <= found[0] and found[1] <= high)

    def _spelled(self, steps: pa.Array, no_fraction: bool) -> Told:
        if self._integer:
            return lambda: pc.cast(steps, self._type), pc.cast(steps, pa.string())
        if not self._scale or not no_fraction:
            values = self._scaled(steps)
            return lambda: values, pc.cast(values, pa.string())
        return lambda: self._scaled(steps), pc.binary_replace_slice(pc.cast(steps, pa.string()), -self._scale, -self._scale, ".")

    def _scaled(self, steps: pa.Array) -> pa.Array:
        wide = pc.cast(steps, _STEPS)
        return pa.Array.from_buffers(self._type, len(wide), wide.buffers(), wide.null_count, wide.offset)


def _bare_point(texts: pa.Array, signs: bytes, no_fraction: bool) -> bool:
    """Whether a number may have no digit before its point or behind it, which the reference does not take for a number."""
    if pc.any(pc.ends_with(texts, ".")).as_py():
        return True
    if no_fraction:
        return False
    return bool(pc.any(pc.starts_with(texts, ".")).as_py() or (b"-" in signs and pc.any(pc.match_substring(texts, "-.")).as_py()))


def _range(numbers: pa.Array) -> tuple[int, int] | None:
    """The least and the greatest number; None without any."""
    found = pc.min_max(numbers).as_py()
    return None if found["min"] is None else (found["min"], found["max"])


def _least(steps: pa.Array, found: tuple[int, int]) -> int:
    """The least of the numbers without their signs."""
    if found[0] > 0 or found[1] < 0:
        return max(found[0], -found[1])
    least: int = pc.min(pc.abs(steps)).as_py()
    return least
