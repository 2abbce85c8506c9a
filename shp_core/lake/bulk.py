"""Whole columns of numbers, told together: for columns in which nearly every number is another, where a memo is no help.

What a number looks like (its shape: every digit as `0`) repeats itself although the numbers do not, so each shape is
judged once. A block is told as the reference would tell it, or in part (None for a cell that needs the reference), or
declined; a property test holds them together. Standard library only, Python 3.8 syntax.
"""

# ruff: noqa: B905, UP006, UP035, UP045 (Python 3.8 knows neither `zip(strict=)` nor the younger spellings of types)

from __future__ import annotations

import re
from itertools import compress, count
from operator import add
from typing import Dict, List, Optional, Sequence, Set, Tuple

from shp_core.contract.contract import Contract, ContractColumn
from shp_core.contract.numbers import symbols_of
from shp_core.lake.shortcut import scaled_bounds, whole_digits

_SHAPES = {ord(digit): "0" for digit in "123456789"}
_PADDED = re.compile("^0[0-9]", re.MULTILINE)
_DIFFERENT = 0.75
_SAMPLE = 256
_MOST_SHAPES = 4096
_DRIFT_DIGITS, _DRIFT_SCALES = 9, (1, 2)
"""Where a double is so near to its text that rounding it tells the same as rounding the text."""
_NOISE_DIGITS, _NO_NOISE = 4, "0000\n"
"""So many decimals behind the column's scale must round to zeros: half of what the reference takes for noise."""


def differ(texts: Sequence[str]) -> bool:
    """Whether nearly every text of a column's block is another."""
    sample = texts[:_SAMPLE]
    return len(set(sample)) > _DIFFERENT * len(sample)


def bulk_of(column: ContractColumn, kind: str, contract: Contract) -> Optional[BulkNumbers]:
    """What tells a column's cells of one kind together; None when nothing does.

    Args:
        column: the column of the contract.
        kind: kind letter.
        contract: knows how the feed's text cells spell numbers.
    """
    if not column.numeric or kind not in "ns" or (column.allowed, column.pattern, column.max_length) != (None, None, None):
        return None
    if whole_digits(column) < 1:
        return None
    return BulkNumbers(column, _Spelling(column, contract) if kind == "s" else None)


class _Spelling:
    """What text cells write beside digits: a currency's sign, a sign between groups, a decimal sign."""

    def __init__(self, column: ContractColumn, contract: Contract) -> None:
        signs = symbols_of(column.currency) if column.type == "money" and column.currency else ()
        self.symbol = signs[0] if signs else ""
        self.group, self.decimal = contract.group, contract.decimal

    def plain(self, joined: str) -> str:
        """The numbers without it, for what has one of the shapes of `shape`."""
        for sign in (self.symbol, self.group):
            joined = joined.replace(sign, "") if sign else joined
        return joined if self.decimal == "." else joined.replace(self.decimal, ".")

    def whole(self, digits: int) -> str:
        """The pattern of what stands before the decimal sign."""
        symbol = f"(?:{re.escape(self.symbol)})?" if self.symbol else ""
        grouped = f"0{{1,3}}(?:{re.escape(self.group)}000){{1,{digits // 3 - 1}}}|" if self.group and digits >= 6 else ""
        return f"{symbol}(?:{grouped}0{{1,{digits}}})"


class _Endings(Dict[str, str]):
    """By shape what a number lacks to have all decimals of its column; `odd` and `drifted` are shapes with other numbers."""

    def __init__(self, column: ContractColumn, whole: str, decimal: str, drift: int) -> None:
        super().__init__()
        self.odd: Set[str] = set()
        self.drifted: Set[str] = set()
        self._scale = column.scale
        fraction = f"(?:{re.escape(decimal)}(0{{1,{self._scale}}}))?" if self._scale else "()"
        self._match = re.compile(f"-?{whole}{fraction}\\Z").match
        self._drift = re.compile(f"-?0{{1,{drift}}}\\.0{{{self._scale + 5},20}}\\Z").match if drift > 0 else None

    def __missing__(self, shape: str) -> str:
        match, ending = self._match(shape), ""
        if match is not None:
            decimals = len(match.group(1) or "")
            ending = "0" * (self._scale - decimals) if decimals or not self._scale else "." + "0" * self._scale
        elif self._drift is not None and self._drift(shape):
            self.drifted.add(shape)
        else:
            self.odd.add(shape)
        self[shape] = ending
        return ending

    def trim(self) -> None:
        """Numbers have few shapes; texts that are none must not fill the memory."""
        if len(self) > _MOST_SHAPES:
            self.clear()
            self.odd.clear()
            self.drifted.clear()


class BulkNumbers:
    """Tells a block of a numeric column.

    Args:
        column: the column of the contract.
        spelling: of text cells; None for number cells.
    """

    def __init__(self, column: ContractColumn, spelling: Optional[_Spelling]) -> None:
        digits = max(whole_digits(column), 1)
        self._spelling, self._scale = spelling, column.scale
        self._low, self._high = scaled_bounds(column)
        self._whole = 0 if spelling or column.scale else digits
        whole, decimal = (spelling.whole(digits), spelling.decimal) if spelling else (f"0{{1,{digits}}}", ".")
        drift = min(digits - 1, _DRIFT_DIGITS) if spelling is None and column.scale in _DRIFT_SCALES else 0  # 9.99… gets one more
        self._endings = _Endings(column, whole, decimal, drift)

    def fields(self, texts: List[str]) -> Optional[Tuple[List[str], Sequence[int]]]:
        """The fields of a block's cells, and the places of those that need the reference; None: all of them do.

        Args:
            texts: fields of the lake's lines; none holds a line break.
        """
        if self._whole and self._are_whole(texts):
            return texts, ()
        joined = "\n".join(texts)
        plain = self._spelling.plain(joined) if self._spelling else joined
        zeros, negative = plain.startswith("0") or "\n0" in plain, "-" in plain
        if (negative and "-0" in plain) or (zeros and _PADDED.search(plain)):
            return None
        least = None if negative else 0 if zeros else 1
        shapes = joined.translate(_SHAPES).split("\n")
        found = self._ended(shapes, plain.split("\n") if self._spelling else texts)
        odd = self._places(shapes, self._endings.odd)
        drifted = self._places(shapes, self._endings.drifted)
        if drifted:
            found = list(found)
            rounded = self._rounded(list(map(texts.__getitem__, drifted)))
            if rounded is None:
                odd = sorted([*odd, *drifted])
            for place, field in zip(drifted, rounded or ()):
                found[place] = field
        return (found, odd) if self._within(found, odd, least) else None

    def _are_whole(self, texts: Sequence[str]) -> bool:
        """Whether all are digits without a zero before them, within the bounds; else they may be numbers all the same."""
        widths, digits = set(map(len, texts)), "".join(texts)
        if min(widths) < 1 or max(widths) > self._whole or not (digits.isascii() and digits.isdigit()):
            return False
        return min(texts) >= "1" and self._within(texts, (), 1, widths)

    def _ended(self, shapes: Sequence[str], bare: List[str]) -> List[str]:
        """The numbers with all their decimals."""
        self._endings.trim()
        return list(map(add, bare, map(self._endings.__getitem__, shapes)))

    @staticmethod
    def _places(shapes: Sequence[str], those: Set[str]) -> Sequence[int]:
        return list(compress(count(), map(those.__contains__, shapes))) if those else ()

    def _rounded(self, texts: Sequence[str]) -> Optional[List[str]]:
        """Sums and products of doubles at the column's scale, if all lie as near to it as they would without their noise."""
        told = (f"%.{self._scale + _NOISE_DIGITS}f\n" * len(texts)) % tuple(map(float, texts))
        return told.replace(_NO_NOISE, "\n").split("\n")[:-1] if told.count(_NO_NOISE) == len(texts) else None

    def _within(self, found: Sequence[str], odd: Sequence[int], least: Optional[int], widths: Optional[Set[int]] = None) -> bool:
        """Whether every number keeps the column's bounds.

        Args:
            found: the fields.
            odd: places that do not count.
            least: what no number is below, in the smallest steps; None: unknown.
            widths: how long the fields are, where that is known.
        """
        low, high = self._low, self._high
        kept = low is None or (least is not None and low <= least)
        if kept and high is None:
            return True
        skipped = set(odd)
        found = [field for place, field in enumerate(found) if place not in skipped] if odd else found
        if not found:
            return True
        widths = widths or set(map(len, found))
        most = 10 ** max(widths)  # nothing with so many digits is as great
        if (kept or (low is not None and low <= -most)) and (high is None or high >= most):
            return True
        if kept and len(widths) == 1:
            return high is None or int(max(found).replace(".", "")) <= high  # of equal length: they sort as texts
        steps = list(map(int, "\n".join(found).replace(".", "").split("\n")))
        return (low is None or min(steps) >= low) and (high is None or max(steps) <= high)
